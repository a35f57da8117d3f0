"""Taking rows and giving them back, over a connection of its own, so that nobody waits for a commit."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dispatcher.model.records import SpooledJob
from dispatcher.model.state import State
from dispatcher.spool.postgres.link import Link
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

    __slots__ = ("_held", "_link", "_node", "_under_way")

    def __init__(self, link: Link, node: Node, *, held: dict[int, int]) -> None:
        self._link = link
        self._node = node
        self._held = held
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
            node = self._node.id
            rows = await connection.fetch(SQL["claim"], node, account, codes(states), now, limit)
            jobs = [as_job(row) for row in rows]
            if gone.is_set():
                await _give_back(connection, node, [job.seq for job in jobs])
                return []
            self._held.update((job.seq, node) for job in jobs)
            return jobs

    async def release(self, seqs: Sequence[int]) -> None:
        """Give claimed rows back; those that are not claimed are passed over."""
        mine: dict[int, list[int]] = {}
        for seq in seqs:
            node = self._held.pop(seq, 0)
            if node:
                mine.setdefault(node, []).append(seq)
        if mine:
            async with self._link.use() as connection:
                for node, rows in mine.items():
                    await _give_back(connection, node, rows)

    async def finish(self) -> None:
        """Wait for the claims under way."""
        if self._under_way:
            await asyncio.gather(*self._under_way, return_exceptions=True)


async def _give_back(connection: Connection, node: int, seqs: list[int]) -> None:
    if seqs:
        await connection.execute(SQL["release"], node, seqs)
