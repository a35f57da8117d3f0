"""What a connection is asked; nothing here changes anything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from dispatcher.model.records import Receipt, SpooledJob
from dispatcher.model.state import State
from dispatcher.spool.encoding import CODE, STATES
from dispatcher.spool.postgres.statements import SQL

if TYPE_CHECKING:
    from dispatcher.spool.postgres.link import Connection

ROWS_PER_READ = 1000
"""Rows that come out in one piece: bounds the memory of one answer."""


def as_job(row: Iterable[Any]) -> SpooledJob:
    """A job from a row of the statements `claim` and `spooled`."""
    seq, key, version, body, switches, day, priority, code, *rest = row
    return SpooledJob(seq, key, version, body, switches, day, priority, STATES[code], *rest)


def as_receipt(account: str, row: Iterable[Any]) -> Receipt:
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
        preassigned=preassigned,
        autoassign=autoassign,
        day=day,
        priority=priority,
        remote_id=remote_id,
        attempts=attempts,
        refusals=refusals,
        sent_at=sent_at,
        settle_by=settle_by,
        switches=switches,
        next_at=next_at,
        error=error,
        note=note,
        accepted_at=accepted_at,
        updated_at=updated_at,
    )


def codes(states: Iterable[State]) -> list[int]:
    """Numbers of the states, each once."""
    return [CODE[state] for state in dict.fromkeys(states)]


async def numbers(connection: Connection, sql: str, *values: object) -> list[int]:
    """The first column of a statement's rows."""
    return [row[0] for row in await connection.fetch(sql, *values)]


async def page_seqs(
    connection: Connection, account: int, states: Sequence[State], *, after: int, limit: int
) -> list[int]:
    """Row numbers in some states (none: all), in order.

    Confirmed rows are in no index: they are found along the table, all others by what waits and what is in hand.
    """
    wanted = set(states or State)
    name = "all_seqs" if State.CONFIRMED in wanted else "open_seqs"
    return await numbers(connection, SQL[name], account, codes(wanted), after, limit)


async def receipts(connection: Connection, account: str, number: int, seqs: Sequence[int]) -> list[Receipt]:
    """Receipts of these rows of an account (its name and number), in order of `seq`."""
    return [as_receipt(account, row) for row in await connection.fetch(SQL["receipts"], number, list(seqs))]


async def spooled(connection: Connection, account: int, seqs: Sequence[int]) -> list[SpooledJob]:
    """These rows with their bodies, in order of `seq`."""
    return [as_job(row) for row in await connection.fetch(SQL["spooled"], account, list(seqs))]


async def next_due(connection: Connection, *, account: int, states: Sequence[State], now: float) -> float | None:
    """The earliest later time of an account's rows that are nobody's; None: nothing waits."""
    at: float | None = await connection.fetchval(SQL["next_due"], account, codes(states), now)
    return at


async def bodies(connection: Connection, account: int, seqs: Sequence[int]) -> dict[int, bytes]:
    """Bodies by row."""
    rows = await connection.fetch(SQL["bodies"], account, list(seqs))
    return {row[0]: row[1] for row in rows}


async def through(connection: Connection, account: int, seqs: Iterable[int]) -> list[int]:
    """Those of these rows that are settled or held."""
    return await numbers(connection, SQL["through"], account, list(seqs))
