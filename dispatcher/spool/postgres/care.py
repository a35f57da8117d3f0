"""Letting old rows go, inside a transaction of the writer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dispatcher.spool.postgres.group import Group
from dispatcher.spool.postgres.statements import SQL

if TYPE_CHECKING:
    from dispatcher.spool.postgres.link import Connection

EXAMINED_ROWS = 10_000
"""Rows that are looked at in one go to find some that may go."""


async def window(connection: Connection, *, before: float, after: int) -> int | None:
    """The last of the next rows after one that are worth a look; None: no row further on can be as old."""
    end, first_accepted = await connection.fetchrow(SQL["row_window"], after, EXAMINED_ROWS) or (None, None)
    return None if end is None or first_accepted is None or first_accepted >= before else int(end)


async def prune(
    connection: Connection, group: Group, *, before: float, after: int, end: int, limit: int, account: int | None
) -> list[int]:
    """Delete settled rows of an account (None: of all) without a change since `before`; which ones, oldest first."""
    gone: list[int] = []
    for number, code, seqs in await connection.fetch(SQL["prune"], before, after, limit, account, end):
        group.counts[number, code] -= len(seqs)
        gone += seqs
    if gone:
        await connection.execute(SQL["drop_contents"], gone)
    return sorted(gone)
