"""What belongs to no account: clients' connections, the spool's file and disk, the event loop."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from dispatcher.daemon.connections import Connections
from dispatcher.daemon.lag import LoopLag
from dispatcher.model.histogram import Histogram
from dispatcher.settings import Settings
from dispatcher.spool import Spool, SqliteSpool


class ProcessSample(msgspec.Struct, frozen=True, kw_only=True):
    """The process at one moment.

    Attributes:
        connections: open ones of clients.
        lag: how late the event loop came round, in seconds.
        commits: seconds that the spool's commits took, None for a spool in memory.
        spool_bytes: size of the spool's file and of the log beside it; empty for one without a file.
        free_bytes: left on the spool's disk, None for a spool without a file.
        min_free_bytes: below that new jobs are refused.
    """

    connections: int
    lag: Histogram
    commits: Histogram | None
    spool_bytes: dict[str, int]
    free_bytes: int | None
    min_free_bytes: int


class Process:
    """Looks at the process.

    Args:
        settings: where the spool is.
        spool: the one that all accounts share.
        connections: counted.
        lag: of the event loop.
    """

    def __init__(self, settings: Settings, *, spool: Spool, connections: Connections, lag: LoopLag) -> None:
        self._file = Path(settings.spool).absolute() if isinstance(spool, SqliteSpool) else None
        self._commits: Histogram | None = getattr(spool, "commits", None)
        self._min_free_bytes = settings.spool_min_free_bytes
        self._connections = connections
        self._lag = lag

    def sample(self) -> ProcessSample:
        """How it is right now."""
        file = self._file
        sizes = {} if file is None else {"data": _size(file), "log": _size(file.with_name(file.name + "-wal"))}
        return ProcessSample(
            connections=self._connections.count,
            lag=self._lag.seconds,
            commits=self._commits,
            spool_bytes=sizes,
            free_bytes=None if file is None else shutil.disk_usage(file.parent).free,
            min_free_bytes=self._min_free_bytes,
        )


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
