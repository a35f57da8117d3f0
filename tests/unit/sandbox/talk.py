"""How these tests talk to a sandbox: over loopback, with aiohttp's own client."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from dispatcher.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: HTTP status, decoded JSON, headers."""

    status: int
    json: Any
    headers: dict[str, str]


class Talk:
    """A sandbox that runs, and a client session beside it."""

    def __init__(self, sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
        self.sandbox = sandbox
        self.session = session

    async def post(self, path: str, body: Any, *, key: str = "key", **options: Any) -> Answer:
        """POST the body as JSON; bytes go out as they are."""
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        headers = {"API-Key": key} if key else {}
        data = io.BytesIO(raw) if len(raw) > 1_000_000 else raw  # aiohttp warns of long plain bytes
        async with self.session.post(self.sandbox.url + path, data=data, headers=headers, **options) as response:
            return Answer(response.status, orjson.loads(await response.read()), dict(response.headers))

    async def call(self, action: str, /, **data: Any) -> Any:
        """A call of `/api` that is expected to succeed; the reply's JSON."""
        answer = await self.post(f"/api/{action}", {"data": data})
        assert (answer.status, answer.json["status"]) == (200, 0), answer
        return answer.json

    async def create(self, *jobs: dict[str, Any], **switches: Any) -> list[dict[str, Any]]:
        """A createjobs call that is expected to succeed; the created objects."""
        created: list[dict[str, Any]] = (await self.call("createjobs", jobs=list(jobs), **switches))["jobs"]
        return created

    async def get(self, path: str, *, key: str = "key", **query: Any) -> Answer:
        async with self.session.get(self.sandbox.url + path, params=query, headers={"API-Key": key}) as response:
            return Answer(response.status, orjson.loads(await response.read()), dict(response.headers))


Open = Callable[..., Coroutine[Any, Any, Talk]]
"""Starts a sandbox with these settings; it is stopped at the end of the test."""


async def raw_exchange(talk: Talk, request: bytes) -> bytes:
    """Send these very bytes; everything that comes back until the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", talk.sandbox.port)
    try:
        writer.write(request)
        await writer.drain()
        return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


async def until(condition: Callable[[], bool], *, seconds: float = 5.0) -> None:
    """Wait for something that happens soon.

    Raises:
        TimeoutError: it did not.
    """
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for happens inside the server
            await asyncio.sleep(0.005)


def job(key: str, **fields: Any) -> dict[str, Any]:
    """A job in Vienna."""
    return {
        "uidSecondary": key,
        "destinationName": f"Job {key}",
        "destinationLat": 48.2,
        "destinationLng": 16.37,
        "day": 20261130,
        **fields,
    }


def member(uid: str, lat: float, lng: float, **fields: Any) -> dict[str, Any]:
    """A worker at a place."""
    return {
        "id": uid,
        "uid": uid,
        "username": f"{uid}@acme.example",
        "name": uid.capitalize(),
        "email": f"{uid}@acme.example",
        "role": "worker",
        "teams": [1],
        "location": {"lat": lat, "lng": lng, "ts": 1_795_000_000_000},
        **fields,
    }
