"""Taking rows and giving them back, over a connection of its own, so that nobody waits for a commit."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from dispatcher.model.records import SpooledJob
from dispatcher.model.state import State
from dispatcher.spool.postgres.link import DatabaseAway, Link
from dispatcher.spool.postgres.node import Node
from dispatcher.spool.postgres.reading import as_job, codes
from dispatcher.spool.postgres.statements import SQL

if TYPE_CHECKING:
    from dispatcher.spool.postgres.link import Connection


class Claimer:
    """The claims of this process.

    A claim is written: the row names this node. Whoever lost it finds out by the next write, so a claim is held in
    memory by the number of the node that made it, and is worth nothing once that node has ended.

    Args:
        link: for this claimer alone.
        node: this process.
        held: row → node as which it was claimed; added to, and taken from.
    """

    __slots__ = ("_doubt", "_held", "_link", "_node", "_owed", "_under_way")

    def __init__(self, link: Link, node: Node, *, held: dict[int, int]) -> None:
        self._link = link
        self._node = node
        self._held = held
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
        async with self._link.use() as connection:
            await self._settle(connection)
            node = self._node.id
            self._doubt = True
            rows = await connection.fetch(SQL["claim"], node, account, codes(states), now, limit)
            self._doubt = False
            jobs = [as_job(row) for row in rows]
            seqs = [job.seq for job in jobs]
            if gone.is_set():
                self._owed.setdefault(node, []).extend(seqs)
                await self._settle(connection)
                return []
            self._held.update(dict.fromkeys(seqs, node))
            return jobs

    async def release(self, seqs: Sequence[int]) -> None:
        """Give claimed rows back; those that are not claimed are passed over.

        While the database is away they are owed: they are given back before the next claim.
        """
        for seq in seqs:
            node = self._held.pop(seq, 0)
            if node:
                self._owed.setdefault(node, []).append(seq)
        if self._owed:
            with suppress(DatabaseAway):
                async with self._link.use() as connection:
                    await self._settle(connection)

    async def _settle(self, connection: Connection) -> None:
        """Give back what is owed, and what a claim has taken whose answer never came."""
        while self._owed:
            node, seqs = next(iter(self._owed.items()))
            await connection.execute(SQL["release"], node, seqs)
            del self._owed[node]
        if self._doubt:
            await connection.execute(SQL["release_others"], self._node.id, list(self._held))
            self._doubt = False

    async def finish(self) -> None:
        """Wait for the claims under way."""
        if self._under_way:
            await asyncio.gather(*self._under_way, return_exceptions=True)
