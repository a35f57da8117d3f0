"""From a file into a database: every row with its versions, attempts and outcome, once, however often it is tried."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dispatcher.errors import SpoolError, SpoolUnusable
from dispatcher.model.state import State
from dispatcher.spool import schema
from dispatcher.spool.encoding import CODE, seconds
from dispatcher.spool.lock import FileLock
from dispatcher.spool.postgres.group import Group
from dispatcher.spool.postgres.statements import SQL
from dispatcher.spool.postgres.storing import CONTENTS, SCHEMA, account_number, plain
from dispatcher.spool.view import VIEW_SQL, SpoolView

if TYPE_CHECKING:
    from dispatcher.spool.postgres.link import Connection
    from dispatcher.spool.postgres.spool import PostgresSpool

ROWS_PER_PAGE = 5000
"""Rows of one transaction."""
MOVING = (
    *("seq", "account", "version", "state", "next_at", "attempts", "refusals", "sent_at", "settle_by", "updated_at"),
    *("autoassign", "worker", "remote_id", "error", "note"),
)
_SENDING, _UNKNOWN = CODE[State.SENDING], CODE[State.UNKNOWN]


class WholeRow(NamedTuple):
    """Everything that a file knows of one row, as it stands there; see `sqlite.sql`."""

    seq: int
    account: str
    key: str
    version: int
    switches: int
    day: int
    priority: int
    accepted_at: int
    named_worker: str | None
    digest: bytes
    body: bytes
    state: int
    next_at: int
    attempts: int
    refusals: int
    sent_at: int
    settle_by: int
    updated_at: int
    autoassign: int
    worker: str | None
    remote_id: str | None
    error: str
    note: str


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy has done.

    Attributes:
        rows: in the file.
        new: of them, those that were written now.
        known: those that the database had already, with the same content; they stay as they are there.
    """

    rows: int = 0
    new: int = 0
    known: int = 0


async def copy_file(path: Path, spool: PostgresSpool, *, tell: Callable[[Copied], None] = lambda _: None) -> Copied:
    """Copy a file, which is left as it is, into an open spool. A job that was being sent is `unknown` there.

    Args:
        path: the file; nobody may work on it meanwhile.
        spool: where to; others may work on it.
        tell: called now and then with what is done.

    Raises:
        SpoolUnusable: the file is in use, or is no spool.
        SpoolError: the database has other content under a key and version. What was copied before stays; once that is
            put right, the copy can be run again.
    """
    SpoolView(path).close()  # is it there, is it ours, is it of this version?
    lock = FileLock(path)
    done = Copied()
    try:
        pages = _pages(path)
        while page := await asyncio.to_thread(next, pages, None):
            new = await spool.adopt(page)
            done = Copied(done.rows + len(page), done.new + new, done.known + len(page) - new)
            tell(done)
    except sqlite3.Error as error:
        raise SpoolUnusable(f"{path}: cannot be read: {error}") from error
    finally:
        lock.release()
    return done


def _pages(path: Path) -> Iterator[list[WholeRow]]:
    after = 0
    while True:
        with closing(schema.connect_read_only(path)) as connection:
            rows = connection.execute(VIEW_SQL["whole_rows"], (after, ROWS_PER_PAGE)).fetchall()
        if not rows:
            return
        page = [WholeRow(*row) for row in rows]
        after = page[-1].seq
        yield page


async def adopt(connection: Connection, group: Group, *, rows: Sequence[WholeRow]) -> int:
    """Write those rows that are not there; returns how many.

    Raises:
        SpoolError: one is there with other content.
    """
    accounts = {name: await account_number(connection, group, name) for name in {row.account for row in rows}}
    numbers = [accounts[row.account] for row in rows]
    found = await connection.fetch(SQL["present"], numbers, [row.key for row in rows], [row.version for row in rows])
    there = {(account, key, version): digest for account, key, version, digest in found}
    missing: list[tuple[int, WholeRow]] = []
    for number, row in zip(numbers, rows, strict=True):
        digest = there.get((number, row.key, row.version))
        if digest is None:
            missing.append((number, row))
        elif digest != row.digest:
            raise SpoolError(
                f"account {row.account}, {row.key}: the database has a version {row.version} with other content; "
                "nothing of this page was copied"
            )
    if not missing:
        return 0
    seqs = sorted(row[0] for row in await connection.fetch(SQL["new_seqs"], len(missing)))
    contents, moving = [], []
    for seq, (account, row) in zip(seqs, missing, strict=True):
        state = _UNKNOWN if row.state == _SENDING else row.state
        contents.append(
            (
                *(seq, account, row.version, row.switches, row.day, row.priority, seconds(row.accepted_at)),
                *(None if row.named_worker is None else plain(row.named_worker), row.key, row.digest, row.body),
            )
        )
        moving.append(
            (
                *(seq, account, row.version, state, 0.0 if row.state == _SENDING else seconds(row.next_at)),
                *(row.attempts, row.refusals, seconds(row.sent_at), seconds(row.settle_by), seconds(row.updated_at)),
                *(bool(row.autoassign), *(None if text is None else plain(text) for text in row[-4:])),
            )
        )
        group.counts[account, state] += 1
    await connection.copy_records_to_table("contents", records=contents, columns=CONTENTS, schema_name=SCHEMA)
    await connection.copy_records_to_table("jobs", records=moving, columns=MOVING, schema_name=SCHEMA)
    return len(missing)
