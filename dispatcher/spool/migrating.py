"""Bringing a file to the newest schema, by hand or as a rehearsal. `open` does so by itself, under the same lock."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from dispatcher.errors import SpoolUnusable
from dispatcher.spool import schema
from dispatcher.spool.lock import FileLock
from dispatcher.spool.statements import SQL


@dataclass(frozen=True, slots=True)
class Migration:
    """The way of a file to the newest schema.

    Attributes:
        before, after: schema versions; equal when there is nothing to do.
        steps: names of the scripts, in order.
    """

    before: int
    after: int
    steps: Sequence[str]


def migrate_file(path: Path, *, dry_run: bool = False) -> Migration:
    """Run the missing steps on a file, each whole or not at all.

    Args:
        path: the file.
        dry_run: run them all in one transaction that is undone at the end. It takes as long, and as much disk, as the
            real thing, and tells whether that would pass.

    Raises:
        SpoolUnusable: in use, not a spool, of a newer version, or a step failed; then the steps before it stand.
    """
    if not path.is_file() or not path.stat().st_size:
        raise SpoolUnusable(f"{path}: there is no such spool")
    schema.inspect(path)
    lock = FileLock(path)
    try:
        with closing(schema.connect(path)) as connection:
            before = schema.user_version(connection)
            migration = Migration(before, schema.VERSION, schema.MIGRATIONS[before:])
            if dry_run:
                _rehearse(connection, migration)
            else:
                schema.migrate(connection, before)
            return migration
    except sqlite3.Error as error:
        raise SpoolUnusable(f"{path}: cannot be migrated: {error}") from error
    finally:
        lock.release()


def _rehearse(connection: sqlite3.Connection, migration: Migration) -> None:
    try:
        connection.executescript("BEGIN IMMEDIATE;\n" + "\n".join(SQL[name] for name in migration.steps))
    finally:
        if connection.in_transaction:
            connection.rollback()
