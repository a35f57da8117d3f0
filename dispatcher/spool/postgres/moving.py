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


async def move(connection: Connection, group: Group, change: Change, now: float) -> list[int]:
    """Write one checked change; returns the rows that were left alone.

    Raises:
        Unexpected: a row that this node holds is not as it knew it.
    """
    seqs = list(change.seqs)
    place = group.place(seqs, [CODE[state] for state in change.expect])
    if place is not None:
        await _move_held(connection, group, change, now, account=place[0], code=place[1])
        return []
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
    left = [(seq, node) for seq, node in zip(seqs, claimed_as, strict=True) if seq not in moved]
    # A claim of an earlier life of this process is forgotten once it has been refused.
    group.holds.update((seq, None) for seq, node in left if node not in {0, group.node})
    return [seq for seq, _ in left]


async def _move_held(
    connection: Connection, group: Group, change: Change, now: float, *, account: int, code: int
) -> None:
    """Write a change of rows that this node holds in one state. The next stage's rows stay in its hand."""
    seqs, to = list(change.seqs), CODE[change.to]
    jobs: list[SpooledJob] = []
    if change.to is State.ASSIGNED and change.next_at <= 0 and group.room(account, to) > 0:
        holds = [group.hold(seq) for seq in seqs]
        jobs = [_after(hold.job, change, index) for index, hold in enumerate(holds) if hold and hold.job]
    keep = len(jobs) == len(seqs)
    scalars = _scalars(change, now, owner=group.node if keep or change.to is State.SENDING else 0)
    if change.workers is None and change.remote_ids is None and change.notes is None:
        status = await connection.execute(SQL["move_held"], *scalars, code, group.node, seqs)
    else:
        status = await connection.execute(
            SQL["move_held_rows"],
            *(*scalars, code, group.node, seqs, change.workers is not None),
            *(_column(change.workers, 0), _column(change.remote_ids, 0), _column(change.notes, 0)),
        )
    if status != f"UPDATE {len(seqs)}":
        raise Unexpected
    group.moved(account, code, to, seqs)
    if keep:
        group.wait(account, to, jobs)


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
    """A column of values; one that is not written is as long as it has to be."""
    return [None] * rows if values is None else [_plain(value) for value in values]


def _plain(value: str | None) -> str | None:
    return None if value is None else plain(value)
