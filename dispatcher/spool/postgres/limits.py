"""The limits of the accounts, kept in one row each and shared by all nodes; see "Across daemons" in docs/flow.md."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from typing import Any

from dispatcher.errors import SpoolError
from dispatcher.model.event import Event
from dispatcher.model.slots import Permit, SlotAnswer, SlotAsk
from dispatcher.spool.postgres.link import Address, Link
from dispatcher.spool.postgres.node import Node
from dispatcher.spool.postgres.statements import SQL

_log = logging.getLogger("dispatcher.spool")

ANSWER_S = 3.0
"""An answer that takes longer does not come any more; the connection is given up."""
CONTACTS_PER_LEASE = 10
QUIET_SHARE = 0.4
"""Of a lease: four contacts that were missed."""
SETTLE_S = 1.75
"""More than a slot may lie ahead (0.2 s), be used late (0.75 s) and its request be late on its way (0.75 s)."""


class PostgresLimits:
    """The `SharedLimits` of a database, over a connection of its own.

    Args:
        address: where to.
        node: this process, whose number it goes by.

    Attributes:
        link: to the database.
        permit: what may be sent while the database is away; None while that is nothing.
    """

    def __init__(self, address: Address, node: Node) -> None:
        self.link = Link(address)
        self.permit: Permit | None = None
        self._node = node
        self._heard = 0.0
        self._keeping: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<PostgresLimits {self.link!r}>"

    async def ask(self, account: str, question: SlotAsk) -> SlotAnswer:
        """Take slots, and tell what there is to tell. One statement, committed by itself.

        Raises:
            SpoolError: no answer. What was told may have been heard, and slots may have been given.
        """
        longest_s = max((window.window_s for window in question.windows), default=0.0)
        if self._keeping is None and longest_s and self._quiet_s + longest_s + SETTLE_S < self._node.lease_s:
            self._keeping = asyncio.create_task(self._keep_in_contact(), name="spool contact")
        async with self.link.use() as connection:
            (row,) = await connection.fetch(SQL["take_slots"], *values(account, question), timeout=ANSWER_S)
        return SlotAnswer(
            clock=row["clock"],
            first=row["first"],
            slots=tuple(row["slots"]),
            given=row["given"],
            wait_s=row["wait_s"],
            blocked_s=row["blocked_s"],
            round_trip_s=row["round_trip_s"],
            reserved=row["reserved"],
        )

    @property
    def _quiet_s(self) -> float:
        return QUIET_SHARE * self._node.lease_s

    async def _keep_in_contact(self) -> None:
        """Have a share promised, again and again, for the time when that will no longer be possible."""
        while True:
            try:
                await self._contact()
            except SpoolError as error:
                _log.info(Event("the database was not told that this node is there", error=str(error)))
            await asyncio.sleep(self._node.lease_s / CONTACTS_PER_LEASE)

    async def _contact(self) -> None:
        lease_s, quiet_s = self._node.lease_s, self._quiet_s
        async with self.link.use() as connection:
            asked_at = time.monotonic()
            (row,) = await connection.fetch(
                SQL["contact"], self._node.id, lease_s, quiet_s, SETTLE_S, self._heard, timeout=ANSWER_S
            )
        self._heard = row["told"]
        self.permit = Permit(
            asked_at=asked_at,
            heard_at=time.monotonic(),
            share=row["may_use"],
            quiet_s=quiet_s,
            settle_s=SETTLE_S,
            lease_s=lease_s,
        )

    async def close(self) -> None:
        """Say that nothing is sent from here any more."""
        if await self._end_keeping():
            with suppress(SpoolError):  # then the share is left free until the lease has run out
                async with self.link.use() as connection:
                    await connection.execute(SQL["end_contact"], self._node.id, timeout=ANSWER_S)
        await self.link.close()

    async def _end_keeping(self) -> bool:
        task, self._keeping = self._keeping, None
        self.permit = None
        if task is None:
            return False
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return True

    def cut(self) -> None:
        """Die without a word, for tests."""
        if self._keeping is not None:
            self._keeping.cancel()
        self.link.cut()


def values(account: str, question: SlotAsk) -> tuple[Any, ...]:
    """A question as `take_slots` takes it."""
    windows, late = question.windows, question.late
    return (
        account,
        [window.window_s for window in windows],
        [window.count for window in windows],
        [window.interval_s for window in windows],
        [window.burst_s for window in windows],
        *(question.want, question.lead_s, question.ahead_s),
        [one.window + 1 for one in late],
        [one.number for one in late],
        [one.until_s for one in late],
        *(question.blocked_s, question.round_trip_s),
    )
