"""What must hold in every spool file, whatever happened: read whole and compared. Changes nothing."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

from dispatcher.model.state import State
from dispatcher.spool import schema
from dispatcher.spool.encoding import CODE, STATES
from dispatcher.spool.statements import SQL
from dispatcher.spool.view import VIEW_SQL

SHOWN_ROWS = 5
"""Rows that a problem names; it says how many there are."""
_CONFIRMED = CODE[State.CONFIRMED]

RULES = {
    "wrong_content": "have no content, or that of another account",
    "wrong_state": "have no state, or one that does not exist",
    "wrong_key": "hold a job that is not that of their key",
    "wrong_order": "hold a version that was accepted before an older one of its key",
    "wrong_pair": "are under way although an older version of their key is, too",
    "wrong_block": "wait for an older version, or do not, although it is the other way round",
}
"""Statement that finds the rows that break a rule, and what to say of them."""


def problems(path: Path) -> list[str]:
    """Everything that is wrong with a file, one problem a line; nothing: it is sound.

    Whoever calls this holds the file's lock, so that nothing moves meanwhile.
    """
    try:
        with closing(schema.connect_read_only(path)) as connection:
            damage = [str(line) for (line,) in connection.execute("PRAGMA integrity_check")]
            if damage != ["ok"]:
                return damage
            return [*_broken_rules(connection), *_wrong_counters(connection)]
    except sqlite3.DatabaseError as error:
        return [str(error)]


def _broken_rules(connection: sqlite3.Connection) -> list[str]:
    found = []
    for name, words in RULES.items():
        rows = [seq for (seq,) in connection.execute(VIEW_SQL[name])]
        if rows:
            shown = ", ".join(map(str, rows[:SHOWN_ROWS])) + (", …" if len(rows) > SHOWN_ROWS else "")
            found.append(f"{len(rows)} rows {words}: {shown}")
    return found


def _wrong_counters(connection: sqlite3.Connection) -> list[str]:
    """Counters are rebuilt from the table; claims and listings go by the indexes: both must tell the same."""
    counted = Counter({(account, code): n for account, code, n in connection.execute(SQL["tally"])})
    indexed = Counter({(account, code): n for account, code, n in connection.execute(VIEW_SQL["indexed_tally"])})
    return [
        f"account {account}, {STATES[code]}: {counted[account, code]} rows there, {indexed[account, code]} are found"
        for account, code in sorted(counted | indexed)
        if code < len(STATES) and code != _CONFIRMED and counted[account, code] != indexed[account, code]
    ]
