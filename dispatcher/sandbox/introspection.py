"""The sandbox's own paths under `/sandbox/`: what happened so far, switches for faults and outages. No key needed."""

from __future__ import annotations

import math
import time
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from dispatcher.sandbox.faults import FaultPlan

if TYPE_CHECKING:
    from dispatcher.sandbox.server import Sandbox

MAX_KEYS = 100_000
_NUMBERS = (int, float)


async def introspect(sandbox: Sandbox, request: web.BaseRequest) -> web.StreamResponse:
    """Answer one request below `/sandbox/`; 400 with a `message` when it cannot be understood."""
    call = (request.method, request.path.rstrip("/"))
    try:
        if call == ("GET", "/sandbox/stats"):
            return _json(sandbox.stats())
        if call == ("GET", "/sandbox/keys"):
            return _json(_keys(sandbox, request.query.get("after", ""), request.query.get("limit", "1000")))
        if call == ("GET", "/sandbox/faults"):
            return _json(_faults(sandbox))
        if call == ("POST", "/sandbox/faults"):
            change_faults(sandbox, _object(await request.read()))
            return _json(_faults(sandbox))
        if call == ("POST", "/sandbox/member"):
            wish = _object(await request.read())
            sandbox.set_member(str(wish.pop("username", "")), **wish)
            return _json({"status": 0})
        if call == ("POST", "/sandbox/outage"):
            wish = _object(await request.read())
            seconds, down, mode = wish.get("seconds"), wish.get("down"), wish.get("mode", "close")
            sandbox.set_outage(seconds=seconds, down=down, mode=mode, spare=request.protocol)
            return _json({"down": sandbox.down, "mode": mode})
    except ValueError as wrong:
        return _json({"message": str(wrong)}, status=400)
    return _json({"message": "no such path"}, status=404)


def change_faults(sandbox: Sandbox, wish: dict[str, Any]) -> None:
    """Change what is named and leave the rest: `faults`, `faults_on`, `seed`, `slow_s`, `retry_after_s`, `next`.

    A change of one of the first three starts a new count of requests; `next` lays down the faults of the next requests.

    Raises:
        ValueError: something cannot be used. Nothing was changed.
    """
    unknown = set(wish) - {"faults", "faults_on", "seed", "slow_s", "retry_after_s", "next"}
    if unknown:
        raise ValueError(f"faults: unknown name {min(unknown)!r}")
    for name in ("slow_s", "retry_after_s"):
        value = wish.get(name, 0)
        if not isinstance(value, _NUMBERS) or not 0 <= value < math.inf:
            raise ValueError(f"{name}: must be a number of seconds")
    door = sandbox.door
    plan = door.faults
    text, seed, on = wish.get("faults", plan.text), wish.get("seed", plan.seed), wish.get("faults_on", sorted(plan.on))
    if not isinstance(text, str) or not isinstance(seed, int) or not _are_texts(on):
        raise ValueError("faults: faults must be a text, seed a whole number, faults_on an array of paths")
    changed = FaultPlan(text, seed=seed, on=on) if {"faults", "seed", "faults_on"} & set(wish) else plan
    kinds = wish.get("next", [])
    if not _are_texts(kinds):
        raise ValueError("faults: next must be an array of kinds")
    changed.script(kinds)
    if changed is not plan:
        changed.drawn.update(plan.drawn)
        door.faults = changed
    door.slow_s = float(wish.get("slow_s", door.slow_s))
    door.retry_after_s = float(wish.get("retry_after_s", door.retry_after_s))


def outage_end(seconds: Any, down: Any) -> float | None:
    """The monotonic time until which to be down; None for being up.

    Raises:
        ValueError: neither or both are named, or not in a usable way.
    """
    if (seconds is None) == (down is None):
        raise ValueError('outage: name either "seconds" or "down"')
    if down is not None:
        if not isinstance(down, bool):
            raise ValueError("outage: down must be true or false")
        return math.inf if down else None
    if not isinstance(seconds, _NUMBERS) or isinstance(seconds, bool) or not 0 <= seconds < math.inf:
        raise ValueError("outage: seconds must be a number from 0")
    return time.monotonic() + seconds


def _keys(sandbox: Sandbox, after: str, limit: str) -> dict[str, Any]:
    if not (limit.isascii() and limit.isdigit()) or not 1 <= int(limit) <= MAX_KEYS:
        raise ValueError(f"limit: must be a whole number from 1 to {MAX_KEYS}")
    keys = list(islice(sandbox.store.known_keys(after=after), int(limit)))
    return {
        "keys": {key: sandbox.store.counters(key) for key in keys},
        "next": keys[-1] if len(keys) == int(limit) else None,
    }


def _faults(sandbox: Sandbox) -> dict[str, Any]:
    door = sandbox.door
    return {
        "faults": door.faults.text,
        "faults_on": sorted(door.faults.on),
        "seed": door.faults.seed,
        "slow_s": door.slow_s,
        "retry_after_s": door.retry_after_s,
    }


def _object(body: bytes) -> dict[str, Any]:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"the body is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise ValueError("the body must be an object")  # noqa: TRY004 - answered like every other bad wish
    return content


def _are_texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(entry, str) for entry in value)


def _json(content: dict[str, Any], *, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(content), status=status, content_type="application/json")
