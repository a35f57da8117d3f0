"""Taking rows and giving them back, over a connection of its own, so that nobody waits for a commit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from dispatcher.errors import SpoolError
from dispatcher.model.records import SpooledJob
from dispatcher.model.state import State
from dispatcher.spool.encoding import CODE
from dispatcher.spool.postgres.hand import KEPT_S, Hand
from dispatcher.spool.postgres.link import DatabaseAway, Link
from dispatcher.spool.postgres.node import Node
from dispatcher.spool.postgres.reading import as_job, codes
from dispatcher.spool.postgres.statements import SQL

if TYPE_CHECKING:
    from dispatcher.spool.postgres.link import Connection


_SENDING = CODE[State.SENDING]


class Claimer:
    """The claims of this process.

    A claim is written: the row names this node. Whoever lost it finds out by the next write, so a claim is held in
    memory by the number of the node that made it, and is worth nothing once that node has ended. Rows that this node
    has just written wait in its hand (see there) and are handed out with those that the database has, oldest first.

    Args:
        link: for this claimer alone.
        node: this process.
        hand: what it holds; added to, and taken from.
        sweep: gives back what names this node in the database and is not in hand, between two writes.
    """

    __slots__ = ("_doubt", "_hand", "_link", "_node", "_owed", "_sweep", "_under_way")

    def __init__(self, link: Link, node: Node, *, hand: Hand, sweep: Callable[[], Awaitable[object]]) -> None:
        self._link = link
        self._node = node
        self._hand = hand
        self._sweep = sweep
        self._owed: dict[int, list[int]] = {}
        self._doubt = False
        self._under_way: set[asyncio.Task[list[SpooledJob]]] = set()

    async def claim(self, account: int, *, limit: int, now: float, states: Sequence[State]) -> list[SpooledJob]:
        """Take due rows. A caller that is cancelled meanwhile gets none: what was taken for it is given back."""
        gone = asyncio.Event()
        task = asyncio.create_task(self._claim(account, limit, now, states, gone))
        self._under_way.add(task)
        task.add_done_callback(self._finished)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            gone.set()
            if task.done() and not task.cancelled() and task.exception() is None:
                await asyncio.shield(self.release([job.seq for job in task.result()]))
            raise

    def _finished(self, task: asyncio.Task[list[SpooledJob]]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # its caller may have gone

    async def _claim(
        self, account: int, limit: int, now: float, states: Sequence[State], gone: asyncio.Event
    ) -> list[SpooledJob]:
        wanted = codes(states)
        async with self._link.use() as connection:
            await self._settle(connection)
            node = self._node.id
            self._doubt = True
            rows = await connection.fetch(SQL["claim"], node, account, wanted, now, limit)
            self._doubt = False
            found = [as_job(row) for row in rows]
            if gone.is_set():
                self._owed.setdefault(node, []).extend(job.seq for job in found)
                await self._settle(connection)
                return []
            clock = time.monotonic()
            self._hand.claimed(node, account, found, now=clock)
            return self._hand.take(account, wanted, limit=limit, more=len(found) >= limit, now=clock)

    def in_hand(self, account: int, *, limit: int, states: Sequence[State]) -> list[SpooledJob]:
        """Take rows of which the database need not be asked, because it has none that are due."""
        return self._hand.take(account, codes(states), limit=limit, more=False, now=time.monotonic())

    async def release(self, seqs: Sequence[int]) -> None:
        """Give claimed rows back; those that are not claimed are passed over, and so is what is being sent.

        While the database is away they are owed: they are given back before the next claim.
        """
        for seq in seqs:
            hold = self._hand.get(seq)
            if hold is not None and hold.code != _SENDING:
                self._hand.drop(seq)
                self._owed.setdefault(hold.node, []).append(seq)
        await self._pay()

    async def tidy(self) -> None:
        """Give back, again and again until cancelled, what nobody here has asked for in time."""
        while True:
            await asyncio.sleep(KEPT_S / 2)
            for node, seqs in self._hand.left(now=time.monotonic()).items():
                self._owed.setdefault(node, []).extend(seqs)
            with suppress(SpoolError):
                await self._pay()

    async def _pay(self) -> None:
        if self._owed:
            with suppress(DatabaseAway):
                async with self._link.use() as connection:
                    await self._settle(connection)

    async def _settle(self, connection: Connection) -> None:
        """Give back what is owed, and what a claim has taken whose answer never came."""
        while self._owed:
            node, seqs = self._owed.popitem()
            try:
                await connection.execute(SQL["release"], node, seqs)
            except BaseException:
                self._owed.setdefault(node, []).extend(seqs)
                raise
        if self._doubt:
            await self._sweep()
            self._doubt = False

    async def finish(self) -> None:
        """Wait for the claims under way."""
        if self._under_way:
            await asyncio.gather(*self._under_way, return_exceptions=True)
