"""Moving rows from state to state, and freeing the versions that waited for them."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence

import orjson

from dispatcher.model.records import Change
from dispatcher.model.state import MOVES, SETTLED, State
from dispatcher.spool.encoding import CODE, STATES, mask, micros
from dispatcher.spool.ledger import Effects, Ledger, Moved
from dispatcher.spool.statements import ROWS_PER_STATEMENT, SQL, for_rows, json_text

_ACCEPTED = CODE[State.ACCEPTED]
_LAST_UNSETTLED = CODE[State.HELD]


class Unexpected(Exception):  # noqa: N818 - what was found, not an error of the caller
    """Some row of a change was not in the expected state: the transaction must be undone and written with more care."""


def check(change: Change) -> None:
    """Refuse a change that no program should write.

    Raises:
        ValueError: a move that the states do not allow, a row named twice, or a list of another length than `seqs`.
    """
    for state in change.expect:
        if change.to not in MOVES[state]:
            raise ValueError(f"no move leads from {state} to {change.to}")
    count = len(change.seqs)
    if len(set(change.seqs)) != count:
        raise ValueError("a change names a row twice")
    for name, values in (("workers", change.workers), ("notes", change.notes), ("remote_ids", change.remote_ids)):
        if values is not None and len(values) != count:
            raise ValueError(f"{len(values)} {name} for {count} rows")


def move(
    connection: sqlite3.Connection, ledger: Ledger, effects: Effects, change: Change, now: float, *, home: int | None
) -> list[int]:
    """Write one change inside a transaction; returns the rows that were left alone.

    Args:
        connection: inside a transaction.
        ledger: counted on.
        effects: added to.
        change: checked.
        now: Unix time in seconds.
        home: number of the account that all rows are known to belong to. Then the rows are not looked at first: the
            state is part of the update's condition, and the number of rows written tells whether it held for all.

    Raises:
        Unexpected: `home` was given and a row was not in an expected state.
    """
    seqs: Sequence[int] = change.seqs
    left: list[int] = []
    places: Counter[tuple[int, int]]
    rows_of: dict[int, Sequence[int]]
    if home is not None and len(change.expect) == 1:
        if _write(connection, change, None, now) != len(seqs):
            raise Unexpected
        places = Counter({(home, CODE[change.expect[0]]): len(seqs)})
        rows_of = {home: seqs}
    else:
        (text,) = connection.execute(SQL["movable"], (json_text(list(seqs)), mask(change.expect))).fetchone()
        found = {seq: (account, code) for seq, account, code in orjson.loads(text)}
        left = [seq for seq in seqs if seq not in found]
        if not found:
            return left
        _write(connection, change, found if left else None, now)
        places = Counter(found.values())
        rows_of = {}
        for seq, (account, _) in found.items():
            rows_of.setdefault(account, []).append(seq)  # type: ignore[attr-defined]
        seqs = list(found)
    to = CODE[change.to]
    due = micros(change.next_at) == 0
    for (account, code), count in places.items():
        effects.counts[account, code] -= count
        effects.counts[account, to] += count
        ledger.unsettled[account] += count * ((to <= _LAST_UNSETTLED) - (code <= _LAST_UNSETTLED))
    effects.moved += [Moved(account, rows, change.to, due) for account, rows in rows_of.items()]
    replayed = change.to == State.ACCEPTED and not SETTLED.isdisjoint(change.expect)
    if replayed or (ledger.blocked and change.to in SETTLED):
        reblock(connection, ledger, effects, seqs)
    return left


def _write(connection: sqlite3.Connection, change: Change, only: dict[int, tuple[int, int]] | None, now: float) -> int:
    """Update the rows (those in `only`, when given) that are in an expected state; returns how many."""
    scalars = (
        CODE[change.to],
        micros(now),
        micros(change.next_at),
        change.add_attempts,
        change.add_refusals,
        change.autoassign,
        None if change.sent_at is None else micros(change.sent_at),
        None if change.settle_by is None else micros(change.settle_by),
        change.error,
        mask(change.expect),
    )
    seqs = change.seqs
    if change.workers is None and change.notes is None and change.remote_ids is None:
        kept = list(seqs) if only is None else list(only)
        return connection.execute(SQL["move"], (*scalars, json_text(kept))).rowcount
    nothing = (None,) * len(seqs)
    rows = [
        row
        for row in zip(
            seqs, change.workers or nothing, change.remote_ids or nothing, change.notes or nothing, strict=True
        )
        if only is None or row[0] in only
    ]
    moved = 0
    for start in range(0, len(rows), ROWS_PER_STATEMENT):
        part = rows[start : start + ROWS_PER_STATEMENT]
        values = [value for row in part for value in row]
        sql = for_rows("move_rows", len(part))
        moved += connection.execute(sql, (*scalars, change.workers is not None, *values)).rowcount
    return moved


def reblock(connection: sqlite3.Connection, ledger: Ledger, effects: Effects, seqs: Sequence[int]) -> None:
    """Decide anew, for these rows and the newer versions of their keys, which must wait for an older version."""
    for seq, account, code, blocked in connection.execute(SQL["reblock"], (json_text(list(seqs)),)).fetchall():
        if blocked:
            ledger.blocked = True
        else:
            effects.freed.append((account, STATES[code], seq))
    if ledger.blocked:
        (any_left,) = connection.execute(SQL["any_blocked"]).fetchone()
        ledger.blocked = bool(any_left)
