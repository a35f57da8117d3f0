"""The processes that share a spool: who works on it, what each tells of itself, and which of them assigns for whom.

A node is alive while it is heard of, and silent when its last word is older than two of its beats. It has left when it
went in order, and was ended when its lease had run out or another took its name. One whose lease has run out is silent
until somebody ends it, and no longer counted among the living.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

from dispatcher.spool.lent import LentSpool
from dispatcher.spool.port import Spool

SILENT_SHARE = 0.4
"""Of a lease: two beats, of which there are five in a lease."""
REMEMBERED_S = 600.0
"""How long those are shown that went and have not come back under their name."""
STANDING = "stands"
"""Under this name a node's report lists the accounts for which it would assign."""


class NodeState(StrEnum):
    """What is known of a node."""

    ALIVE = "alive"
    SILENT = "silent"
    LEFT = "left"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """A process on a shared spool.

    Attributes:
        id: fencing number, 0 for the owner of a file.
        name: as the setting `node` says, or a made-up one.
        host, pid: where it runs.
        program: what it is, and its version; "" for one that does not say.
        address: where it listens, "" when it does not.
        knows_version: the schema version that its program knows.
        up_s: seconds since it joined; for one that has gone, how long it was there.
        lease_s: how long its lease is.
        left_s: seconds until its lease runs out, None when there is no lease any more.
        gone_s: seconds since it went, None for one that is there.
        in_order: it said that it goes.
        report: what it tells of itself, as of its last beat.
    """

    id: int
    name: str
    host: str
    pid: int
    program: str
    address: str
    knows_version: int
    up_s: float
    lease_s: float
    left_s: float | None
    gone_s: float | None
    in_order: bool
    report: dict[str, Any]

    @property
    def state(self) -> NodeState:
        """Whether it is there, and if not, how it went."""
        if self.gone_s is not None:
            return NodeState.LEFT if self.in_order else NodeState.ENDED
        if self.left_s is not None and self.left_s < self.lease_s * (1 - SILENT_SHARE):
            return NodeState.SILENT
        return NodeState.ALIVE

    @property
    def living(self) -> bool:
        """Its lease runs."""
        return self.gone_s is None and (self.left_s is None or self.left_s > 0)

    @property
    def since_s(self) -> float | None:
        """Seconds since it was last heard of; None when it is there and heard of."""
        if self.gone_s is not None:
            return self.gone_s
        if self.left_s is None or self.state is NodeState.ALIVE:
            return None
        return self.lease_s - self.left_s


@dataclass(frozen=True, slots=True)
class LeaderRecord:
    """Who assigns for an account.

    Attributes:
        account: its name.
        node: number of the node; it leads for as long as it lives.
        term: counts the leaders of the account.
        since_s: seconds since it began to lead.
    """

    account: str
    node: int
    term: int
    since_s: float


@dataclass(frozen=True)
class Roster:
    """All nodes and leaders at one moment.

    Attributes:
        nodes: by name; those that went lately are among them.
        leaders: by account, also of nodes that have gone.
    """

    nodes: Sequence[NodeRecord] = ()
    leaders: Sequence[LeaderRecord] = ()

    @cached_property
    def living(self) -> list[NodeRecord]:
        """Those whose lease runs."""
        return [node for node in self.nodes if node.living]

    @cached_property
    def led(self) -> dict[str, tuple[LeaderRecord, NodeRecord]]:
        """Who assigns for each account that somebody living assigns for."""
        there = {node.id: node for node in self.living}
        return {one.account: (one, there[one.node]) for one in self.leaders if one.node in there}

    @cached_property
    def leads(self) -> dict[int, list[LeaderRecord]]:
        """By node's number: which accounts it assigns for."""
        found: dict[int, list[LeaderRecord]] = {}
        for one, node in self.led.values():
            found.setdefault(node.id, []).append(one)
        return found

    @cached_property
    def leaderless(self) -> list[str]:
        """Accounts for which a living node would assign, and none does."""
        stood = {str(account) for node in self.living for account in node.report.get(STANDING, ())}
        return sorted(stood - self.led.keys())

    def node(self, number: int) -> NodeRecord | None:
        """A node by its number."""
        return next((node for node in self.nodes if node.id == number), None)


@runtime_checkable
class Shared(Protocol):
    """A spool on which several processes work, each a node."""

    @property
    def node_id(self) -> int:
        """Fencing number of this process, 0 before the spool was opened."""
        ...

    @property
    def lease_runs(self) -> bool:
        """Whether the lease of this process runs for certain."""
        ...

    @property
    def failures(self) -> int:
        """Groups of writes that did not come to pass because the database was away."""
        ...

    def introduce(self, *, program: str, address: str, report: Callable[[], str]) -> None:
        """What the others are told of this process from now on.

        Args:
            program: its name and version.
            address: where it listens.
            report: asked at every beat for a small JSON object.
        """
        ...

    async def roster(self) -> Roster:
        """Who works on the spool.

        Raises:
            DatabaseAway: it cannot be asked.
        """
        ...


def shared_of(spool: Spool) -> Shared | None:
    """The spool as others share it, be it lent or not; None when it is this process's alone."""
    store = spool.store if isinstance(spool, LentSpool) else spool
    return store if isinstance(store, Shared) else None
