"""Daemons with two accounts, each at a sandbox of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp

from dispatcher.settings import Configuration, Settings

KEYS = {"acme": "ACME.1", "beta": "BETA.1"}


def configuration(
    tmp_path: Path, accounts: Mapping[str, Mapping[str, Any]], *, tables: bool = True, **process: Any
) -> Configuration:
    """Accounts with the settings that differ; each has the key of `KEYS` at Hellotracks."""
    common = {"listen": "127.0.0.1:0", "spool": str(tmp_path / "spool.db"), "policy": "none"} | process
    return Configuration(
        tables=tables,
        process=Settings(**common),
        accounts={
            name: Settings(**({**common, "account": name, "api_key": KEYS.get(name, name), **own}))
            for name, own in accounts.items()
        },
    )


def job(key: str, **fields: Any) -> dict[str, Any]:
    return {"uidSecondary": key, "destinationLat": 45.07, "destinationLng": 7.69} | fields


class Client:
    """One account's client.

    Args:
        http: what it speaks over.
        url: of the daemon.
        key: presented as `API-Key`; empty: none.
    """

    def __init__(self, http: aiohttp.ClientSession, url: str, key: str) -> None:
        self._http = http
        self._url = url
        self._headers = {"API-Key": key} if key else {}

    async def create(self, *jobs: Mapping[str, Any], prefer: str = "", query: str = "") -> tuple[int, Any]:
        headers = self._headers | ({"Prefer": prefer} if prefer else {})
        return await self.ask("POST", f"/api/createjobs{query}", json={"data": {"jobs": jobs}}, headers=headers)

    async def get(self, path: str) -> tuple[int, Any]:
        return await self.ask("GET", path, headers=self._headers)

    async def ask(self, method: str, path: str, **more: Any) -> tuple[int, Any]:
        more.setdefault("headers", self._headers)
        async with self._http.request(method, self._url + path, **more) as reply:
            return reply.status, await reply.json()
