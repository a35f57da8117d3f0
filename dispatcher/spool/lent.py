"""An open spool lent to one account, so that several accounts share one store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

from dispatcher.errors import SpoolError
from dispatcher.model.records import Accepted, Change, NewJob, Receipt, SpooledJob
from dispatcher.model.state import State
from dispatcher.spool.port import Spool


class LentSpool:
    """A `Spool` that is opened and closed by its owner, and borrowed for one account at a time by one at a time.

    Args:
        spool: open for as long as it is lent.
        account: whose jobs `open` sees to.
    """

    __slots__ = ("_account", "_now", "_sending", "_spool")

    def __init__(self, spool: Spool, *, account: str) -> None:
        self._spool = spool
        self._account = account
        self._now = 0.0
        self._sending: set[int] = set()

    def __repr__(self) -> str:
        return f"<LentSpool {self._account} of {self._spool!r}>"

    @property
    def store(self) -> Spool:
        """What is lent."""
        return self._spool

    async def open(self, *, now: float) -> int:
        """The account's jobs whose outcome is open."""
        self._now = now
        return (await self._spool.counts(self._account))[State.UNKNOWN]

    async def close(self) -> None:
        """What was left `sending` becomes `unknown`, as at the next opening of the store: who borrows next looks it up.

        A store that cannot write now has it done at its next opening.
        """
        left, self._sending = sorted(self._sending), set()
        if left:
            with suppress(SpoolError):
                await self._spool.apply([Change(seqs=left, to=State.UNKNOWN, expect=(State.SENDING,))], now=self._now)

    def limit_rows(self, account: str, most: int) -> None:
        self._spool.limit_rows(account, most)

    async def accept(self, account: str, jobs: Sequence[NewJob], *, now: float) -> list[Accepted]:
        return await self._spool.accept(account, jobs, now=now)

    async def claim(
        self, account: str, *, limit: int, now: float, states: Sequence[State] = (State.ACCEPTED, State.ASSIGNED)
    ) -> list[SpooledJob]:
        return await self._spool.claim(account, limit=limit, now=now, states=states)

    async def release(self, seqs: Sequence[int]) -> None:
        await self._spool.release(seqs)

    async def apply(self, changes: Sequence[Change], *, now: float) -> list[int]:
        self._now = now
        for change in changes:
            if change.to is State.SENDING:  # before it is written: whoever is cancelled meanwhile may have written it
                self._sending.update(change.seqs)
        skipped = await self._spool.apply(changes, now=now)
        for change in changes:
            if change.to is State.SENDING:
                self._sending.update(change.seqs)
            else:
                self._sending.difference_update(change.seqs)
        return skipped

    async def next_due(self, account: str, *, now: float) -> float | None:
        return await self._spool.next_due(account, now=now)

    async def counts(self, account: str) -> dict[State, int]:
        return await self._spool.counts(account)

    async def receipt(self, account: str, key: str, *, version: int | None = None) -> Receipt | None:
        return await self._spool.receipt(account, key, version=version)

    async def receipts(
        self,
        account: str,
        *,
        states: Sequence[State] = (),
        after_seq: int = 0,
        limit: int = 100,
        seqs: Sequence[int] | None = None,
    ) -> list[Receipt]:
        return await self._spool.receipts(account, states=states, after_seq=after_seq, limit=limit, seqs=seqs)

    async def bodies(self, account: str, seqs: Sequence[int]) -> dict[int, bytes]:
        return await self._spool.bodies(account, seqs)

    def decided(self, account: str) -> AsyncIterator[SpooledJob]:
        return self._spool.decided(account)

    async def prune(self, *, before: float, limit: int = 1000, account: str | None = None) -> int:
        return await self._spool.prune(before=before, limit=limit, account=account)
