"""The spools under test, and a way to crash them."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import pytest

from dispatcher.model.records import Change, NewJob
from dispatcher.model.state import State
from dispatcher.spool import MemorySpool, Spool, SqliteSpool
from dispatcher.spool.postgres import PostgresSpool
from tests import pgbouncer, postgres

ADAPTERS = (
    "memory",
    "sqlite",
    pytest.param("postgres", marks=pytest.mark.skipif(bool(postgres.MISSING), reason=postgres.MISSING)),
)
POOLED = pytest.param("pgbouncer", marks=pytest.mark.skipif(bool(pgbouncer.MISSING), reason=pgbouncer.MISSING))
"""PostgreSQL behind PgBouncer in transaction mode."""


class World(Protocol):
    """One store and the spool that has it open."""

    @property
    def spool(self) -> Spool:
        """The spool as it is open now."""
        ...

    async def crash(self, *, now: float) -> int:
        """Lose the process at this moment and open the store anew; returns what `open` says."""
        ...


class MemoryWorld:
    """Nothing survives a process here, so a crash is an `open` without a `close` before it."""

    def __init__(self, *, max_rows: int = 0) -> None:
        self.spool = MemorySpool(max_rows=max_rows)

    async def crash(self, *, now: float) -> int:
        return await self.spool.open(now=now)


class SqliteWorld:
    """A crash leaves the file, its log and nothing else: they are copied as they stand, and the copy is opened."""

    def __init__(self, folder: Path, *, max_rows: int = 0) -> None:
        self._folder = folder
        self._lives = 0
        self._max_rows = max_rows
        self.spool = SqliteSpool(folder / "0.db", max_rows=max_rows)

    async def crash(self, *, now: float) -> int:
        old = self._folder / f"{self._lives}.db"
        self._lives += 1
        new = self._folder / f"{self._lives}.db"
        for suffix in ("", "-wal"):
            file = old.with_name(old.name + suffix)
            if file.exists():
                shutil.copy(file, new.with_name(new.name + suffix))
        await self.spool.close()
        self.spool = SqliteSpool(new, max_rows=self._max_rows)
        return await self.spool.open(now=now)


class PostgresWorld:
    """A crash cuts the connections and leaves node and claims behind; the next process has the same name."""

    def __init__(self, *, max_rows: int = 0, pooled: bool = False) -> None:
        dsn = postgres.borrow()
        self._dsn = pgbouncer.through(dsn) if pooled else dsn
        self._max_rows = max_rows
        self.spool = self._new()

    def _new(self) -> PostgresSpool:
        return PostgresSpool(self._dsn, node="world", max_rows=self._max_rows)

    async def crash(self, *, now: float) -> int:
        self.spool.abandon()
        self.spool = self._new()
        return await self.spool.open(now=now)


def make_world(adapter: str, folder: Path, *, max_rows: int = 0) -> MemoryWorld | SqliteWorld | PostgresWorld:
    """A world with a spool of this kind, not opened. Databases are to be given back (`tests.postgres.give_back`)."""
    if adapter == "memory":
        return MemoryWorld(max_rows=max_rows)
    if adapter == "sqlite":
        return SqliteWorld(folder, max_rows=max_rows)
    return PostgresWorld(max_rows=max_rows, pooled=adapter == "pgbouncer")


def job(key: str, content: str = "a", *, worker: str | None = None, switches: int = 0) -> NewJob:
    """A job whose digest follows its content."""
    body = f'{{"uidSecondary":"{key}","destinationName":"{content}"}}'.encode()
    digest = content.encode().ljust(16, b"\0")[:16]
    return NewJob(key=key, body=body, digest=digest, switches=switches, worker=worker, day=20261123, priority=7)


def jobs(keys: Iterable[str]) -> list[NewJob]:
    return [job(key) for key in keys]


PATHS: dict[State, tuple[State, ...]] = {
    State.ACCEPTED: (),
    State.ASSIGNED: (State.ASSIGNED,),
    State.SENDING: (State.ASSIGNED, State.SENDING),
    State.UNKNOWN: (State.ASSIGNED, State.SENDING, State.UNKNOWN),
    State.HELD: (State.HELD,),
    State.CONFIRMED: (State.ASSIGNED, State.SENDING, State.CONFIRMED),
    State.REJECTED: (State.ASSIGNED, State.SENDING, State.REJECTED),
    State.DEAD: (State.DEAD,),
}
"""How a fresh row gets to each state."""


def path(seqs: list[int], to: State) -> list[Change]:
    """The changes that bring fresh rows to a state."""
    steps = (State.ACCEPTED, *PATHS[to])
    return [Change(seqs=seqs, to=after, expect=(before,)) for before, after in pairwise(steps)]
