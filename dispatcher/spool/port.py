"""The spool's port: a durable queue of jobs with one row per version of a key.

Three adapters stand beside it (`memory.py`, `sqlite.py`, `postgres/`); one suite in `tests/conformance` holds for all.
A method that changes something returns only after the change is durable. All times are Unix seconds and come in as
arguments.

Rules every adapter keeps:

1. `accept`: same account and key, same digest as the *newest* version: no new row, `fresh=False`, that row's state.
   Another digest: a new row with the next version. A key that stands twice in one call is handled in order, by the same
   rule.
2. A version is claimable only when every older version of its key is settled.
3. A claimed row is not handed out again until `apply` moved it, `release` gave it back, or the spool was opened anew;
   where several processes share a spool, until the lease of the one that claimed it has run out. What that one writes
   later is left alone.
4. `apply` is one transaction over all its changes; a row whose state is not expected is skipped and reported.
5. Many callers' `accept` and `apply` calls share one commit (group commit); each call returns after the commit that
   holds it.
6. A failed write (full disk) leaves everything as it was before the call and raises `SpoolFull` from `accept`; `apply`
   raises `SpoolError`.
7. The row limit counts each account for itself: one that is full leaves the others their room.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from dispatcher.model.records import Accepted, Change, NewJob, Receipt, SpooledJob
from dispatcher.model.state import State


class Spool(Protocol):
    """A durable queue of jobs, all accounts in one store."""

    async def open(self, *, now: float) -> int:
        """Open the store, take its lock and turn every `sending` row into `unknown` (due at once).

        Returns how many there were. An `unknown` row made so keeps its `settle_by`, which was written with the attempt.

        Raises:
            SpoolUnusable: not a spool, damaged, newer schema, or locked by another process. The file is left alone.
        """
        ...

    async def close(self) -> None:
        """Finish what was begun and give everything back. Idempotent."""
        ...

    def limit_rows(self, account: str, most: int) -> None:
        """From now on this account may have `most` unsettled rows, 0 for no limit, whatever holds for others.

        Nothing is taken away from an account that has more. Holds as long as the object lives; open or not.
        """
        ...

    async def accept(self, account: str, jobs: Sequence[NewJob], *, now: float) -> list[Accepted]:
        """Store jobs durably; one answer per job, in order.

        Raises:
            SpoolFull: no room (row limit, free-disk floor or the disk itself). Nothing of this call was stored.
        """
        ...

    async def claim(
        self, account: str, *, limit: int, now: float, states: Sequence[State] = (State.ACCEPTED, State.ASSIGNED)
    ) -> list[SpooledJob]:
        """Take up to `limit` due rows (`next_at <= now`) in one of `states`, oldest `seq` first, none blocked."""
        ...

    async def release(self, seqs: Sequence[int]) -> None:
        """Give claimed rows back unchanged."""
        ...

    async def apply(self, changes: Sequence[Change], *, now: float) -> list[int]:
        """Write the changes in order in one transaction.

        Returns the seqs that were left alone (unexpected state or gone).

        Raises:
            ValueError: a change names a move that `MOVES` does not have, a row twice, or a list of another length.
        """
        ...

    async def next_due(self, account: str, *, now: float) -> float | None:
        """The earliest `next_at` later than `now` among unclaimed accepted, assigned, held and unknown rows.

        None: nothing waits.
        """
        ...

    async def counts(self, account: str) -> dict[State, int]:
        """Rows per state, every state present. Kept as counters, so it is cheap; rebuilt from the store on open."""
        ...

    async def receipt(self, account: str, key: str, *, version: int | None = None) -> Receipt | None:
        """One job by its key, the newest version unless another is named."""
        ...

    async def receipts(
        self,
        account: str,
        *,
        states: Sequence[State] = (),
        after_seq: int = 0,
        limit: int = 100,
        seqs: Sequence[int] | None = None,
    ) -> list[Receipt]:
        """Rows in order of `seq`, filtered by state and by row number (`seqs`), a page at a time."""
        ...

    async def bodies(self, account: str, seqs: Sequence[int]) -> dict[int, bytes]:
        """The stored job bodies of these rows; unknown rows are left out."""
        ...

    def decided(self, account: str) -> AsyncIterator[SpooledJob]:
        """Every unsettled row that has a member (assigned, sending, unknown), in order of `seq`.

        What the engine must put back into the day routes after a restart. Streams; claims nothing.
        """
        ...

    async def prune(self, *, before: float, limit: int = 1000, account: str | None = None) -> int:
        """Delete up to `limit` settled rows without a change since `before` (Unix time), of one account or of all.

        Returns how many; 0: there are no more. Their keys are forgotten with them: the same job accepted again is a new
        one. The last row of all stays, and a version stays while an older one of its key does.
        """
        ...


@dataclass(frozen=True, slots=True)
class Collected:
    """What was taken up from an outbox.

    Attributes:
        accepted: jobs that are new.
        known: jobs that were there already with the same content.
        rejected: jobs that were bad.
    """

    accepted: int = 0
    known: int = 0
    rejected: int = 0

    @property
    def jobs(self) -> int:
        """All of them."""
        return self.accepted + self.known + self.rejected


@runtime_checkable
class Outbox(Protocol):
    """A spool into which others write jobs without this process, in transactions of their own."""

    async def collect(self, account: str, *, now: float, limit: int = 1000) -> Collected:
        """Take in what was enqueued for an account, up to `limit` jobs. Bad ones become `rejected` and say why.

        Raises:
            SpoolFull: no room; what was enqueued waits.
        """
        ...

    def watch(self, watcher: Callable[[str], None]) -> Callable[[], None]:
        """Call `watcher(account)` when something may have been enqueued; the returned function ends it. Only a hint."""
        ...
