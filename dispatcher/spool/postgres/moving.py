"""Moving rows from state to state, inside a transaction of the writer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dispatcher.model.records import Change, SpooledJob
from dispatcher.model.state import State
from dispatcher.spool.encoding import CODE
from dispatcher.spool.postgres.group import Group
from dispatcher.spool.postgres.statements import SQL
from dispatcher.spool.postgres.storing import plain

if TYPE_CHECKING:
    from dispatcher.spool.postgres.link import Connection


class Unexpected(Exception):  # noqa: N818 - what was found, not an error of the caller
    """A row was not as this node knew it: the transaction must be undone and written with more care."""


class Moves:
    """The changes of a transaction, in order. Those of rows that the node has in hand are written in one statement.

    Args:
        connection: inside the transaction.
        group: counted on. It has a change as soon as that is given here.
    """

    def __init__(self, connection: Connection, group: Group) -> None:
        self._connection = connection
        self._group = group
        self._rows: dict[int, int] = {}
        self._changes: list[tuple[object, ...]] = []
        self._workers: list[str | None] = []
        self._remote_ids: list[str | None] = []
        self._notes: list[str | None] = []

    async def add(self, change: Change, now: float) -> list[int]:
        """One more checked change; returns the rows that are left alone.

        Raises:
            Unexpected: a row that this node has in hand is not as it knew it.
        """
        place = self._group.place(change.seqs, [CODE[state] for state in change.expect])
        if place is None:
            await self.write()
            return await _move(self._connection, self._group, change, now)
        if not self._rows.keys().isdisjoint(change.seqs):
            await self.write()
        self._gather(change, now, account=place[0], code=place[1])
        return []

    async def write(self) -> None:
        """Write what was gathered.

        Raises:
            Unexpected: see `add`.
        """
        if not self._rows:
            return
        columns = (self._workers, self._remote_ids, self._notes)
        status = await self._connection.execute(
            SQL["move_held"],
            *map(list, zip(*self._changes, strict=True)),
            self._group.node,
            list(self._rows),
            list(self._rows.values()),
            *(column if any(column) else [] for column in columns),
        )
        if status != f"UPDATE {len(self._rows)}":
            raise Unexpected
        self._rows.clear()
        self._changes.clear()
        for column in columns:
            column.clear()

    def _gather(self, change: Change, now: float, *, account: int, code: int) -> None:
        """Rows that this node has in hand, in one state. Those of its next stage stay there."""
        group, seqs, to = self._group, change.seqs, CODE[change.to]
        jobs: list[SpooledJob] = []
        if change.to is State.ASSIGNED and change.next_at <= 0 and group.room(account, to) > 0:
            holds = [group.hold(seq) for seq in seqs]
            jobs = [_after(hold.job, change, index) for index, hold in enumerate(holds) if hold and hold.job]
        keep = len(jobs) == len(seqs)
        owner = group.node if keep or change.to is State.SENDING else 0
        self._changes.append((*_scalars(change, now, owner=owner), code, change.workers is not None))
        self._rows.update(dict.fromkeys(seqs, len(self._changes)))
        self._workers += _column(change.workers, len(seqs))
        self._remote_ids += _column(change.remote_ids, len(seqs))
        self._notes += _column(change.notes, len(seqs))
        group.moved(account, code, to, seqs)
        if keep:
            group.wait(account, to, jobs)


async def _move(connection: Connection, group: Group, change: Change, now: float) -> list[int]:
    """Write one change of any rows; returns those that were left alone."""
    seqs = list(change.seqs)
    to = CODE[change.to]
    holds = [group.hold(seq) for seq in seqs]
    claimed_as = [hold.node if hold else 0 for hold in holds]
    moved: set[int] = set()
    for account, code, rows in await connection.fetch(
        SQL["move"],
        *_scalars(change, now, owner=group.node if change.to is State.SENDING else 0),
        [CODE[state] for state in change.expect],
        seqs,
        claimed_as,
        group.node,
        change.workers is not None,
        _column(change.workers, len(seqs)),
        _column(change.remote_ids, len(seqs)),
        _column(change.notes, len(seqs)),
    ):
        group.moved(account, code, to, rows)
        moved.update(rows)
    if len(moved) == len(seqs):
        return []
    left = [seq for seq in seqs if seq not in moved]
    held = [seq for seq in left if group.hold(seq)]
    if held:  # a claim that another has ended, or that was an earlier life's, is forgotten once it has been refused
        still = {row[0] for row in await connection.fetch(SQL["still_held"], group.node, held)}
        group.holds.update((seq, None) for seq in held if seq not in still)
    return left


def _after(job: SpooledJob, change: Change, index: int) -> SpooledJob:
    """A job as a claim would bring it after a change to `assigned`."""
    worker = job.worker if change.workers is None else _plain(change.workers[index])
    return SpooledJob(
        *(job.seq, job.key, job.version, job.body, job.switches, job.day, job.priority, change.to),
        *(worker, job.preassigned, job.autoassign if change.autoassign is None else change.autoassign),
        job.attempts + change.add_attempts,
        job.sent_at if change.sent_at is None else change.sent_at,
        job.settle_by if change.settle_by is None else change.settle_by,
        job.refusals + change.add_refusals,
    )


def _scalars(change: Change, now: float, *, owner: int) -> tuple[object, ...]:
    """The first ten values of the statements that move rows."""
    return (
        *(CODE[change.to], now, max(0.0, change.next_at), owner, change.add_attempts, change.add_refusals),
        *(change.autoassign, change.sent_at, change.settle_by, None if change.error is None else plain(change.error)),
    )


def _column(values: Sequence[str | None] | None, rows: int) -> list[str | None]:
    """A column of values, none where it is not written."""
    return [None] * rows if values is None else [_plain(value) for value in values]


def _plain(value: str | None) -> str | None:
    return None if value is None else plain(value)
