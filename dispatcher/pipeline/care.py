"""What a person does to single jobs: taking back, changing, replaying. In whichever process owns the spool."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dispatcher.errors import TooLate
from dispatcher.model.records import Change, NewJob, Receipt
from dispatcher.pipeline.by_hand import FAILED, UNSENT, edited, replay, withdraw
from dispatcher.pipeline.clock import Clock
from dispatcher.spool import Spool

ROWS_PER_WRITE = 1000
"""rows of one replay that share a transaction: those who deliver meanwhile do not wait long for it"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """What became of a wish to take a job back.

    Attributes:
        withdrawn: versions that will not be sent.
        left: versions that may be at the server, or may get there.
    """

    withdrawn: list[Receipt]
    left: list[Receipt]


class Care:
    """The jobs of one account.

    Args:
        account: its name.
        spool: open.
        clock: source of time.
        write: writes changes and returns the rows left alone; None: straight to the spool.
        accepted: called when a new version is in the spool.
        free: called with the keys and days of decided jobs that were taken back: their places in the day routes are
            free.
    """

    def __init__(
        self,
        account: str,
        spool: Spool,
        clock: Clock,
        *,
        write: Callable[[Sequence[Change]], Awaitable[Collection[int]]] | None = None,
        accepted: Callable[[], None] | None = None,
        free: Callable[[list[str], Collection[int]], Awaitable[None]] | None = None,
    ) -> None:
        self._account = account
        self._spool = spool
        self._clock = clock
        self._write = write or self._apply
        self._accepted = accepted
        self._free = free

    async def versions(self, key: str) -> list[Receipt]:
        """Every version of a key that is still known, oldest first; none: the key is not known."""
        newest = await self._spool.receipt(self._account, key)
        found = [newest] if newest else []
        while found and found[-1].version > 1:
            older = await self._spool.receipt(self._account, key, version=found[-1].version - 1)
            if older is None:
                break  # pruned, and those before it with it
            found.append(older)
        return found[::-1]

    async def delete(self, key: str) -> Withdrawal:
        """Take back every version of a key that was not sent."""
        unsent = withdrawal(await self.versions(key)).withdrawn
        gone: Collection[int] = ()
        if unsent:
            gone = await self._write([withdraw(unsent, words="deleted before it was sent")])
        taken = {row.seq for row in unsent if row.seq not in gone}
        if self._free and any(row.worker for row in unsent if row.seq in taken):
            await self._free([key], {row.day for row in unsent})
        rows = await self.versions(key)
        return Withdrawal(
            withdrawn=[row for row in rows if row.seq in taken],
            left=[row for row in withdrawal(rows).left if row.seq not in taken],
        )

    async def edit(self, key: str, fields: Mapping[str, Any], *, dead: bool = False) -> Receipt | None:
        """Replace the newest version of a key by one with other values.

        Args:
            key: the job's `uidSecondary`.
            fields: value by field name; None takes the field out.
            dead: change a dead letter instead of a job that waits.

        Returns:
            The new version; the old one when nothing is different; None when the key is not known.

        Raises:
            TooLate: the newest version is not in a state that can be edited.
            InvalidJobs: the job would not be good.
            SpoolFull: no room for another version.
        """
        versions = await self.versions(key)
        if not versions:
            return None
        row = versions[-1]
        body = (await self._spool.bodies(self._account, [row.seq]))[row.seq]
        job = editable(row, body, fields, dead=dead)
        # The new version is there before the old one goes: whatever happens in between, one of them is sent last.
        (stored,) = await self._spool.accept(self._account, [job], now=self._clock.now())
        if stored.fresh and not dead:
            await self._write([withdraw([row], words=f"replaced by version {stored.version} before it was sent")])
        if stored.fresh and self._accepted:
            self._accepted()
        return await self._spool.receipt(self._account, key)

    async def replay(self, rows: Sequence[Receipt]) -> list[Receipt]:
        """Send rejected or dead jobs once more, as they are; returns those that begin anew.

        A row that is neither, or not the newest version of its key, is left alone.
        """
        begun: list[Receipt] = []
        for first in range(0, len(rows), ROWS_PER_WRITE):
            part = [row for row in rows[first : first + ROWS_PER_WRITE] if await self._may_replay(row)]
            left = await self._write(replay(part)) if part else ()
            begun += [row for row in part if row.seq not in left]
        return begun

    async def _may_replay(self, row: Receipt) -> bool:
        newest = await self._spool.receipt(self._account, row.key)
        return newest is not None and newest.seq == row.seq and newest.state in FAILED

    async def _apply(self, changes: Sequence[Change]) -> Collection[int]:
        return await self._spool.apply(changes, now=self._clock.now())


def withdrawal(rows: Sequence[Receipt]) -> Withdrawal:
    """What taking back the job would do to these versions of it, as they are now."""
    return Withdrawal(
        withdrawn=[row for row in rows if row.state in UNSENT],
        left=[row for row in rows if row.state not in (*UNSENT, *FAILED)],
    )


def editable(row: Receipt, body: bytes, fields: Mapping[str, Any], *, dead: bool) -> NewJob:
    """The new version of a job that may be edited.

    Raises:
        TooLate: it may not.
        InvalidJobs: it would not be good.
    """
    if row.state in (FAILED if dead else UNSENT):
        return edited(row, body, fields)
    if dead:
        raise TooLate(f"{row.key} is {row.state}, not rejected or dead")
    hint = "`dispatcher dead edit` changes it" if row.state in FAILED else "submit it anew: that makes a newer version"
    raise TooLate(f"{row.key} is {row.state}: it cannot be changed before it is sent any more; {hint}")
