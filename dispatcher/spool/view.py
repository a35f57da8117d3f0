"""A spool file as it stands, for those who only look: no lock, no write, beside the process that works on it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from dispatcher.errors import SpoolError, SpoolUnusable
from dispatcher.model.records import WITHDRAWN, Receipt
from dispatcher.model.state import SETTLED, State
from dispatcher.spool import care, reading, schema
from dispatcher.spool.care import SpoolStats
from dispatcher.spool.encoding import CODE, STATES, mask, micros, seconds
from dispatcher.spool.lock import FileLock, holder
from dispatcher.spool.statements import SQL, json_text, read_statements

LAST_SEQ = (1 << 63) - 1
PAGE_ROWS = 1000
"""Rows that are read in one go: no read lasts long enough to keep the log from being copied into the file."""
VIEW_SQL = read_statements("view.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which rows of an account; an attribute that is not set lets every row pass.

    Attributes:
        states: in one of these states.
        keys: with one of these keys.
        worker: with this member, decided or named by the caller.
        day: YYYYMMDD, 0 for jobs without a day.
        since: changed at this Unix time or later.
        error: with this text in the last error, whatever its case.
        text: with this text in the key, whatever its case.
        newest: only the newest version of each key.
        withdrawn: False leaves out what a person took back before it was sent.
    """

    states: tuple[State, ...] = ()
    keys: tuple[str, ...] = ()
    worker: str | None = None
    day: int | None = None
    since: float | None = None
    error: str | None = None
    text: str | None = None
    newest: bool = False
    withdrawn: bool = True


class SpoolView:
    """A file opened for looking. A context manager; used from the thread that opened it.

    Args:
        path: the file.

    Raises:
        SpoolUnusable: there is none, it is not a spool, or it is of another schema version.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        schema.inspect(self.path)
        if not self.path.is_file() or not self.path.stat().st_size:
            raise SpoolUnusable(f"{self.path}: there is no such spool")
        try:
            self._connection = schema.connect_read_only(self.path)
            self.schema_version = schema.user_version(self._connection)
        except sqlite3.Error as error:
            raise SpoolUnusable(f"{self.path}: cannot be read: {error}") from error
        if self.schema_version < schema.VERSION:
            self._connection.close()
            raise SpoolUnusable(
                f"{self.path}: has schema version {self.schema_version}, this program works with {schema.VERSION}; "
                "`dispatcher spool migrate` brings it there"
            )

    def __repr__(self) -> str:
        return f"<SpoolView {self.path}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back. Idempotent."""
        self._connection.close()

    def owner(self) -> int | None:
        """The process that works on the file; 0: there is none; None: it cannot be told."""
        return holder(self.path)

    def accounts(self) -> dict[str, int]:
        """Number of each account by its name."""
        with self._reading():
            return {name: number for number, name in self._connection.execute(SQL["all_accounts"])}

    def counts(self) -> dict[str, dict[State, int]]:
        """Rows per account and state, every state present. Reads all rows."""
        names = {number: name for name, number in self.accounts().items()}
        counts = {name: dict.fromkeys(State, 0) for name in names.values()}
        with self._reading():
            for account, code, rows in self._connection.execute(SQL["tally"]):
                counts[names[account]][STATES[code]] = rows
        return counts

    def oldest_waiting(self, account: str) -> float | None:
        """Unix time at which the oldest job of an account that is not settled was accepted; None when all are."""
        with self._reading():
            row = self._connection.execute(VIEW_SQL["oldest_waiting"], (self._number(account),)).fetchone()
        return None if row is None else seconds(row[0])

    def stats(self) -> SpoolStats:
        """How large the file is."""
        with self._reading():
            return care.stats(self._connection, self.path)

    def sizes(self) -> dict[str, Any]:
        """The same by name, for printing."""
        size = self.stats()
        return {
            "file_bytes": size.file_bytes,
            "wal_bytes": size.log_bytes,
            "unused_bytes": size.unused_bytes,
            "disk_free_bytes": size.disk_free_bytes,
        }

    def problems(self) -> list[str]:
        """Everything that is wrong with the file, one problem a line; nothing: it is sound.

        Raises:
            SpoolUnusable: a process works on it.
        """
        from dispatcher.spool.invariants import problems  # noqa: PLC0415 - it looks with the statements of this module

        lock = FileLock(self.path)
        try:
            return problems(self.path)
        finally:
            lock.release()

    def prunable(self, *, before: float) -> int:
        """How many settled rows without a change since `before` (Unix time) there are to prune."""
        with self._reading():
            rows = self._connection.execute(VIEW_SQL["prunable_rows"], (micros(before),)).fetchall()
        return sum(count for _, _, count in rows)

    def listed(
        self, account: str, chosen: Filter, *, limit: int, after: int = 0, before: int = LAST_SEQ
    ) -> list[Receipt]:
        """The latest rows of an account that pass a filter, the latest first.

        Args:
            account: its name.
            chosen: the filter.
            limit: rows at most, 0 for all.
            after: only rows with a higher number.
            before: only rows with a lower number.
        """
        with self._reading():
            seqs = self._seqs(account, chosen, after=after, before=before, limit=limit or LAST_SEQ, backwards=True)
            return reading.receipts(self._connection, account, self._number(account), seqs)

    def stream(self, account: str, chosen: Filter) -> Iterator[tuple[Receipt, bytes]]:
        """Rows of an account that pass a filter with their bodies, in the order of acceptance, a page at a time."""
        after = 0
        while True:
            with self._reading():
                seqs = self._seqs(account, chosen, after=after, limit=PAGE_ROWS)
                receipts = reading.receipts(self._connection, account, self._number(account), seqs)
            bodies = self.bodies(account, seqs)
            for receipt in receipts:
                if receipt.seq in bodies:  # pruned between the two reads otherwise
                    yield receipt, bodies[receipt.seq]
            if len(seqs) < PAGE_ROWS:
                return
            after = seqs[-1]

    def versions(self, account: str, key: str) -> list[Receipt]:
        """Every version of a key that is still here, oldest first."""
        with self._reading():
            number = self._number(account)
            seqs = [seq for (seq,) in self._connection.execute(VIEW_SQL["versions"], (number, key))]
            return reading.receipts(self._connection, account, number, seqs)

    def bodies(self, account: str, seqs: Sequence[int]) -> dict[int, bytes]:
        """The jobs as they were stored, by row."""
        with self._reading():
            return reading.bodies(self._connection, self._number(account), seqs)

    def _number(self, account: str) -> int:
        row = self._connection.execute("SELECT id FROM accounts WHERE name = ?", (account,)).fetchone()
        return int(row[0]) if row else 0  # no account has that number: nothing is found

    def last_seq(self) -> int:
        """Number of the last row of all accounts, 0 when there is none."""
        with self._reading():
            return int(self._connection.execute(SQL["last_seq"]).fetchone()[0])

    def _seqs(
        self,
        account: str,
        chosen: Filter,
        *,
        after: int,
        limit: int,
        before: int = LAST_SEQ,
        backwards: bool = False,
    ) -> list[int]:
        """Row numbers in order, each source by the index that leads to it."""
        wanted = set(chosen.states or State)
        if chosen.keys:
            sources: list[tuple[str, State | None]] = [("from_keys", None)]
        elif State.CONFIRMED in wanted:
            sources = [("from_all", None)]
        else:
            sources = [("from_failed" if state in SETTLED else "from_unsettled", state) for state in sorted(wanted)]
        values: dict[str, Any] = {
            "account": self._number(account),
            "states": mask(wanted),
            "keys": json_text(list(dict.fromkeys(chosen.keys))),
            "after": after,
            "before": before,
            "worker": chosen.worker,
            "day": chosen.day,
            "since": None if chosen.since is None else micros(chosen.since),
            "error": chosen.error,
            "text": chosen.text,
            "prefix": None if chosen.withdrawn else WITHDRAWN,
            "newest": chosen.newest,
            "limit": limit,
        }
        found: list[int] = []
        for source, state in sources:
            text = _listed(source, backwards=backwards)
            rows: Iterable[tuple[int]] = self._connection.execute(
                text, values | {"state": None if state is None else CODE[state]}
            )
            found += [seq for (seq,) in rows]
        return sorted(found, reverse=backwards)[:limit]

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise SpoolError(f"{self.path}: cannot be read: {error}") from error


def _listed(source: str, *, backwards: bool) -> str:
    """The statement `listed` over one source."""
    text = VIEW_SQL["listed"].replace("/*from*/", VIEW_SQL[source])
    return text.replace("/*order*/", "DESC" if backwards else "ASC")
