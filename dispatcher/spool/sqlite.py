"""The durable spool in one SQLite file: the side that lives on the event loop.

Writes go to one thread that commits them in groups (`writer.py`), reads to another with a connection of its own, so
that a read never waits for a commit. Claims and counters live here, in memory; they change when a commit has been heard
of.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from dispatcher.errors import SpoolError
from dispatcher.model.histogram import Histogram
from dispatcher.model.records import Accepted, Change, NewJob, Receipt, SpooledJob
from dispatcher.model.state import State
from dispatcher.spool import care, reading
from dispatcher.spool.care import SpoolStats
from dispatcher.spool.encoding import STATES
from dispatcher.spool.lanes import Claims
from dispatcher.spool.ledger import Effects
from dispatcher.spool.moving import check
from dispatcher.spool.opening import Opened, open_file
from dispatcher.spool.room import Room
from dispatcher.spool.writer import COMMIT_BUCKETS_S, Accepting, Answer, Applying, Operation, Tending, Writer

MAX_WAITING = 1024
"""Operations that may wait for the writer; the next caller waits before it hands anything in."""

P = ParamSpec("P")
T = TypeVar("T")


class SqliteSpool:
    """A `Spool` in a file; also see there. Used from one event loop, and by one process at a time.

    Args:
        path: the file, made by `open` when it is missing. `PATH.lock`, `PATH-wal` and `PATH-shm` belong to it.
        max_rows: most unsettled rows of an account before `accept` raises SpoolFull, 0 for no limit.
        min_free_bytes: free space on the disk below which `accept` raises SpoolFull, 0 for no floor.
        max_file_bytes: hard limit of the file's size, 0 for none. Moves need room too: leave them some by `max_rows`.
    """

    def __init__(
        self, path: str | Path, *, max_rows: int = 0, min_free_bytes: int = 0, max_file_bytes: int = 0
    ) -> None:
        self._path = Path(path)
        self._room = Room(
            self._path.parent,
            max_rows=max_rows,
            min_free_bytes=min_free_bytes,
            log=self._path.with_name(self._path.name + "-wal"),
        )
        self._max_file_bytes = max_file_bytes
        self.commits = Histogram(COMMIT_BUCKETS_S)
        """seconds that commits took, the wait for the disk included"""
        self._opened: Opened | None = None
        self._closing: asyncio.Future[None] | None = None

    def __repr__(self) -> str:
        if self._opened is None:
            return f"<SqliteSpool {self._path} closed>"
        return f"<SqliteSpool {self._path} {sum(self._counts.values())} rows, {len(self._claims.held)} claimed>"

    # -- life ---------------------------------------------------------------------------------------------------------

    async def open(self, *, now: float) -> int:
        if self._opened is not None:
            raise SpoolError(f"{self._path}: is open already")
        threads = ThreadPoolExecutor(1, thread_name_prefix="spool-reader")
        opening = threads.submit(open_file, self._path, now=now, max_file_bytes=self._max_file_bytes)
        try:
            opened = await asyncio.shield(asyncio.wrap_future(opening))
        except BaseException:
            # Failed, or cancelled: then the file may be opened after all, and the thread that does so gives it back.
            opening.add_done_callback(_give_back)
            threads.shutdown(wait=False)
            raise
        self._loop = asyncio.get_running_loop()
        self._opened = opened
        self._threads = threads
        self._claims = Claims()
        self._counts = opened.counts
        self._accounts = dict(opened.ledger.accounts)
        self._names = {number: name for name, number in self._accounts.items()}
        self._searches: dict[str, asyncio.Lock] = {}
        self._slots = asyncio.Semaphore(MAX_WAITING)
        self._outbox: list[Operation] = []
        self._closing = None
        self._pruned_to: dict[int | None, int] = {}
        self._writer = Writer(
            opened.writer, opened.ledger, room=self._room, deliver=self._deliver_from_thread, commits=self.commits
        )
        self._writer.start()
        return opened.recovered

    async def close(self) -> None:
        opened = self._opened
        if opened is None:
            return
        if self._closing is None:
            self._post()
            self._writer.stop()
            self._closing = self._loop.run_in_executor(self._threads, self._end, opened)
            self._closing.add_done_callback(self._closed)
        await asyncio.shield(self._closing)

    def _end(self, opened: Opened) -> None:
        """In the reader's thread, after all reads: wait for the writer, then let go of the file."""
        opened.reader.close()
        self._writer.join()
        opened.lock.release()

    def _closed(self, _: asyncio.Future[None]) -> None:
        # The writer's last answers were posted before this, so nobody waits any more.
        self._threads.shutdown()
        self._opened = None

    # -- writing ------------------------------------------------------------------------------------------------------

    def limit_rows(self, account: str, most: int) -> None:
        self._room.limit_rows(account, most)

    async def accept(self, account: str, jobs: Sequence[NewJob], *, now: float) -> list[Accepted]:
        if not jobs:
            return []
        answer: list[Accepted] = await self._write(lambda future: Accepting(account, jobs, now, future))
        return answer

    async def apply(self, changes: Sequence[Change], *, now: float) -> list[int]:
        for change in changes:
            check(change)
        changes = [change for change in changes if change.seqs]
        if not changes:
            return []
        answer: list[int] = await self._write(lambda future: Applying(changes, self._homes(changes), now, future))
        return answer

    def _homes(self, changes: Sequence[Change]) -> list[str | None]:
        """The account of each change's rows, where it is remembered; with one account the writer knows it anyway."""
        if len(self._names) == 1:
            return [None] * len(changes)
        return [self._names.get(self._claims.home(change.seqs) or 0) for change in changes]

    async def _write(self, operation: Callable[[asyncio.Future[Any]], Operation]) -> Any:
        """Hand in an operation and wait for the commit. A caller that is cancelled meanwhile no longer hears of it."""
        self._check_open()
        async with self._slots:
            self._check_open()
            future: asyncio.Future[Any] = self._loop.create_future()
            self._hand_in(operation(future))
            return await future

    def _hand_in(self, operation: Operation) -> None:
        """All that one turn of the event loop brings goes to the writer in one piece, at the turn's end.

        The writer then commits it together, and does not fight with the loop for the interpreter meanwhile.
        """
        if not self._outbox:
            self._loop.call_soon(self._post)
        self._outbox.append(operation)

    def _post(self) -> None:
        outbox, self._outbox = self._outbox, []
        for operation in outbox:
            self._writer.submit(operation)

    def _check_open(self) -> Opened:
        if self._opened is None or self._closing is not None:
            raise SpoolError(f"{self._path}: the spool is not open")
        return self._opened

    def _deliver_from_thread(self, outcomes: list[tuple[Operation, Answer]], effects: Effects) -> None:
        with suppress(RuntimeError):  # the loop is gone, and with it everybody who waited
            self._loop.call_soon_threadsafe(self._deliver, outcomes, effects)

    def _deliver(self, outcomes: list[tuple[Operation, Answer]], effects: Effects) -> None:
        """Make the memory agree with a commit, then answer those who waited for it."""
        self._accounts.update(effects.accounts)
        self._names.update({number: name for name, number in effects.accounts.items()})
        for place, n in effects.counts.items():
            self._counts[place] += n
        for moved in effects.moved:
            self._claims.moved(moved.account, moved.seqs, moved.to, due=moved.due)
        for number, state, seq in effects.freed:
            self._claims.lane(number, state).lower(seq)
        for operation, answer in outcomes:
            future = operation.tag
            if future.done():
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)

    # -- claims -------------------------------------------------------------------------------------------------------

    async def claim(
        self, account: str, *, limit: int, now: float, states: Sequence[State] = (State.ACCEPTED, State.ASSIGNED)
    ) -> list[SpooledJob]:
        number = self._number(account)
        if number is None or limit <= 0:
            return []
        claims = self._claims
        async with self._searches.setdefault(account, asyncio.Lock()):
            lanes = [claims.lane(number, state) for state in dict.fromkeys(states)]
            for lane in lanes:
                lane.search_begins()
            moved = claims.watch()
            try:
                floors = [(lane.state, lane.floor) for lane in lanes]
                jobs, examined = await self._read(reading.claim, number, floors, now=now, limit=limit, held=claims.held)
            finally:
                claims.unwatch(moved)
            for lane in lanes:
                lane.search_ends(examined[lane.state])
            jobs = [job for job in jobs if job.seq not in moved]
            for job in jobs:
                claims.take(claims.lane(number, job.state), job.seq)
            return jobs

    async def release(self, seqs: Sequence[int]) -> None:
        self._check_open()
        self._claims.release(seqs)

    # -- reading ------------------------------------------------------------------------------------------------------

    async def next_due(self, account: str, *, now: float) -> float | None:
        number = self._number(account)
        if number is None:
            return None
        return await self._read(reading.next_due, number, now=now, held=self._claims.held)

    async def counts(self, account: str) -> dict[State, int]:
        number = self._number(account)
        return {state: self._counts[number or 0, code] for code, state in enumerate(STATES)}

    async def receipt(self, account: str, key: str, *, version: int | None = None) -> Receipt | None:
        number = self._number(account)
        if number is None:
            return None

        def newest(connection: sqlite3.Connection) -> list[Receipt]:
            return reading.receipts(connection, account, number, reading.seq_of(connection, number, key, version))

        found = await self._read(newest)
        return found[0] if found else None

    async def receipts(
        self,
        account: str,
        *,
        states: Sequence[State] = (),
        after_seq: int = 0,
        limit: int = 100,
        seqs: Sequence[int] | None = None,
    ) -> list[Receipt]:
        number = self._number(account)
        if number is None or limit <= 0:
            return []
        chosen = None if seqs is None else sorted({seq for seq in seqs if seq > after_seq})

        def page(connection: sqlite3.Connection) -> list[Receipt]:
            found = chosen
            if found is None:
                found = reading.page_seqs(connection, number, states, after=after_seq, limit=limit)
            receipts = reading.receipts(connection, account, number, found)
            return [receipt for receipt in receipts if not states or receipt.state in states][:limit]

        return await self._read(page)

    async def bodies(self, account: str, seqs: Sequence[int]) -> dict[int, bytes]:
        number = self._number(account)
        return {} if number is None else await self._read(reading.bodies, number, seqs)

    async def decided(self, account: str) -> AsyncIterator[SpooledJob]:
        number = self._number(account)
        after = 0
        while number is not None:
            jobs, after = await self._read(_decided, number, after)
            for job in jobs:
                yield job
            if not after:
                return

    def _number(self, account: str) -> int | None:
        self._check_open()
        return self._accounts.get(account)

    async def _read(
        self, question: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Ask the reader's connection, in its thread."""
        reader = self._check_open().reader
        try:
            return await self._loop.run_in_executor(self._threads, lambda: question(reader, *args, **kwargs))
        except sqlite3.Error as error:
            raise SpoolError(f"{self._path}: cannot be read: {error}") from error

    # -- care ---------------------------------------------------------------------------------------------------------

    async def prune(self, *, before: float, limit: int = 1000, account: str | None = None) -> int:
        number = None if account is None else self._number(account)
        self._check_open()
        if account is not None and number is None:
            return 0
        after = self._pruned_to.get(number, 0)
        seqs: list[int] = []
        while not seqs:
            seqs, after = await self._read(care.prunable, before=before, after=after, limit=limit, account=number)
            self._pruned_to[number] = after
            if not seqs and not after:
                return 0
        dropped: int = await self._write(lambda future: Tending(partial(care.drop, seqs=seqs, before=before), future))
        return dropped

    async def check(self) -> list[str]:
        """Read the whole file and say what is wrong with it, one problem a line; nothing: it is sound."""
        self._check_open()
        return await asyncio.to_thread(care.check, self._path)

    async def stats(self) -> SpoolStats:
        """How large the file is."""
        return await self._read(care.stats, self._path)

    async def vacuum(self) -> None:
        """Give the room that pruned rows have left back to the disk.

        Writes wait meanwhile, and the disk needs room for a second copy of the file.
        """
        await self._write(lambda future: Tending(care.vacuum, future))


def _give_back(opening: Future[Opened]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


def _decided(connection: sqlite3.Connection, number: int, after: int) -> tuple[list[SpooledJob], int]:
    """A page of decided rows, and where the next one begins; 0: that was the last."""
    states = (State.ASSIGNED, State.SENDING, State.UNKNOWN)
    seqs = reading.open_seqs(connection, number, states, after=after, limit=reading.ROWS_PER_READ)
    jobs = [job for job in reading.spooled(connection, number, seqs) if job.worker is not None and job.state in states]
    return jobs, seqs[-1] if len(seqs) == reading.ROWS_PER_READ else 0
