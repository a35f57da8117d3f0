"""The one thread that writes: takes all that waits, writes it in one transaction, commits once, answers all."""

from __future__ import annotations

import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from dispatcher.errors import SpoolError, SpoolFull
from dispatcher.model import points
from dispatcher.model.histogram import Histogram
from dispatcher.model.records import Accepted, Change, NewJob
from dispatcher.spool.accepting import accept
from dispatcher.spool.ledger import Effects, Ledger
from dispatcher.spool.moving import Unexpected, move
from dispatcher.spool.room import Room

MAX_GROUP_ROWS = 20_000
"""Rows of one commit: about half a second of work, so that nobody waits longer for those who came before."""
FOLD_EVERY_S = 0.5
"""The log is copied into the file at most this often for want of room."""
COMMIT_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""From a disk with a cache of its own to one in trouble."""


@dataclass(slots=True, frozen=True, eq=False)
class Accepting:
    """Jobs of one call to store."""

    account: str
    jobs: Sequence[NewJob]
    now: float
    tag: Any = None

    @property
    def rows(self) -> int:
        return len(self.jobs)


@dataclass(slots=True, frozen=True, eq=False)
class Applying:
    """Changes of one call; `homes` names the account of each change's rows where it is known."""

    changes: Sequence[Change]
    homes: Sequence[str | None]
    now: float
    tag: Any = None

    @property
    def rows(self) -> int:
        return sum(len(change.seqs) for change in self.changes)


@dataclass(slots=True, frozen=True, eq=False)
class Tending:
    """Care of the file that runs on its own, between two groups; does its own transaction."""

    work: Callable[[sqlite3.Connection, Ledger, Effects], Any]
    tag: Any = None


Operation = Accepting | Applying | Tending
Answer = list[Accepted] | list[int] | Any | Exception
Deliver = Callable[[list[tuple[Operation, Answer]], Effects], None]


class Writer(threading.Thread):
    """Group commit over one connection.

    An operation that fails spoils no other: when a group fails, it is undone and its operations are written one by one.
    When the disk's room is short, the log is copied into the file and cut while there is room for that: it holds pages
    that moves wrote again and again, and would keep outcomes from being written.

    Args:
        connection: used by this thread alone from now on, closed by it at the end.
        ledger: what the file holds.
        room: says whether there is room for more.
        deliver: called in this thread with the answers after the commit that holds them (or after the failure).
        commits: told the seconds that each commit took.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        ledger: Ledger,
        *,
        room: Room,
        deliver: Deliver,
        commits: Histogram,
    ) -> None:
        super().__init__(name="spool-writer", daemon=True)
        self._connection = connection
        self._ledger = ledger
        self._room = room
        self._deliver = deliver
        self._waiting: queue.SimpleQueue[Operation | None] = queue.SimpleQueue()
        self._fold_at = 0.0
        self._commits = commits

    def submit(self, operation: Operation) -> None:
        """Hand in an operation. Never waits."""
        self._waiting.put(operation)

    def stop(self) -> None:
        """End after everything handed in so far."""
        self._waiting.put(None)

    def run(self) -> None:
        """Write until stopped."""
        try:
            while (operation := self._waiting.get()) is not None:
                group, alone = self._gather(operation)
                if group:
                    self._write_group(group)
                if alone is not None:
                    self._tend(alone)
        finally:
            self._connection.close()

    def _gather(self, first: Operation) -> tuple[list[Operation], Tending | None]:
        """What waits now, up to a full group; and the tending, if any, that must come after it."""
        group: list[Operation] = []
        rows = 0
        operation: Operation | None = first
        while operation is not None:
            if isinstance(operation, Tending):
                return group, operation
            group.append(operation)
            rows += operation.rows
            if rows >= MAX_GROUP_ROWS:
                break
            try:
                operation = self._waiting.get_nowait()
            except queue.Empty:
                break
            if operation is None:
                self.stop()  # seen too early: put it back behind what we have
        return group, None

    def _write_group(self, group: list[Operation]) -> None:
        if self._room.tight():
            self._fold_log()
        try:
            outcome = self._transaction(group, careful=False)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, those who wait must hear of it
            self._undo()
            full = is_full(error)
            if full:
                self._fold_log()
            if len(group) > 1 or full or isinstance(error, Unexpected):
                for operation in group:
                    self._write_alone(operation)
                return
            outcome = [(group[0], refusal(group[0], error))], Effects()
        self._deliver(*outcome)

    def _write_alone(self, operation: Operation) -> None:
        try:
            outcome = self._transaction([operation], careful=True)
        except Exception as error:  # noqa: BLE001 - as above
            self._undo()
            outcome = [(operation, refusal(operation, error))], Effects()
        self._deliver(*outcome)

    def _transaction(
        self, group: Sequence[Operation], *, careful: bool
    ) -> tuple[list[tuple[Operation, Answer]], Effects]:
        """Write the group and commit; the answers, and what changed."""
        ledger = self._ledger.copy()
        effects = Effects()
        answers: list[tuple[Operation, Answer]] = []
        self._connection.execute("BEGIN IMMEDIATE")
        by_account: dict[str, list[Accepting]] = {}
        for operation in group:
            if isinstance(operation, Accepting):
                by_account.setdefault(operation.account, []).append(operation)
        for account, calls in by_account.items():
            stored = accept(
                self._connection,
                ledger,
                effects,
                account,
                [(call.jobs, call.now) for call in calls],
                check_room=self._room.check,
            )
            answers += zip(calls, stored, strict=True)
        for operation in group:
            if isinstance(operation, Applying):
                answers.append((operation, self._apply(ledger, effects, operation, careful=careful)))
        points.reached("commit.before")
        began = time.perf_counter()
        self._connection.commit()
        self._commits.observe(time.perf_counter() - began)
        points.reached("commit.after")
        self._ledger = ledger
        return answers, effects

    def _apply(self, ledger: Ledger, effects: Effects, operation: Applying, *, careful: bool) -> list[int]:
        only = next(iter(ledger.accounts.values())) if len(ledger.accounts) == 1 else None
        left: list[int] = []
        for change, name in zip(operation.changes, operation.homes, strict=True):
            home = None if careful else only if name is None else ledger.accounts.get(name)
            left += move(self._connection, ledger, effects, change, operation.now, home=home)
        return left

    def _tend(self, operation: Tending) -> None:
        effects = Effects()
        answer: Answer
        ledger = self._ledger.copy()
        try:
            answer = operation.work(self._connection, ledger, effects)
            self._ledger = ledger
        except Exception as error:  # noqa: BLE001
            self._undo()
            effects, answer = Effects(), refusal(operation, error)
        self._deliver([(operation, answer)], effects)

    def _fold_log(self) -> None:
        """Copy the log into the file and give its room back to the disk, as far as that is possible."""
        now = time.monotonic()
        if now >= self._fold_at:
            self._fold_at = now + FOLD_EVERY_S
            with suppress(sqlite3.Error):  # no room for that either: the log stays, and nothing is lost
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            self._room.look_anew()

    def _undo(self) -> None:
        # SQLite undoes some failures (a full disk) by itself; then there is nothing left to roll back.
        if self._connection.in_transaction:
            with suppress(sqlite3.Error):  # the next BEGIN will say it again, to somebody who waits for an answer
                self._connection.rollback()


def is_full(error: Exception) -> bool:
    """True when SQLite found no room on the disk or in the file."""
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL


def refusal(operation: Operation, error: Exception) -> SpoolError:
    """The failure of an operation in the words of the port."""
    if isinstance(error, SpoolError):
        return error
    if is_full(error) and isinstance(operation, Accepting):
        answer: SpoolError = SpoolFull(f"the spool has no room: {error}")
    else:
        answer = SpoolError(f"the spool could not write: {error}")
    answer.__cause__ = error
    return answer
