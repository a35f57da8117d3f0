"""What the reader's connection is asked. Every question is one row of answer, see `sqlite.sql`."""

from __future__ import annotations

import sqlite3
from collections.abc import Container, Sequence
from typing import Any

import orjson

from dispatcher.model.records import Receipt, SpooledJob
from dispatcher.model.state import SETTLED, State
from dispatcher.spool.encoding import CODE, STATES, UNSETTLED, mask, micros, seconds
from dispatcher.spool.statements import SQL, json_text

ROWS_PER_READ = 1000
"""Rows that come out in one piece: bounds the memory of one answer."""
HELD_ROWS_PER_READ = 10_000
"""Row numbers in one piece once a search has met claimed rows: each piece orders all that has waited and is due, so few
large ones are better than many small ones."""


def _ask(connection: sqlite3.Connection, name: str, *values: object) -> Any:
    (text,) = connection.execute(SQL[name], values).fetchone()
    return orjson.loads(text)


def _parts(seqs: Sequence[int]) -> list[list[int]]:
    return [list(seqs[start : start + ROWS_PER_READ]) for start in range(0, len(seqs), ROWS_PER_READ)]


def claimable(
    connection: sqlite3.Connection,
    account: int,
    state: State,
    *,
    floor: int,
    now: float,
    limit: int,
    held: Container[int],
) -> tuple[list[int], int]:
    """Up to `limit` due rows of a state that nobody holds, oldest first; and the last row looked at, or `floor`."""
    found: list[int] = []
    after, size = 0, limit
    while True:
        page = _ask(connection, "claimable", account, CODE[state], floor, after, micros(now), size)
        for seq in page:
            after = seq
            if seq not in held:
                found.append(seq)
                if len(found) == limit:
                    return found, max(floor, after)
        if len(page) < size:
            return found, max(floor, after)
        size = max(limit, HELD_ROWS_PER_READ)


def spooled(connection: sqlite3.Connection, account: int, seqs: Sequence[int]) -> list[SpooledJob]:
    """These rows with their bodies, in the order given; rows that are gone are left out."""
    jobs = []
    for part in _parts(seqs):
        text, bodies = connection.execute(SQL["spooled"], (account, json_text(part))).fetchone()
        start = 0
        for row in orjson.loads(text):
            seq, key, version, size, switches, day, priority, code, worker, preassigned, autoassign, *rest = row
            attempts, sent_at, settle_by, refusals = rest
            jobs.append(
                SpooledJob(
                    seq,
                    key,
                    version,
                    bodies[start : start + size],
                    switches,
                    day,
                    priority,
                    STATES[code],
                    worker,
                    preassigned == 1,
                    autoassign == 1,
                    attempts,
                    seconds(sent_at),
                    seconds(settle_by),
                    refusals,
                )
            )
            start += size
    return jobs


def claim(
    connection: sqlite3.Connection,
    account: int,
    floors: Sequence[tuple[State, int]],
    *,
    now: float,
    limit: int,
    held: Container[int],
) -> tuple[list[SpooledJob], dict[State, int]]:
    """The oldest due rows over several states that nobody holds, and up to where each state has been looked through."""
    found: list[tuple[int, State]] = []
    examined = {}
    for state, floor in floors:
        seqs, examined[state] = claimable(connection, account, state, floor=floor, now=now, limit=limit, held=held)
        found += [(seq, state) for seq in seqs]
    found.sort()
    for seq, state in found[limit:]:
        examined[state] = min(examined[state], seq - 1)
    states = dict(found[:limit])
    jobs = spooled(connection, account, list(states))
    return [job for job in jobs if job.state is states[job.seq]], examined


def next_due(connection: sqlite3.Connection, account: int, *, now: float, held: Container[int]) -> float | None:
    """The earliest time later than `now` at which an unheld row of a waiting state is due."""
    times = []
    for state in UNSETTLED:
        size = 1 if state is not State.SENDING else 0
        while size:
            page = _ask(connection, "next_due", account, CODE[state], micros(now), size)
            first = next((at for at, seq in page if seq not in held), None)
            if first is not None:
                times.append(first)
            size = 0 if first is not None or len(page) < size else 16 * size
    return seconds(min(times)) if times else None


def open_seqs(
    connection: sqlite3.Connection, account: int, states: Sequence[State], *, after: int, limit: int
) -> list[int]:
    """Row numbers in some unsettled states, in order."""
    seqs: list[int] = []
    for state in states:
        seqs += _ask(connection, "open_seqs", account, CODE[state], after, limit)
    return sorted(seqs)[:limit]


def receipts(connection: sqlite3.Connection, account: str, number: int, seqs: Sequence[int]) -> list[Receipt]:
    """Receipts of these rows of an account (its name and number), in the order given."""
    return [
        _receipt(account, row) for part in _parts(seqs) for row in _ask(connection, "receipts", number, json_text(part))
    ]


def _receipt(account: str, row: Sequence[Any]) -> Receipt:
    """A receipt from a row of the statement `receipts`."""
    key, version, seq, code, worker, preassigned, autoassign, day, priority, *rest = row
    remote_id, attempts, next_at, error, note, accepted_at, updated_at, refusals, sent_at, settle_by, switches = rest
    return Receipt(
        account=account,
        key=key,
        version=version,
        seq=seq,
        state=STATES[code],
        worker=worker,
        preassigned=bool(preassigned),
        autoassign=bool(autoassign),
        day=day,
        priority=priority,
        remote_id=remote_id,
        attempts=attempts,
        refusals=refusals,
        sent_at=seconds(sent_at),
        settle_by=seconds(settle_by),
        switches=switches,
        next_at=seconds(next_at),
        error=error,
        note=note,
        accepted_at=seconds(accepted_at),
        updated_at=seconds(updated_at),
    )


def page_seqs(
    connection: sqlite3.Connection, account: int, states: Sequence[State], *, after: int, limit: int
) -> list[int]:
    """Row numbers in some states (none: all), in order.

    Confirmed rows are in no index: they are found along the table, all others by the index of their state.
    """
    wanted = set(states or State)
    if State.CONFIRMED in wanted:
        return list(_ask(connection, "all_seqs", account, mask(wanted), after, limit))
    seqs = open_seqs(connection, account, [state for state in wanted if state not in SETTLED], after=after, limit=limit)
    for state in wanted & SETTLED:
        seqs += _ask(connection, "failed_seqs", account, CODE[state], after, limit)
    return sorted(seqs)[:limit]


def seq_of(connection: sqlite3.Connection, account: int, key: str, version: int | None) -> list[int]:
    """The row of a key's version (None: the newest), as a list of one or none."""
    return list(_ask(connection, "seq_of", account, key, version))


def bodies(connection: sqlite3.Connection, account: int, seqs: Sequence[int]) -> dict[int, bytes]:
    """Bodies by row."""
    found = {}
    for part in _parts(seqs):
        text, joined = connection.execute(SQL["bodies"], (account, json_text(part))).fetchone()
        start = 0
        for seq, size in orjson.loads(text):
            found[seq] = joined[start : start + size]
            start += size
    return found
