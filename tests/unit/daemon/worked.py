"""A daemon that has done some work, to look at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from dispatcher.daemon import Daemon
from dispatcher.sandbox import Sandbox, SandboxSettings
from dispatcher.settings import load_settings


@asynccontextmanager
async def worked(folder: Path, *, jobs: int = 30, **overrides: Any) -> AsyncIterator[tuple[Daemon, str]]:
    """A daemon that has delivered jobs to a sandbox, and its metrics then."""
    async with Sandbox(SandboxSettings(fleet_size=20)) as sandbox:
        settings = load_settings(
            environ={},
            overrides={
                "base_url": sandbox.url,
                "api_key": "k",
                "spool": str(folder / "spool.db"),
                "listen": "127.0.0.1:0",
                "max_batch_jobs": 10,
            }
            | overrides,
        )
        async with Daemon(settings) as daemon, aiohttp.ClientSession() as client:
            place = {"destinationName": "x", "destinationLat": 45.07, "destinationLng": 7.69}
            body = {"data": {"jobs": [place | {"uidSecondary": f"K{n}"} for n in range(jobs)]}}
            async with client.post(f"{daemon.url}/api/createjobs", json=body) as reply:
                assert reply.status == 200
            async with client.get(f"{daemon.url}/metrics") as reply:
                yield daemon, await reply.text()
