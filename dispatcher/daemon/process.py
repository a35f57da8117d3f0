"""What belongs to no account: clients' connections, the spool's file and disk, the event loop."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import msgspec

from dispatcher.daemon.connections import Connections
from dispatcher.daemon.lag import LoopLag
from dispatcher.daemon.nodes import Nodes
from dispatcher.model.histogram import Histogram
from dispatcher.settings import Settings
from dispatcher.spool import Spool, SqliteSpool
from dispatcher.spool.roster import NodeState, Roster


class ProcessSample(msgspec.Struct, frozen=True, kw_only=True):
    """The process at one moment.

    Attributes:
        connections: open ones of clients.
        lag: how late the event loop came round, in seconds.
        commits: seconds that the spool's commits took, None for a spool in memory.
        spool_bytes: size of the spool's file and of the log beside it; empty for one without a file.
        free_bytes: left on the spool's disk, None for a spool without a file.
        min_free_bytes: below that new jobs are refused.
        nodes: processes on the spool by state, None for a spool that is not shared, or when it cannot be asked.
        lease_runs: whether this process holds its lease for certain, None for a spool that is not shared.
        failures: groups of writes that the spool's database was away for, None likewise.
    """

    connections: int
    lag: Histogram
    commits: Histogram | None
    spool_bytes: dict[str, int]
    free_bytes: int | None
    min_free_bytes: int
    nodes: dict[NodeState, int] | None = None
    lease_runs: bool | None = None
    failures: int | None = None


class Process:
    """Looks at the process.

    Args:
        settings: where the spool is.
        spool: the one that all accounts share.
        connections: counted.
        lag: of the event loop.
        nodes: those on the same spool.
    """

    def __init__(
        self, settings: Settings, *, spool: Spool, connections: Connections, lag: LoopLag, nodes: Nodes
    ) -> None:
        self._file = Path(settings.spool).absolute() if isinstance(spool, SqliteSpool) else None
        self._commits: Histogram | None = getattr(spool, "commits", None)
        self._min_free_bytes = settings.spool_min_free_bytes
        self._connections = connections
        self._lag = lag
        self._nodes = nodes

    async def away(self) -> str:
        """Why the database that the accounts are on cannot be asked, "" when it can, or there is none."""
        return (await self._nodes.look()).problem

    async def sample(self) -> ProcessSample:
        """How it is right now."""
        file = self._file
        shared = self._nodes.shared
        seen = await self._nodes.look()
        sizes = {} if file is None else {"data": _size(file), "log": _size(file.with_name(file.name + "-wal"))}
        return ProcessSample(
            connections=self._connections.count,
            lag=self._lag.seconds,
            commits=self._commits,
            spool_bytes=sizes,
            free_bytes=None if file is None else shutil.disk_usage(file.parent).free,
            min_free_bytes=self._min_free_bytes,
            nodes=None if shared is None or seen.problem else _by_state(seen.roster),
            lease_runs=None if shared is None else shared.lease_runs,
            failures=None if shared is None else shared.failures,
        )


def _by_state(roster: Roster) -> dict[NodeState, int]:
    tally = Counter(node.state for node in roster.nodes)
    return {state: tally[state] for state in NodeState}


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
