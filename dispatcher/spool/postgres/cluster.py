"""This node among the others: its beat, the accounts it leads, and what it hears.

What is known of leaders is from the last beat. It is kept with the number of the node that beat, and is worth nothing
once this process has another number.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from dispatcher.errors import SpoolError
from dispatcher.model.event import Event
from dispatcher.spool.cluster import About, Hint
from dispatcher.spool.postgres import leading
from dispatcher.spool.postgres.group import Group
from dispatcher.spool.postgres.hints import Hints
from dispatcher.spool.postgres.leading import Found, Lead
from dispatcher.spool.postgres.node import BEATS_PER_LEASE, Node
from dispatcher.spool.postgres.statements import SQL

if TYPE_CHECKING:
    from dispatcher.spool.postgres.link import Connection

_log = logging.getLogger("dispatcher.spool")

JUST_AFTER_S = 0.01
"""A node whose lease runs out is looked at so much later."""
PATIENCE_SHARE = 0.5
"""Of a lease: an account without a leader is anybody's when the node whose turn it is has not come for so long."""

Write = Callable[[Callable[["Connection", Group], Awaitable[Any]]], Awaitable[Any]]
"""Runs some work in a transaction of this node, behind its fence, and returns what it gives after the commit."""
Through = Callable[[str, Collection[int]], Awaitable[list[int]]]


class PostgresCluster:
    """See `Cluster`.

    Args:
        node: this process.
        hints: of its own.
        write: see `Write`.
        through: asks the database, see `Cluster.through`.
        clock: Unix time in seconds.
    """

    def __init__(self, node: Node, hints: Hints, *, write: Write, through: Through, clock: Callable[[], float]) -> None:
        self._peers = 0
        self._left_s = math.inf
        self._node = node
        self._hints = hints
        self._write = write
        self._through = through
        self._clock = clock
        self._standing: set[str] = set()
        self._at_once: set[str] = set()
        self._leads: dict[str, tuple[int, Lead]] = {}
        self._leading: dict[str, int] = {}
        self._owed: set[str] = set()
        self._watchers: list[Callable[[str], None]] = []
        self._wanted = asyncio.Event()
        self._steady_since: float | None = None
        hints.hear(self._heard)

    def __repr__(self) -> str:
        return f"<PostgresCluster {self._node.name} leads {sorted(self._leading)}, {self._peers} peers>"

    @property
    def peers(self) -> int:
        return self._peers

    @property
    def alone(self) -> bool:
        """Whether there was no other node at the last beat."""
        return self._steady_since is not None and not self._peers

    # -- leading ------------------------------------------------------------------------------------------------------

    def stand(self, account: str, *, at_once: bool) -> None:
        self._standing.add(account)
        if at_once:
            self._at_once.add(account)
        self._wanted.set()

    async def withdraw(self, account: str) -> None:
        if account not in self._standing:
            return
        self._standing.discard(account)
        self._at_once.discard(account)
        self._leads.pop(account, None)
        self._leading.pop(account, None)
        self._owed.add(account)
        with suppress(SpoolError):  # then at the next beat
            await self._write(self._resign)
            self._owed.discard(account)
        self.left()

    def term(self, account: str) -> int:
        lead = self._lead(account)
        return lead.term if lead is not None and lead.node == self._node.id else 0

    def leads(self, account: str) -> bool:
        return self._node.lives and self.term(account) > 0

    def leader(self, account: str) -> str:
        _, lead = self._leads.get(account, (0, None))
        return lead.name if lead is not None else ""

    def watch(self, watcher: Callable[[str], None]) -> Callable[[], None]:
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    def _lead(self, account: str) -> Lead | None:
        """As this very node has seen it."""
        number, lead = self._leads.get(account, (0, None))
        return lead if number == self._node.id else None

    async def _resign(self, connection: Connection, group: Group) -> None:
        await leading.resign(connection, group.node, self._standing)

    # -- the beat -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Renew the lease again and again, end nodes whose lease has run out, and take over what nobody leads."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._rest_s()):
                    await self._wanted.wait()
            self._wanted.clear()
            await self._beat()

    def _rest_s(self) -> float:
        """Until the next beat: sooner when the lease of a node runs out before."""
        beat_s = self._node.lease_s / BEATS_PER_LEASE
        return min(beat_s, self._left_s + JUST_AFTER_S) if self._left_s > 0 else beat_s

    async def _beat(self) -> None:
        began = time.monotonic()
        at_once, owed = frozenset(self._at_once), frozenset(self._owed)
        try:
            unknown, found = await self._write(partial(self._look, at_once=at_once, steady=self._steady(began)))
        except SpoolError as error:
            self._steady_since, self._left_s = None, math.inf
            _log.warning(Event("lease not renewed", node=self._node.name, error=str(error)))
            return
        self._steady_since = began if self._steady_since is None else self._steady_since
        if unknown:
            _log.warning(Event("another node ended", unknown=unknown))
        self._at_once -= at_once
        self._owed -= owed
        self._learn(found)

    def _steady(self, now: float) -> bool:
        return self._steady_since is not None and now - self._steady_since > self._node.lease_s

    async def _look(
        self, connection: Connection, group: Group, *, at_once: Collection[str], steady: bool
    ) -> tuple[int, Found]:
        unknown = await self._node.look(connection, group, now=self._clock(), steady=steady)
        if self._owed:
            await self._resign(connection, group)
        patience_s = self._node.lease_s * PATIENCE_SHARE
        standing = frozenset(self._standing)
        found = await leading.look(connection, group.node, standing, at_once=at_once, patience_s=patience_s)
        if found.left_s < 0 and steady:
            await connection.execute(SQL["cut_stuck"])
        return unknown, found

    def _learn(self, found: Found) -> None:
        """Make the memory agree with what was committed."""
        self._peers = found.peers
        self._left_s = found.left_s
        gone = False
        for account, lead in found.leads.items():
            if account in self._standing:
                gone = gone or (not lead.name and (account not in self._leads or bool(self.leader(account))))
                self._leads[account] = found.node, lead
        if gone:  # it is another's turn, who may not have seen it yet
            self.left()
        terms = {account: term for account in self._standing if (term := self.term(account))}
        before, self._leading = self._leading, terms
        for account in sorted(before.keys() | terms.keys()):
            if before.get(account) != terms.get(account):
                self._say(account, before.get(account, 0), terms.get(account, 0))

    def _say(self, account: str, before: int, now: int) -> None:
        _log.info(
            Event("leads" if now else "leads no longer", account=account, node=self._node.name, term=now or before)
        )
        for watcher in tuple(self._watchers):
            watcher(account)

    # -- the others ---------------------------------------------------------------------------------------------------

    def tell(self, hint: Hint) -> None:
        if self._peers:
            self._hints.tell(hint)

    def left(self) -> None:
        """An account has no leader any more: whoever hears of it looks."""
        self._hints.tell(Hint("", About.LEADER))

    def hear(self, hearer: Callable[[Hint], None]) -> Callable[[], None]:
        return self._hints.hear(hearer)

    def _heard(self, hint: Hint) -> None:
        if hint.about is About.LEADER:
            self._wanted.set()

    async def through(self, account: str, seqs: Collection[int]) -> list[int]:
        return await self._through(account, seqs)
