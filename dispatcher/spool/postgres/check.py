"""What must hold in every database, whatever happened: read whole and compared. Changes nothing."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import orjson

from dispatcher.spool.encoding import STATES
from dispatcher.spool.postgres.statements import VIEW_SQL

if TYPE_CHECKING:
    from dispatcher.spool.postgres.link import Connection

SHOWN_ROWS = 5
"""Rows that a problem names; it says how many there are."""
BODIES_PER_READ = 5000

RULES = {
    "wrong_content": "have no content, or that of another account or version",
    "wrong_state": "have no state, or one that does not exist",
    "wrong_pair": "are under way although an older version of their key is, too",
    "wrong_owner": "are being sent by nobody, name a node that nobody knows, or are settled and yet somebody's",
}
"""Statement that finds the rows that break a rule, and what to say of them."""


async def problems(connection: Connection) -> list[str]:
    """Everything that is wrong, one problem a line; nothing: it is sound.

    All is read from one snapshot, so that nodes may work meanwhile.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        found = []
        for name, words in RULES.items():
            rows = [row[0] for row in await connection.fetch(VIEW_SQL[name])]
            if rows:
                found.append(_problem(rows, words))
        strangers = await _strangers(connection)
        if strangers:
            found.append(_problem(strangers, "hold a job that is not that of their key"))
        return [*found, *await _wrong_counters(connection)]


def _problem(rows: list[int], words: str) -> str:
    shown = ", ".join(map(str, rows[:SHOWN_ROWS])) + (", …" if len(rows) > SHOWN_ROWS else "")
    return f"{len(rows)} rows {words}: {shown}"


async def _strangers(connection: Connection) -> list[int]:
    """Bodies that are not the JSON object of their key."""
    found: list[int] = []
    after = 0
    while True:
        page = await connection.fetch(VIEW_SQL["bodies"], after, BODIES_PER_READ)
        found += [seq for seq, key, body in page if _key_in(body) != key]
        if len(page) < BODIES_PER_READ:
            return found
        after = page[-1][0]


def _key_in(body: bytes) -> object:
    try:
        job = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return job.get("uidSecondary") if isinstance(job, dict) else None


async def _wrong_counters(connection: Connection) -> list[str]:
    counted = Counter({(account, code): rows for account, code, rows in await connection.fetch(VIEW_SQL["counted"])})
    tallied = Counter({(account, code): rows for account, code, rows in await connection.fetch(VIEW_SQL["tallied"])})
    return [
        f"account {account}, {STATES[code]}: {counted[account, code]} rows there, the counter says {rows}"
        for (account, code), rows in sorted((place, tallied[place]) for place in counted.keys() | tallied.keys())
        if counted[account, code] != rows
    ]
