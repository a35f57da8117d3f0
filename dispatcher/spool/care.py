"""Looking after the file: how large, how sound, and what may go."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import orjson

from dispatcher.spool.encoding import micros, seconds
from dispatcher.spool.ledger import Effects, Ledger
from dispatcher.spool.schema import connect_read_only
from dispatcher.spool.statements import SQL, json_text

EXAMINED_ROWS = 10_000
"""Rows that are looked at in one go to find some that may go: some ten milliseconds of the reader."""


@dataclass(frozen=True, slots=True)
class SpoolStats:
    """How large the file is.

    Attributes:
        file_bytes: the file.
        log_bytes: the log beside it, copied into the file from time to time.
        unused_bytes: room in the file that rows have left; used again, or given back by `vacuum`.
        disk_free_bytes: room on the disk.
        oldest_unsettled_at: Unix time at which the oldest job that is not settled was accepted, None when all are.
    """

    file_bytes: int
    log_bytes: int
    unused_bytes: int
    disk_free_bytes: int
    oldest_unsettled_at: float | None


def stats(connection: sqlite3.Connection, path: Path) -> SpoolStats:
    """Measure the file."""
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    (oldest,) = connection.execute(SQL["oldest_unsettled"]).fetchone()
    log = path.with_name(path.name + "-wal")
    return SpoolStats(
        file_bytes=path.stat().st_size,
        log_bytes=log.stat().st_size if log.exists() else 0,
        unused_bytes=free * page_bytes,
        disk_free_bytes=shutil.disk_usage(path.parent).free,
        oldest_unsettled_at=None if oldest is None else seconds(oldest),
    )


def check(path: Path) -> list[str]:
    """Read the whole file and say what is wrong with it, one problem a line; nothing: it is sound."""
    try:
        with closing(connect_read_only(path)) as connection:
            found = [line for (line,) in connection.execute("PRAGMA quick_check")]
    except sqlite3.DatabaseError as error:
        return [str(error)]
    return [] if found == ["ok"] else found


def prunable(
    connection: sqlite3.Connection, *, before: float, after: int, limit: int, account: int | None
) -> tuple[list[int], int]:
    """Settled rows of an account (None: of all) without a change since `before`, among the next rows after one.

    Returns them, oldest first, and the row up to which was looked; 0: no row further on can be as old.
    """
    end, first_accepted = connection.execute(SQL["row_window"], (after, EXAMINED_ROWS)).fetchone()
    if end is None or first_accepted >= micros(before):
        return [], 0
    (text,) = connection.execute(SQL["prunable"], (micros(before), after, limit, account, end)).fetchone()
    seqs = list(orjson.loads(text))
    return seqs, seqs[-1] if len(seqs) == limit else end


def drop(
    connection: sqlite3.Connection, ledger: Ledger, effects: Effects, *, seqs: Sequence[int], before: float
) -> int:
    """Delete those of the rows that nothing has changed since they were chosen; returns how many. For `Tending`."""
    del ledger  # settled rows are not counted there
    connection.execute("BEGIN IMMEDIATE")
    (text,) = connection.execute(SQL["still_settled"], (json_text(list(seqs)), micros(before))).fetchone()
    found = orjson.loads(text)
    gone = json_text([seq for seq, _, _ in found])
    connection.execute(SQL["drop_jobs"], (gone,))
    connection.execute(SQL["drop_contents"], (gone,))
    connection.commit()
    for _, account, code in found:
        effects.counts[account, code] -= 1
    return len(found)


def vacuum(connection: sqlite3.Connection, ledger: Ledger, effects: Effects) -> None:
    """Write the file anew without the room that rows have left. For `Tending`; needs the same room again meanwhile."""
    del ledger, effects  # nothing that they know of changes
    connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
