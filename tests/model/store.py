"""The spools under test, each with a way to die: what was committed is there afterwards, nothing else is."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Protocol

from dispatcher.spool import MemorySpool, Spool, SqliteSpool
from dispatcher.spool.postgres import PostgresSpool
from tests import postgres


class Store(Protocol):
    """A spool and its end."""

    spool: Spool

    async def crash(self, *, now: float) -> int:
        """Die and open anew; how many rows were being sent."""
        ...

    async def close(self) -> None:
        """Give everything back."""
        ...


class MemoryStore:
    """What it holds outlives `close` and another `open`; that is the nearest it comes to a crash."""

    def __init__(self) -> None:
        self.spool: Spool = MemorySpool()

    async def crash(self, *, now: float) -> int:
        await self.spool.close()
        return await self.spool.open(now=now)

    async def close(self) -> None:
        await self.spool.close()


class SqliteStore:
    """A crash leaves the file and its log as they are on disk; copies of them are opened, the old ones forgotten."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="spool-model-"))
        self._life = 0
        self.spool: Spool = SqliteSpool(self._path)

    @property
    def _path(self) -> Path:
        return self._folder / f"life-{self._life}.db"

    async def crash(self, *, now: float) -> int:
        dead, before = self.spool, self._path
        self._life += 1
        for part in ("", "-wal"):
            source = before.with_name(before.name + part)
            if source.exists():
                shutil.copyfile(source, self._path.with_name(self._path.name + part))
        await dead.close()
        before.unlink()
        self.spool = SqliteSpool(self._path)
        return await self.spool.open(now=now)

    async def close(self) -> None:
        await self.spool.close()
        shutil.rmtree(self._folder)


class PostgresStore:
    """A crash cuts the connections; the node, its lease and its claims stay, and the next life has the same name."""

    def __init__(self) -> None:
        self._dsn = postgres.borrow()
        self._living = PostgresSpool(self._dsn, node="model")
        self.spool: Spool = self._living

    async def crash(self, *, now: float) -> int:
        self._living.abandon()
        self._living = PostgresSpool(self._dsn, node="model")
        self.spool = self._living
        return await self._living.open(now=now)

    async def close(self) -> None:
        await self._living.close()
        postgres.give_back()
