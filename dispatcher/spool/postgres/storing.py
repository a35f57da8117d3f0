"""Storing jobs, inside a transaction of the writer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

from dispatcher.errors import SpoolFull
from dispatcher.model.records import Accepted, NewJob, SpooledJob
from dispatcher.model.state import State
from dispatcher.spool.accepting import Known, decide
from dispatcher.spool.encoding import CODE, STATES
from dispatcher.spool.postgres.group import Group
from dispatcher.spool.postgres.statements import SQL
from dispatcher.spool.room import RowLimits

if TYPE_CHECKING:
    from dispatcher.spool.postgres.link import Connection

SCHEMA = "dispatcher"
CONTENTS = (
    "seq", "account", "version", "switches", "day", "priority", "accepted_at", "worker", "key", "digest", "body"
)  # fmt: skip
JOBS = ("seq", "account", "version", "state", "owner", "updated_at", "worker", "error")
_ACCEPTED = CODE[State.ACCEPTED]


async def account_number(connection: Connection, group: Group, name: str) -> int:
    """Number of an account, made when it is new."""
    number = group.accounts.get(name)
    if number is None:
        number = await connection.fetchval(SQL["account_id"], name)
    if number is None:
        await connection.execute(SQL["add_account"], name)
        number = await connection.fetchval(SQL["account_id"], name)
    group.accounts[name] = int(number)
    return int(number)


async def accept(
    connection: Connection,
    group: Group,
    account_name: str,
    calls: Sequence[tuple[Sequence[NewJob], float]],
    *,
    limits: RowLimits,
    errors: Sequence[str] = (),
) -> list[list[Accepted] | SpoolFull]:
    """Store the jobs of several calls (jobs and Unix time of each) of one account, as if one came after the other.

    Args:
        connection: inside a transaction.
        group: counted on.
        account_name: made when it is new.
        calls: what to store.
        limits: of the accounts; what is stored as rejected needs no room.
        errors: for jobs that are stored as rejected (one call then): why, one for each.

    Returns:
        For each call its answers, or why nothing of it was stored. Fails on the index of keys when another node has
        stored one of them meanwhile; then the transaction is to be tried again.
    """
    account = await account_number(connection, group, account_name)
    newest, numbers = await _newest(connection, account, [job.key for jobs, _ in calls for job in jobs])
    state = CODE[State.REJECTED if errors else State.ACCEPTED]
    unsettled = await _unsettled(connection, account) if limits.of(account_name) and not errors else 0
    # The rows are decided under numbers below zero, and get theirs once it is known how many there are.
    waiting = count(-1, -1)
    answers: list[list[Accepted] | SpoolFull] = []
    fresh: list[tuple[Accepted, NewJob, float]] = []
    for jobs, now in calls:
        answer, taken = decide(jobs, newest, waiting)
        new = [(one, job, now) for one, job in zip(answer, jobs, strict=True) if one.fresh]
        try:
            if new and not errors:
                limits.check(account_name, unsettled + group.unsettled(account) + len(new))
        except SpoolFull as full:
            answers.append(full)
            continue
        newest.update(taken)
        fresh += new
        group.counts[account, state] += len(new)
        answers.append(answer)
    if not fresh:
        return answers
    seqs = _numbered([one.seq for one, _, _ in fresh], await _enough(connection, numbers, len(fresh)))
    rows = [
        (
            *(seqs[one.seq], account, one.version, job.switches, job.day, job.priority, now),
            *(None if job.worker is None else plain(job.worker), job.key, job.digest, job.body),
        )
        for one, job, now in fresh
    ]
    await connection.copy_records_to_table("contents", records=rows, columns=CONTENTS, schema_name=SCHEMA)
    # A later version may have to wait for an older one: whether it may go is the claim's to say.
    first = [row for row in rows if row[2] == 1]
    mine = {row[0] for row in first[: 0 if errors else max(0, group.room(account, _ACCEPTED))]}
    group.wait(account, _ACCEPTED, [_stored(row) for row in rows if row[0] in mine])
    moving = [
        (
            *(row[0], account, row[2], state, group.node if row[0] in mine else 0, row[6], row[7]),
            plain(errors[place]) if errors else "",
        )
        for place, row in enumerate(rows)
    ]
    await connection.copy_records_to_table("jobs", records=moving, columns=JOBS, schema_name=SCHEMA)
    return [answer if isinstance(answer, SpoolFull) else _answered(answer, seqs) for answer in answers]


async def _newest(connection: Connection, account: int, keys: list[str]) -> tuple[Known, list[int]]:
    """What is known of those keys that are here, and row numbers for the others."""
    known: Known = {}
    numbers: list[int] = []
    for key, seq, version, digest, code, number in await connection.fetch(SQL["newest"], account, keys):
        if seq is None:
            numbers.append(number)
        else:
            known[key] = (seq, version, digest, STATES[code])
    return known, numbers


async def _unsettled(connection: Connection, account: int) -> int:
    return int(await connection.fetchval(SQL["unsettled_rows"], account))


async def _enough(connection: Connection, numbers: list[int], wanted: int) -> list[int]:
    """So many row numbers, rising."""
    if len(numbers) < wanted:
        more = await connection.fetch(SQL["new_seqs"], wanted - len(numbers))
        numbers = numbers + [row[0] for row in more]
    return sorted(numbers)[:wanted]


def _numbered(waiting: Sequence[int], numbers: Sequence[int]) -> dict[int, int]:
    return dict(zip(waiting, numbers, strict=True))


def _answered(answer: Sequence[Accepted], seqs: dict[int, int]) -> list[Accepted]:
    return [one if one.seq > 0 else Accepted(seqs[one.seq], one.version, one.state, one.fresh) for one in answer]


def _stored(row: tuple[Any, ...]) -> SpooledJob:
    """A new row as a claim would bring it."""
    seq, _, version, switches, day, priority, _, worker, key, _, body = row
    return SpooledJob(
        *(seq, key, version, body, switches, day, priority, State.ACCEPTED, worker, worker is not None),
        *(False, 0, 0.0, 0.0, 0),
    )


def plain(text: str) -> str:
    """A text as PostgreSQL can store it: it knows no character with the number 0."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}") if "\0" in text else text
