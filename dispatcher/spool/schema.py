"""The file as a whole: is it ours, is it sound, which version, how a new one is made."""

from __future__ import annotations

import os
import sqlite3
import struct
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from dispatcher.errors import SpoolUnusable
from dispatcher.spool.statements import SQL

APPLICATION_ID = 0x48545350
"""\"HTSP\" in the file's header: how a spool is told from another program's database."""
MIGRATIONS = ("schema_1",)
"""Script n (from 1) brings a file from version n - 1 to n."""
VERSION = len(MIGRATIONS)
PAGE_BYTES = 8192
OLDEST_SQLITE = (3, 38, 0)
"""First with the JSON functions always built in; RETURNING, STRICT and UPDATE FROM are older."""

_MAGIC = b"SQLite format 3\x00"
_HEADER = struct.Struct(">16sH10xI28xI4xI")
"""Magic, page size, pages, user_version, application_id: see the database header in SQLite's file format."""


def inspect(path: Path) -> None:
    """Look at the header of the file that is there, if any. Writes nothing.

    Raises:
        SpoolUnusable: it is no spool, damaged or too new; says which.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise SpoolUnusable(
            f"{path}: needs SQLite {'.'.join(map(str, OLDEST_SQLITE))}, this is {sqlite3.sqlite_version}"
        )
    try:
        if _absent(path):
            return
        with path.open("rb") as file:
            head = file.read(_HEADER.size)
            size = file.seek(0, os.SEEK_END)
        wal = path.with_name(path.name + "-wal")
        unfinished = wal.exists() and wal.stat().st_size > 0
    except OSError as error:
        raise SpoolUnusable(f"{path}: {error.strerror or error}") from error
    if len(head) < _HEADER.size or not head.startswith(_MAGIC):
        raise SpoolUnusable(f"{path}: is not an SQLite file")
    _, page, pages, version, application = _HEADER.unpack(head)
    if application != APPLICATION_ID:
        raise SpoolUnusable(f"{path}: is the database of another program")
    if version > VERSION:
        raise SpoolUnusable(f"{path}: has schema version {version}, this program knows versions up to {VERSION}")
    page_bytes = 65536 if page == 1 else page
    if not unfinished and size < pages * page_bytes:
        raise SpoolUnusable(f"{path}: is truncated: {size} bytes of {pages * page_bytes}")


def create(path: Path) -> None:
    """Make the file when there is none (or an empty one). The caller holds the lock.

    It is built under another name and put in place whole, so that a half-made one is never met.

    Raises:
        SpoolUnusable: it cannot be made.
    """
    made = path.with_name(f"{path.name}.new-{os.getpid()}")
    try:
        if not _absent(path):
            return
        with closing(sqlite3.connect(made, isolation_level=None)) as connection:
            connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute("PRAGMA journal_mode = WAL")
            migrate(connection, 0)
        _sync(made)
        made.replace(path)
        _sync(path.parent)
    except (sqlite3.Error, OSError) as error:
        raise SpoolUnusable(f"{path}: cannot be created: {error}") from error
    finally:
        for suffix in ("", "-wal", "-shm"):
            made.with_name(made.name + suffix).unlink(missing_ok=True)


def _absent(path: Path) -> bool:
    return not path.exists() or (path.is_file() and path.stat().st_size == 0)


def _sync(path: Path) -> None:
    """Make a file's bytes, or a folder's names, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring the schema from `version` to the newest, each step whole or not at all."""
    for step, name in enumerate(MIGRATIONS[version:], version + 1):
        connection.executescript(f"BEGIN IMMEDIATE;\n{SQL[name]}\nPRAGMA user_version = {step};\nCOMMIT;")


def connect(path: Path, *, cache_bytes: int = 32 << 20) -> sqlite3.Connection:
    """A connection to a prepared file; every commit is on disk when it returns (WAL, synchronous = FULL)."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA cache_size = -{cache_bytes >> 10}")
    return connection


def connect_read_only(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, not even by being closed."""
    return sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)


def user_version(connection: sqlite3.Connection) -> int:
    """Schema version of the file."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
