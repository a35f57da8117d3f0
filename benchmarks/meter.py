"""What a piece of work takes of a database server and of a daemon: transactions, log, CPU time, memory."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Reading:
    """Counters at one moment.

    Attributes:
        transactions, wal_bytes: of the database so far.
        db_cpu_s: of all processes of the server, those that have ended too.
        daemon_cpu_s: of the daemon.
    """

    transactions: float
    wal_bytes: float
    db_cpu_s: float
    daemon_cpu_s: float

    def since(self, other: Reading) -> Reading:
        return Reading(*(getattr(self, name) - getattr(other, name) for name in self.__slots__))

    def per(self, count: float) -> dict[str, float]:
        """As costs of one of so many."""
        return {
            "transactions": self.transactions / count,
            "wal_bytes": self.wal_bytes / count,
            "db_cpu_ms": self.db_cpu_s * 1000 / count,
            "daemon_cpu_ms": self.daemon_cpu_s * 1000 / count,
        }


class Watch:
    """Reads the counters of a database and a daemon.

    Args:
        dsn: of the database.
        pid: of the daemon.
    """

    def __init__(self, dsn: str, pid: int) -> None:
        self._dsn = dsn
        self._pid = pid

    def read(self) -> Reading:
        transactions, wal, postmaster = asyncio.run(_asked(self._dsn))
        return Reading(transactions, wal, server_cpu_s(postmaster), cpu_s(self._pid))


async def _asked(dsn: str) -> tuple[float, float, int]:
    """Transactions, bytes of log, process number of the server."""
    asyncpg: Any = importlib.import_module("asyncpg")
    connection = await asyncpg.connect(dsn)
    try:
        row = await connection.fetchrow(
            "SELECT xact_commit + xact_rollback, pg_current_wal_insert_lsn() - '0/0'::pg_lsn, pg_backend_pid() "
            "FROM pg_stat_database WHERE datname = current_database()"
        )
        return float(row[0]), float(row[1]), parent(int(row[2]))
    finally:
        await connection.close()


def _stat(pid: int | str) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()


def parent(pid: int) -> int:
    return int(_stat(pid)[1])


def cpu_s(pid: int | str, *, gone: bool = False) -> float:
    """User and system time of a process; `gone`: with that of its children that have ended."""
    times = _stat(pid)[11:15]
    return sum(map(int, times if gone else times[:2])) * TICK_S


def server_cpu_s(postmaster: int) -> float:
    spent = cpu_s(postmaster, gone=True)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # it has ended meanwhile
                if parent(int(entry.name)) == postmaster:
                    spent += cpu_s(entry.name)
    return spent


def memory_bytes(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
