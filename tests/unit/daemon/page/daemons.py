"""A daemon in this process with its page, and somebody who asks it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from dispatcher.daemon import Daemon
from dispatcher.daemon.page.entry import OWN_HEADER
from dispatcher.sandbox import Sandbox, SandboxSettings
from dispatcher.settings import Settings

OWN = {OWN_HEADER: "1"}
SAFE_DAY = 20310106


def member(name: str, lat: float, **fields: Any) -> dict[str, Any]:
    person = {"uid": name, "username": f"{name}@acme.example", "role": "worker", "timezone": "UTC"}
    return person | {"location": {"lat": lat, "lng": 7.69, "ts": 0}} | fields


def job(key: str, **fields: Any) -> dict[str, Any]:
    return {"uidSecondary": key, "destinationLat": 45.07, "destinationLng": 7.69, "day": SAFE_DAY} | fields


class Visitor:
    """Somebody at the page of a daemon."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self.http = http
        self.url = url

    async def ask(
        self, method: str, path: str, content: Any = None, *, headers: dict[str, str] | None = None
    ) -> tuple[int, Any, aiohttp.ClientResponse]:
        """Status, document and reply."""
        body = None if content is None else orjson.dumps(content)
        async with self.http.request(method, f"{self.url}{path}", data=body, headers=headers or {}) as reply:
            text = await reply.read()
            return reply.status, orjson.loads(text) if text[:1] in (b"{", b"[") else text, reply

    async def read(self, path: str) -> Any:
        """The document there."""
        status, document, _ = await self.ask("GET", path)
        assert status == 200, document
        return document

    async def create(self, *jobs: dict[str, Any], prefer: str = "") -> Any:
        """Send jobs as a client does."""
        headers = {"Prefer": prefer} if prefer else {}
        _, document, _ = await self.ask("POST", "/api/createjobs", {"data": {"jobs": jobs}}, headers=headers)
        return document

    async def until(self, path: str, text: str) -> Any:
        """Ask until the text is there."""
        async with asyncio.timeout(20):
            while True:
                _, document, _ = await self.ask("GET", path)
                if text.encode() in orjson.dumps(document):
                    return document
                await asyncio.sleep(0.05)


def settings(folder: Path, url: str, **more: Any) -> Settings:
    plain = {"listen": "127.0.0.1:0", "spool": str(folder / "spool.db"), "policy": "none", "api_key": "key"}
    return Settings(**({**plain, "base_url": url} | more))


@asynccontextmanager
async def visited(
    folder: Path, *, members: list[dict[str, Any]] | None = None, **more: Any
) -> AsyncIterator[tuple[Visitor, Daemon, Sandbox]]:
    """A daemon before a sandbox with these members."""
    async with (
        Sandbox(SandboxSettings(members=members or [])) as sandbox,
        Daemon(settings(folder, sandbox.url, **more)) as daemon,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http,
    ):
        yield Visitor(http, daemon.url), daemon, sandbox
