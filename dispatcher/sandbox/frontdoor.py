"""HTTP around the two API families: methods, keys, limits, latency, outages and the faults that spoil a request."""

from __future__ import annotations

import asyncio
import hmac
import random
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import orjson
from aiohttp import web

from dispatcher.sandbox.api import LegacyApi
from dispatcher.sandbox.faults import Fault, FaultPlan
from dispatcher.sandbox.outage import Outage
from dispatcher.sandbox.reply import Action, Reply, refusal, v1_error
from dispatcher.sandbox.settings import SandboxSettings
from dispatcher.sandbox.traffic import Traffic
from dispatcher.sandbox.v1 import ConnectorApi
from dispatcher.sandbox.windows import SlidingWindows, parse_limits, retry_after

CLOSED = "closed"
"""Outcome of a request that got no whole reply."""

_HTML = b"<!doctype html><html><head><title>Sign in</title></head><body><h1>Please sign in</h1></body></html>"


class FrontDoor:
    """Takes one HTTP request after the other and answers it, or does not.

    Attributes:
        faults: what goes wrong; may be replaced at any time.
        slow_s: how late the slow faults are.
        retry_after_s: what the fault `429-retry-after` asks for.
        traffic, windows, outage: what was seen, what is allowed, whether it is down.
    """

    def __init__(self, settings: SandboxSettings, api: LegacyApi, v1: ConnectorApi) -> None:
        self.faults = FaultPlan(settings.faults, seed=settings.seed, on=settings.faults_on)
        self.slow_s = settings.slow_s
        self.retry_after_s = settings.retry_after_s
        self.traffic = Traffic()
        self.windows = SlidingWindows(parse_limits(settings.limits))
        self.outage = Outage()
        self._settings = settings
        self._api = api
        self._v1 = v1
        self._jitter = random.Random(f"jitter {settings.seed}")
        self._stopping = asyncio.Event()
        self._late: set[asyncio.Task[Reply | None]] = set()

    def open(self) -> None:
        """Before the first request, and again after `close`."""
        self._stopping = asyncio.Event()

    async def close(self) -> None:
        """End every wait at once; what was to take effect later never does."""
        self._stopping.set()
        await asyncio.gather(*self._late, return_exceptions=True)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request of `/api` or `/v1`."""
        arrived = time.monotonic()
        path = request.path.rstrip("/")
        self.traffic.arrive(self._counted_as(path), arrived)
        if self.outage.is_down(arrived):
            self.outage.refused += 1
            if self.outage.mode == "503":
                return _response(_refuse(path, "down for maintenance", 503))
            return hang_up(request)
        self.traffic.enter()
        outcome = CLOSED
        try:
            response, outcome = await self._answer(request, path, arrived)
        finally:
            self.traffic.leave(outcome)
        return response

    async def _answer(self, request: web.BaseRequest, path: str, arrived: float) -> tuple[web.StreamResponse, str]:
        key = request.headers.get("API-Key", "")
        wait_s = self.windows.admit(key, arrived) if self._knows(key) else 0.0
        body = await self._read(request)
        reply: Reply | Action | None = None
        if body is None:
            reply = _refuse(path, "the body is too large or cannot be read", 413)
        elif (wrong := self._wrong_way(request.method, path)) is not None:
            reply = wrong
        elif path.startswith("/v1/"):
            reply = self._checked(path, key, wait_s) or Action(partial(self._v1_reply, path, dict(request.query)))
        else:
            try:
                content = orjson.loads(body)
            except orjson.JSONDecodeError as error:
                reply = self._checked(path, key, wait_s) or _refuse(path, f"the body is not JSON: {error}", 400)
            else:
                if not key and self._knows(key := _key_in_body(content)):
                    wait_s = self.windows.admit(key, arrived)
                reply = self._checked(path, key, wait_s) or self._understand(path, content)
        if isinstance(reply, Reply):
            return await self._send(request, reply)
        keys = self.traffic.take_off(reply.keys)
        try:
            return await self._carry_out(request, reply, self.faults.draw(path), keys)
        finally:
            self.traffic.land(keys)

    # Who may, and what is meant

    def _counted_as(self, path: str) -> str:
        if path.startswith("/v1/jobs/"):
            return "/v1/jobs/{id}"
        known = path.removeprefix("/api/") in self._api.actions or path in _V1_PATHS
        return path if known else "other"

    def _knows(self, key: str) -> bool:
        wanted = self._settings.api_key
        return bool(key) and (wanted is None or hmac.compare_digest(key.encode(), wanted.encode()))

    def _checked(self, path: str, key: str, wait_s: float) -> Reply | None:
        """The refusal for a wrong key or for too many requests, None when neither is the case."""
        if not self._knows(key):
            return _refuse(path, "API key missing or unknown", 401)
        if wait_s > 0.0:
            return _refuse(path, "too many requests", 429, {"Retry-After": retry_after(wait_s)})
        return None

    def _wrong_way(self, method: str, path: str) -> Reply | None:
        if path.startswith("/api/") and path.removeprefix("/api/") in self._api.actions:
            return None if method == "POST" else _refuse(path, "use POST", 405, {"Allow": "POST"})
        if path in _V1_PATHS or path.startswith("/v1/jobs/"):
            return None if method == "GET" else _refuse(path, "use GET", 405, {"Allow": "GET"})
        return _refuse(path, "no such path", 404)

    def _understand(self, path: str, content: Any) -> Action:
        if not isinstance(content, dict):
            understood: Action | Reply = refusal("the body must be an object")
        else:
            understood = self._api.understand(path.removeprefix("/api/"), content)
        return understood if isinstance(understood, Action) else Action(lambda: understood)

    def _v1_reply(self, path: str, query: dict[str, str]) -> Reply:
        return self._v1.answer(path.removeprefix("/v1/"), query) or v1_error("no such path", http_status=404)

    # Carrying out, with what goes wrong

    async def _carry_out(
        self, request: web.BaseRequest, action: Action, fault: Fault | None, keys: frozenset[str]
    ) -> tuple[web.StreamResponse, str]:
        kind = fault.kind if fault else ""
        early = _EARLY.get(kind)
        if early is not None:
            await self._latency()
            reply = early(self)
            return (hang_up(request), CLOSED) if reply is None else await self._send(request, reply)
        if kind == "slow-before":
            reply = await self._run_late(action, keys)
        else:
            reply = action.run()
        await self._latency()
        if kind == "slow":
            await self._pause(self.slow_s)
        if reply is None or kind == "close-after":
            return hang_up(request), CLOSED
        if kind == "truncate" and fault is not None:
            return await _send_cut(request, reply, fault.rng), CLOSED
        if kind == "500-after":
            reply = refusal("internal error", http_status=500)
        elif kind == "html":
            return web.Response(body=_HTML, content_type="text/html"), "200"
        elif fault is not None and kind in {"fewer", "shuffle"} and reply.jobs is not None:
            reply = Reply(jobs=_disturbed(list(reply.jobs), fault))
        return await self._send(request, reply)

    async def _run_late(self, action: Action, keys: frozenset[str]) -> Reply | None:
        """Carry out after `slow_s`, whether or not the client still waits; None when the sandbox stopped before."""

        async def later() -> Reply | None:
            await self._pause(self.slow_s)
            return None if self._stopping.is_set() else action.run()

        task = asyncio.create_task(later())
        self._late.add(task)
        task.add_done_callback(self._late.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:  # the client has gone
            self.traffic.abandon(keys)
            task.add_done_callback(lambda _: self.traffic.settle(keys))
            raise

    async def _latency(self) -> None:
        settings = self._settings
        await self._pause(settings.latency_s + settings.latency_jitter_s * self._jitter.random())

    async def _pause(self, seconds: float) -> None:
        """Wait, but not longer than until the sandbox stops."""
        if seconds > 0.0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), seconds)

    # Bytes in and out

    async def _read(self, request: web.BaseRequest) -> bytes | None:
        """The whole body; None when it is larger than allowed or broken."""
        limit = self._settings.max_body_bytes
        if limit and (request.content_length or 0) > limit:
            return None
        if request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0  # the reply itself has not begun
        try:
            return await request.read()
        except (web.HTTPRequestEntityTooLarge, web.RequestPayloadError):
            return None

    async def _send(self, request: web.BaseRequest, reply: Reply) -> tuple[web.StreamResponse, str]:
        if reply.stream is None:
            return _response(reply), str(reply.http_status)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        try:
            await response.prepare(request)
            for piece in reply.stream:
                await response.write(piece)
                await asyncio.sleep(0)  # others get their turn between the pieces
        except ConnectionError:
            return response, CLOSED
        return response, str(reply.http_status)


def hang_up(request: web.BaseRequest) -> web.StreamResponse:
    """Close the connection at once. The response returned can no longer be written; aiohttp wants one all the same."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=503)


async def _send_cut(request: web.BaseRequest, reply: Reply, rng: random.Random) -> web.StreamResponse:
    """The beginning of the reply, then the end of the connection."""
    text = reply.text()
    response = web.StreamResponse(status=reply.http_status, headers={"Content-Type": "application/json"})
    if rng.random() < 0.5:
        response.content_length = len(text)
    else:
        response.enable_chunked_encoding()
    with suppress(ConnectionError):
        await response.prepare(request)
        await response.write(text[: rng.randrange(1, len(text))])
    if request.transport is not None:
        request.transport.close()
    return response


def _response(reply: Reply) -> web.Response:
    return web.Response(
        body=reply.text(), status=reply.http_status, headers=reply.headers or None, content_type="application/json"
    )


def _refuse(path: str, message: str, http_status: int, headers: dict[str, str] | None = None) -> Reply:
    """A refusal in the form of the path's family."""
    refuse = v1_error if path.startswith("/v1/") else refusal
    return refuse(message, http_status=http_status, headers=headers)


def _key_in_body(content: Any) -> str:
    """`auth.key`, as older clients send it."""
    auth = content.get("auth") if isinstance(content, dict) else None
    key = auth.get("key") if isinstance(auth, dict) else None
    return key if isinstance(key, str) else ""


def _disturbed(jobs: list[bytes], fault: Fault) -> list[bytes]:
    """The jobs in another order, or without some of them (at least one)."""
    if fault.kind == "shuffle":
        fault.rng.shuffle(jobs)
        return jobs
    missing = set(fault.rng.sample(range(len(jobs)), max(1, len(jobs) // 10))) if jobs else set()
    return [job for i, job in enumerate(jobs) if i not in missing]


_V1_PATHS = frozenset({"/v1/jobs", "/v1/members", "/v1/auth/whoami"})

_EARLY: dict[str, Callable[[FrontDoor], Reply | None]] = {
    "429": lambda _: refusal("too many requests", http_status=429),
    "429-retry-after": lambda door: refusal(
        "too many requests", http_status=429, headers={"Retry-After": f"{door.retry_after_s:g}"}
    ),
    "500-before": lambda _: refusal("internal error", http_status=500),
    "503": lambda _: refusal("temporarily unavailable", http_status=503),
    "status": lambda _: refusal("the request could not be processed"),
    "close-before": lambda _: None,
}
"""Faults before anything was done: the reply, or None for none at all."""
