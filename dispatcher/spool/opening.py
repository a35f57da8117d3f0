"""Opening a file: look at it, lock it, recover it, count it."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from dispatcher.errors import SpoolUnusable
from dispatcher.model.state import State
from dispatcher.spool import schema
from dispatcher.spool.encoding import CODE, micros
from dispatcher.spool.ledger import Ledger
from dispatcher.spool.lock import FileLock
from dispatcher.spool.statements import SQL

_SENDING = CODE[State.SENDING]
_UNKNOWN = CODE[State.UNKNOWN]
_LAST_UNSETTLED = CODE[State.HELD]
CHECKPOINT_BYTES = 64 << 20
"""The log is copied into the file when it has grown to this: large enough that pages rewritten by one move after
another are copied once, small enough to take well under a second."""


@dataclass(slots=True, frozen=True)
class Opened:
    """A spool file in use.

    Attributes:
        lock: held until the file is given back.
        writer, reader: connections.
        ledger: for the writer.
        counts: rows by account number and state number.
        recovered: rows that were being sent when the last owner ended.
    """

    lock: FileLock
    writer: sqlite3.Connection
    reader: sqlite3.Connection
    ledger: Ledger
    counts: Counter[tuple[int, int]]
    recovered: int

    def close(self) -> None:
        """Give everything back, for an opening that nobody waits for any more."""
        self.reader.close()
        self.writer.close()
        self.lock.release()


def open_file(path: Path, *, now: float, max_file_bytes: int) -> Opened:
    """Take the file into use, making it when there is none.

    Raises:
        SpoolUnusable: see `Spool.open`. Nothing was written to an existing file.
    """
    schema.inspect(path)
    with ExitStack() as undo:
        lock = FileLock(path)
        undo.callback(lock.release)
        schema.create(path)
        schema.inspect(path)
        try:
            counts = _count(path)
            writer = schema.connect(path)
            undo.callback(writer.close)
            schema.migrate(writer, schema.user_version(writer))
            page_bytes = int(writer.execute("PRAGMA page_size").fetchone()[0])
            writer.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_BYTES // page_bytes}")
            if max_file_bytes:
                writer.execute(f"PRAGMA max_page_count = {max(1, max_file_bytes // page_bytes)}")
            recovered = _recover(writer, counts, now)
            unsettled: Counter[int] = Counter()
            for (account, code), n in counts.items():
                if code <= _LAST_UNSETTLED:
                    unsettled[account] += n
            ledger = Ledger(
                accounts={name: number for number, name in writer.execute(SQL["all_accounts"])},
                next_seq=int(writer.execute(SQL["last_seq"]).fetchone()[0]) + 1,
                unsettled=unsettled,
                blocked=bool(writer.execute(SQL["any_blocked"]).fetchone()[0]),
            )
            reader = schema.connect(path)
            undo.callback(reader.close)
            reader.execute("PRAGMA query_only = ON")
        except sqlite3.Error as error:
            raise SpoolUnusable(f"{path}: cannot be used: {error}") from error
        undo.pop_all()
        return Opened(lock, writer, reader, ledger, counts, recovered)


def _count(path: Path) -> Counter[tuple[int, int]]:
    """Rows by account and state.

    Reads every row through a connection that cannot write, so that damage shows before anything is changed.
    """
    with closing(schema.connect_read_only(path)) as connection:
        connection.execute("SELECT max(seq) FROM contents").fetchone()
        return Counter({(account, code): n for account, code, n in connection.execute(SQL["tally"])})


def _recover(writer: sqlite3.Connection, counts: Counter[tuple[int, int]], now: float) -> int:
    """Rows that were being sent may have arrived: they become unknown."""
    sending = {account: n for (account, code), n in counts.items() if code == _SENDING and n}
    if sending:
        writer.execute(SQL["recover"], (micros(now),))
    for account, n in sending.items():
        del counts[account, _SENDING]
        counts[account, _UNKNOWN] += n
    return sum(sending.values())
