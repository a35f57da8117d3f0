"""A living fleet for tests: a sandbox on loopback, and a dispatcher that keeps up with it every second or so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dispatcher import Dispatcher
from dispatcher.hellotracks import HellotracksClient
from dispatcher.sandbox import Sandbox

DAY = 20310106
NEXT_DAY = 20310107


def member(name: str, lat: float = 45.07, **fields: Any) -> dict[str, Any]:
    return {
        "uid": f"u-{name}",
        "username": name,
        "role": "worker",
        "timezone": "UTC",
        "route_start_lat": lat,
        "route_start_lng": 7.68,
    } | fields


def job(key: str, **fields: Any) -> dict[str, Any]:
    return {"uidSecondary": key, "destinationLat": 45.07, "destinationLng": 7.68, "day": DAY} | fields


def living(sandbox: Sandbox, tmp_path: Path, **settings: Any) -> Dispatcher:
    plain: dict[str, Any] = {
        "base_url": sandbox.url,
        "api_key": "key",
        "spool": str(tmp_path / "spool.db"),
        "fleet_sync_s": 1.0,
        "routes_sync_s": 1.0,
    }
    return Dispatcher(live=True, **(plain | settings))


async def until(true: Callable[[], Any], *, timeout_s: float = 20) -> None:
    """Wait for something to become true; it may be asked with `await`."""
    async with asyncio.timeout(timeout_s):
        while True:
            found = true()
            if await found if asyncio.iscoroutine(found) else found:
                return
            await asyncio.sleep(0.02)


async def route(d: Dispatcher, worker: str, day: int = DAY) -> list[str | None]:
    """The keys of a day route as it stands; none while there is no fleet."""
    return await d.pipeline.fleet.ask(lambda engine: [stop.key for stop in engine.route(worker, day)]) or []


async def ready(d: Dispatcher, *days: int) -> None:
    """Bring the fleet and these days into play."""
    assert await d.pipeline.fleet.ready(days or (DAY,))


async def edit(sandbox: Sandbox, key: str, **fields: Any) -> None:
    """A person changes a job at the server."""
    async with HellotracksClient(base_url=sandbox.url, api_key="person") as client:
        await client.edit_jobs({sandbox.jobs[key]["id"]: fields})


async def create(sandbox: Sandbox, *jobs: dict[str, Any]) -> None:
    """A person creates jobs at the server."""
    async with HellotracksClient(base_url=sandbox.url, api_key="person") as client:
        await client.forward("createjobs", _body(jobs))


def _body(jobs: tuple[dict[str, Any], ...]) -> bytes:
    import orjson  # noqa: PLC0415 - for this alone

    return orjson.dumps({"data": {"jobs": jobs}})


def now_ms() -> int:
    return int(time.time() * 1000)
