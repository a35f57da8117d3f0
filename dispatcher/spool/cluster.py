"""Beside the port: a spool on which several processes work, one of which leads each account.

The leader of an account decides who gets its jobs; everybody accepts and sends. A process is a *node*; it leads for as
long as it lives, and the next leader begins a new term. Hints tell the other nodes that something may be there to do.
Nothing depends on them: they may be lost, late or doubled.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from dispatcher.spool.lent import LentSpool
from dispatcher.spool.port import Spool


class About(StrEnum):
    """What a hint is about."""

    ACCEPTED = "accepted"
    """there are jobs to decide"""
    DECIDED = "decided"
    """there are jobs to send"""
    SETTLED = "settled"
    """jobs are through"""
    REREAD = "reread"
    """something happened that the leader's day routes do not show"""
    LEADER = "leader"
    """a leader has gone"""


@dataclass(frozen=True, slots=True)
class Hint:
    """A word from one node to the others.

    Attributes:
        account: whose.
        about: what.
        days: with `REREAD`: YYYYMMDD; none: any day.
    """

    account: str
    about: About
    days: tuple[int, ...] = ()


class Cluster(Protocol):
    """What a node knows of leaders, and how it hears of the others and tells them."""

    @property
    def peers(self) -> int:
        """How many other nodes there are, as last heard."""
        ...

    def stand(self, account: str, *, at_once: bool) -> None:
        """From now on this node leads the account when nobody does. Never waits.

        Args:
            account: its name.
            at_once: take it now when nobody leads; otherwise when it is this node's turn.
        """
        ...

    async def withdraw(self, account: str) -> None:
        """Lead the account no longer, and stand for it no longer; another node takes it over at once."""
        ...

    def term(self, account: str) -> int:
        """Which of the account's terms this node leads; 0: it does not.

        A term that ends here ended before anybody else could begin the next; but this process may hear of it late. So
        nothing may go by it that the spool does not check when it is written; see `leads`.
        """
        ...

    def leads(self, account: str) -> bool:
        """Whether this node leads for certain at this moment, whatever this process has not heard of yet.

        By its own clock: the lease runs, so nobody can have taken over.
        """
        ...

    def leader(self, account: str) -> str:
        """Name of the node that leads the account, as last heard; "" when nobody does."""
        ...

    def watch(self, watcher: Callable[[str], None]) -> Callable[[], None]:
        """Call `watcher(account)` when this node has begun or ceased to lead; the returned function ends it."""
        ...

    def tell(self, hint: Hint) -> None:
        """Give the other nodes a hint. Never waits; the same hint several times within a moment goes out once."""
        ...

    def hear(self, hearer: Callable[[Hint], None]) -> Callable[[], None]:
        """Call `hearer(hint)` for the hints of other nodes; the returned function ends it."""
        ...

    async def through(self, account: str, seqs: Collection[int]) -> list[int]:
        """Which of these rows are settled or held, whoever wrote that."""
        ...


@runtime_checkable
class Clustered(Protocol):
    """A spool with a cluster."""

    @property
    def cluster(self) -> Cluster:
        """See there."""
        ...


def cluster_of(spool: Spool) -> Cluster | None:
    """The cluster of a spool that several processes may share, be it lent or not; None for one that has one owner."""
    store = spool.store if isinstance(spool, LentSpool) else spool
    return store.cluster if isinstance(store, Clustered) else None
