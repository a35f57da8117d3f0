"""The spool without a file, for tests, dry runs and jobs that may be lost with the process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from dispatcher.errors import SpoolError
from dispatcher.model.records import Accepted, Change, NewJob, Receipt, SpooledJob
from dispatcher.model.state import State
from dispatcher.spool.moving import check
from dispatcher.spool.room import RowLimits


@dataclass(slots=True, eq=False)
class _Row:
    """One version of a key."""

    seq: int
    account: str
    version: int
    job: NewJob
    state: State
    worker: str | None
    accepted_at: float
    updated_at: float
    next_at: float = 0.0
    autoassign: bool = False
    remote_id: str | None = None
    attempts: int = 0
    refusals: int = 0
    sent_at: float = 0.0
    settle_by: float = 0.0
    error: str = ""
    note: str = ""


class MemorySpool:
    """A `Spool` in memory; also see there. What it holds outlives `close` and another `open`, not the object.

    Args:
        max_rows: most unsettled rows of an account before `accept` raises SpoolFull, 0 for no limit.
    """

    def __init__(self, *, max_rows: int = 0) -> None:
        self._max_rows = RowLimits(max_rows)
        self._open = False
        self._next_seq = 1
        self._rows: dict[int, _Row] = {}
        self._versions: dict[tuple[str, str], list[_Row]] = {}
        self._unsettled: dict[str, dict[int, _Row]] = {}
        self._claimed: set[int] = set()
        self._counts: dict[str, dict[State, int]] = {}

    def __repr__(self) -> str:
        return f"<MemorySpool {len(self._rows)} rows, {len(self._claimed)} claimed{'' if self._open else ', closed'}>"

    async def open(self, *, now: float) -> int:
        self._open = True
        self._claimed.clear()
        sending = [row for row in self._rows.values() if row.state is State.SENDING]
        for row in sending:
            self._enter(row, State.UNKNOWN)
            row.next_at = 0.0
            row.updated_at = now
        return len(sending)

    async def close(self) -> None:
        self._open = False

    def limit_rows(self, account: str, most: int) -> None:
        self._max_rows.set(account, most)

    async def accept(self, account: str, jobs: Sequence[NewJob], *, now: float) -> list[Accepted]:
        self._check_open()
        answers: list[Accepted] = []
        fresh: dict[str, list[_Row]] = {}
        for job in jobs:
            versions = self._versions.get((account, job.key), []) + fresh.get(job.key, [])
            if versions and versions[-1].job.digest == job.digest:
                newest = versions[-1]
                answers.append(Accepted(newest.seq, newest.version, newest.state, False))
                continue
            seq = self._next_seq + sum(map(len, fresh.values()))
            version = versions[-1].version + 1 if versions else 1
            row = _Row(seq, account, version, job, State.ACCEPTED, job.worker, now, now)
            fresh.setdefault(job.key, []).append(row)
            answers.append(Accepted(seq, version, State.ACCEPTED, True))
        count = sum(map(len, fresh.values()))
        if count:
            self._max_rows.check(account, len(self._unsettled.get(account, ())) + count)
        for row in sorted((row for rows in fresh.values() for row in rows), key=lambda row: row.seq):
            self._rows[row.seq] = row
            self._versions.setdefault((account, row.job.key), []).append(row)
            self._unsettled.setdefault(account, {})[row.seq] = row
            self._tally(account)[State.ACCEPTED] += 1
        self._next_seq += count
        return answers

    async def claim(
        self, account: str, *, limit: int, now: float, states: Sequence[State] = (State.ACCEPTED, State.ASSIGNED)
    ) -> list[SpooledJob]:
        self._check_open()
        jobs: list[SpooledJob] = []
        for seq, row in sorted(self._unsettled.get(account, {}).items()):
            if len(jobs) >= limit:
                break
            if row.state in states and row.next_at <= now and seq not in self._claimed and not self._blocked(row):
                jobs.append(_spooled(row))
        self._claimed.update(job.seq for job in jobs)
        return jobs

    async def release(self, seqs: Sequence[int]) -> None:
        self._check_open()
        self._claimed.difference_update(seqs)

    async def apply(self, changes: Sequence[Change], *, now: float) -> list[int]:
        self._check_open()
        for change in changes:
            check(change)
        left = []
        for change in changes:
            for place, seq in enumerate(change.seqs):
                row = self._rows.get(seq)
                if row is None or row.state not in change.expect:
                    left.append(seq)
                else:
                    self._move(row, change, place, now)
        return left

    async def next_due(self, account: str, *, now: float) -> float | None:
        self._check_open()
        times = [
            row.next_at
            for seq, row in self._unsettled.get(account, {}).items()
            if row.next_at > now and row.state is not State.SENDING and seq not in self._claimed
        ]
        return min(times, default=None)

    async def counts(self, account: str) -> dict[State, int]:
        self._check_open()
        return dict(self._tally(account))

    async def receipt(self, account: str, key: str, *, version: int | None = None) -> Receipt | None:
        self._check_open()
        versions = self._versions.get((account, key), [])
        found = [row for row in versions if version is None or row.version == version]
        return _receipt(found[-1]) if found else None

    async def receipts(
        self,
        account: str,
        *,
        states: Sequence[State] = (),
        after_seq: int = 0,
        limit: int = 100,
        seqs: Sequence[int] | None = None,
    ) -> list[Receipt]:
        self._check_open()
        wanted = None if seqs is None else set(seqs)
        found: list[Receipt] = []
        for seq, row in self._rows.items():
            if len(found) >= limit:
                break
            chosen = seq > after_seq and row.account == account and (wanted is None or seq in wanted)
            if chosen and (not states or row.state in states):
                found.append(_receipt(row))
        return found

    async def bodies(self, account: str, seqs: Sequence[int]) -> dict[int, bytes]:
        self._check_open()
        rows = (self._rows.get(seq) for seq in seqs)
        return {row.seq: row.job.body for row in rows if row is not None and row.account == account}

    async def decided(self, account: str) -> AsyncIterator[SpooledJob]:
        self._check_open()
        for _, row in sorted(self._unsettled.get(account, {}).items()):
            if row.worker is not None and row.state in {State.ASSIGNED, State.SENDING, State.UNKNOWN}:
                yield _spooled(row)

    async def prune(self, *, before: float, limit: int = 1000, account: str | None = None) -> int:
        self._check_open()
        last = max(self._rows, default=0)
        gone: list[_Row] = []
        for row in self._rows.values():
            if len(gone) == limit:
                break
            versions = self._versions[row.account, row.job.key]
            old = all(one.state.settled and one.updated_at < before for one in versions if one.version <= row.version)
            if old and row.seq < last and account in {None, row.account}:
                gone.append(row)
        for row in gone:
            del self._rows[row.seq]
            self._versions[row.account, row.job.key].remove(row)
            self._tally(row.account)[row.state] -= 1
        return len(gone)

    def _check_open(self) -> None:
        if not self._open:
            raise SpoolError("the spool is not open")

    def _tally(self, account: str) -> dict[State, int]:
        return self._counts.setdefault(account, dict.fromkeys(State, 0))

    def _blocked(self, row: _Row) -> bool:
        """True while an older version of the key is unsettled."""
        versions = self._versions[row.account, row.job.key]
        return any(older.version < row.version and not older.state.settled for older in versions)

    def _enter(self, row: _Row, state: State) -> None:
        tally = self._tally(row.account)
        tally[row.state] -= 1
        tally[state] += 1
        row.state = state
        unsettled = self._unsettled.setdefault(row.account, {})
        if state.settled:
            unsettled.pop(row.seq, None)
        else:
            unsettled[row.seq] = row
        self._claimed.discard(row.seq)

    def _move(self, row: _Row, change: Change, place: int, now: float) -> None:
        self._enter(row, change.to)
        row.updated_at = now
        row.next_at = max(0.0, change.next_at)
        row.attempts += change.add_attempts
        row.refusals += change.add_refusals
        if change.workers is not None:
            row.worker = change.workers[place]
        if change.notes is not None and (note := change.notes[place]) is not None:
            row.note = note
        if change.remote_ids is not None and (remote_id := change.remote_ids[place]) is not None:
            row.remote_id = remote_id
        if change.autoassign is not None:
            row.autoassign = change.autoassign
        if change.sent_at is not None:
            row.sent_at = change.sent_at
        if change.settle_by is not None:
            row.settle_by = change.settle_by
        if change.error is not None:
            row.error = change.error


def _spooled(row: _Row) -> SpooledJob:
    job = row.job
    return SpooledJob(
        seq=row.seq,
        key=job.key,
        version=row.version,
        body=job.body,
        switches=job.switches,
        day=job.day,
        priority=job.priority,
        state=row.state,
        worker=row.worker,
        preassigned=job.worker is not None,
        autoassign=row.autoassign,
        attempts=row.attempts,
        sent_at=row.sent_at,
        settle_by=row.settle_by,
        refusals=row.refusals,
    )


def _receipt(row: _Row) -> Receipt:
    return Receipt(
        account=row.account,
        key=row.job.key,
        version=row.version,
        seq=row.seq,
        state=row.state,
        worker=row.worker,
        preassigned=row.job.worker is not None,
        autoassign=row.autoassign,
        day=row.job.day,
        priority=row.job.priority,
        remote_id=row.remote_id,
        attempts=row.attempts,
        refusals=row.refusals,
        sent_at=row.sent_at,
        settle_by=row.settle_by,
        switches=row.job.switches,
        next_at=row.next_at,
        error=row.error,
        note=row.note,
        accepted_at=row.accepted_at,
        updated_at=row.updated_at,
    )
