"""A database for each test, and nodes on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from dispatcher.spool.postgres import PostgresSpool

Opened = Callable[..., Awaitable[PostgresSpool]]


@pytest.fixture
async def node(dsn: str) -> AsyncIterator[Opened]:
    """Opens a spool under a name; all are closed at the end."""
    spools: list[PostgresSpool] = []

    async def opened(name: str = "", *, url: str = "", now: float = 0.0, **options: Any) -> PostgresSpool:
        spool = PostgresSpool(url or dsn, node=name, **options)
        await spool.open(now=now)
        spools.append(spool)
        return spool

    yield opened
    for spool in spools:
        await spool.close()
