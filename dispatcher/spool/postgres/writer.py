"""The one who writes: takes all that waits, writes it in one transaction, commits once, answers all."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg

from dispatcher.errors import SpoolError, SpoolFull
from dispatcher.model import points
from dispatcher.model.histogram import Histogram
from dispatcher.model.records import Change, NewJob
from dispatcher.spool.postgres.group import Group
from dispatcher.spool.postgres.hand import Hand
from dispatcher.spool.postgres.link import LOST, DatabaseAway, Link
from dispatcher.spool.postgres.moving import Moves, Unexpected
from dispatcher.spool.postgres.node import Node
from dispatcher.spool.postgres.statements import SQL, with_numbers
from dispatcher.spool.postgres.storing import accept
from dispatcher.spool.room import RowLimits

if TYPE_CHECKING:
    from dispatcher.spool.postgres.link import Connection

MAX_GROUP_ROWS = 20_000
"""Rows of one commit: under a second of work, so that nobody waits longer for those who came before."""
MAX_NEW_ROWS = 2000
"""New rows of one commit: those who send wait for the same commits, and a flood of new jobs must not hold them up."""
TRIES = 8
"""How often a transaction that met another node's is tried again, before its calls are written one by one."""
ASK_AGAIN_S = 0.5
"""Between two questions what became of a commit."""

AGAIN = (
    asyncpg.UniqueViolationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
)
"""Another node was faster: what it wrote is seen the next time."""
FULL = (asyncpg.DiskFullError, asyncpg.OutOfMemoryError)


@dataclass(slots=True, frozen=True, eq=False)
class Accepting:
    """Jobs of one call to store."""

    account: str
    jobs: Sequence[NewJob]
    now: float
    future: asyncio.Future[Any]

    @property
    def rows(self) -> int:
        return len(self.jobs)


@dataclass(slots=True, frozen=True, eq=False)
class Applying:
    """Changes of one call."""

    changes: Sequence[Change]
    now: float
    future: asyncio.Future[Any]

    @property
    def rows(self) -> int:
        return sum(len(change.seqs) for change in self.changes)


@dataclass(slots=True, frozen=True, eq=False)
class Tending:
    """Anything else that belongs into a transaction under the fence."""

    work: Callable[[Connection, Group], Awaitable[Any]]
    future: asyncio.Future[Any]
    rows: int = MAX_GROUP_ROWS


Operation = Accepting | Applying | Tending
Answers = list[tuple[Operation, Any]]


class Ended(Exception):  # noqa: N818 - what was found
    """This node was ended: nothing of the transaction is written."""


class Doubt(Exception):  # noqa: N818 - likewise
    """The connection was lost while the transaction was being committed."""

    def __init__(self, number: int, answers: Answers, group: Group) -> None:
        super().__init__("the answer to a commit was lost")
        self.number = number
        self.answers = answers
        self.group = group


class Writer:
    """Group commit over one connection.

    An operation that fails spoils no other: when a group fails, its operations are written one by one. When the answer
    to a commit is lost, nobody is answered until it is known what became of it: each write has a number, and the last
    one is in the node's row.

    Args:
        link: for this writer alone.
        node: this process.
        hand: what this process holds; changed when a commit has been heard of.
        accounts: name → number; added to.
        limits: of the accounts' unsettled rows.
        commits: told the seconds that each commit took.
        clock: Unix time in seconds.
        changed: told the number of each account of which a commit has changed rows.
    """

    def __init__(
        self,
        link: Link,
        node: Node,
        *,
        hand: Hand,
        accounts: dict[str, int],
        limits: RowLimits,
        commits: Histogram,
        clock: Callable[[], float],
        changed: Callable[[int], None],
    ) -> None:
        self._link = link
        self._node = node
        self._hand = hand
        self._accounts = accounts
        self._limits = limits
        self._commits = commits
        self._clock = clock
        self._changed = changed
        self._waiting: deque[Operation] = deque()
        self._some = asyncio.Event()
        self._at_work: list[Operation] = []
        self._stopping = False
        self._ended = False
        self._number = 0
        self.lost_leases = 0
        """how often this process had to begin anew as another node"""
        self.failures = 0
        """groups that were not written because the database was away"""

    def submit(self, operation: Operation) -> None:
        """Hand in an operation. Never waits.

        Raises:
            SpoolError: nobody writes any more.
        """
        if self._ended:
            raise SpoolError("the spool's writer has ended")
        self._waiting.append(operation)
        self._some.set()

    def stop(self) -> None:
        """End after everything handed in so far."""
        self._stopping = True
        self._some.set()

    async def run(self) -> None:
        """Write until stopped. However this ends, nobody is left waiting."""
        try:
            while True:
                await self._some.wait()
                self._some.clear()
                while self._waiting:
                    self._at_work = self._gather()
                    await self._write(self._at_work)
                if self._stopping:
                    return
        finally:
            self._ended = True
            for operation in (*self._at_work, *self._waiting):
                if not operation.future.done():
                    operation.future.set_exception(SpoolError("the spool's writer has ended"))

    def _gather(self) -> list[Operation]:
        """What waits now, up to a full group; the first always, and of new rows no more than their share."""
        group: list[Operation] = []
        rest: deque[Operation] = deque()
        rows = new_rows = 0
        for operation in self._waiting:
            new = operation.rows if isinstance(operation, Accepting) else 0
            if isinstance(operation, Tending) and operation.future.cancelled():
                continue
            if group and (
                rows + operation.rows > MAX_GROUP_ROWS or (new and new_rows and new_rows + new > MAX_NEW_ROWS)
            ):
                rest.append(operation)
            else:
                group.append(operation)
                rows += operation.rows
                new_rows += new
        self._waiting = rest
        return group

    async def _write(self, operations: list[Operation]) -> None:
        if not operations:
            return
        try:
            answers = await self._until_known(operations)
        except DatabaseAway as error:
            self.failures += 1
            answers = [(operation, error) for operation in operations]
        except Exception as error:  # noqa: BLE001 - whatever went wrong, those who wait must hear of it
            if len(operations) > 1:
                for operation in operations:
                    await self._write([operation])
                return
            answers = [(operations[0], _refusal(operations[0], error))]
        for operation, answer in answers:
            if operation.future.done():
                continue
            if isinstance(answer, Exception):
                operation.future.set_exception(answer)
            else:
                operation.future.set_result(answer)

    async def _until_known(self, operations: list[Operation]) -> Answers:
        """Write the operations once, however often that takes."""
        careful = False
        for left in range(TRIES - 1, -1, -1):
            try:
                async with self._link.use() as connection:
                    try:
                        answers, group = await self._transaction(connection, operations, careful=careful)
                    except Unexpected:
                        careful = True
                        continue
                    except Ended:
                        self.lost_leases += 1
                        self._hand.lost()
                        await self._node.rejoin(connection, now=self._clock())
                        continue
                    except AGAIN:
                        if not left:
                            raise
                        continue
            except Doubt as doubt:
                if not await self._became(doubt.number):
                    self._hand.take_back(doubt.group.let_go)
                    continue
                answers, group = doubt.answers, doubt.group
            self._keep(group)
            return answers
        raise SpoolError("the spool could not write: other nodes were faster every time")

    async def _transaction(
        self, connection: Connection, operations: Sequence[Operation], *, careful: bool
    ) -> tuple[Answers, Group]:
        """Write the group and commit; the answers, and what changed.

        Raises:
            Ended: nothing is written.
            Unexpected: likewise; it must be written with more care.
            Doubt: it may be written, or not.
        """
        group = Group(self._node.id, self._hand, careful=careful, accounts=dict(self._accounts))
        self._number += 1
        number = self._number
        begun = time.monotonic()
        try:
            await self._begin(connection, number)
            answers = await self._work(connection, group, operations)
            points.reached("commit.before")
        except LOST:
            raise
        except BaseException:
            await connection.execute("ROLLBACK")
            raise
        began = time.perf_counter()
        # Once this is done the rows can be claimed anew, and the answer to that claim may come before the commit's.
        group.let_go = self._hand.let_go([seq for seq, hold in group.holds.items() if hold is None])
        try:
            await connection.execute(f"{group.counting()}; COMMIT")
        except LOST as error:
            connection.terminate()
            raise Doubt(number, answers, group) from error
        except BaseException:
            self._hand.take_back(group.let_go)
            if connection.is_in_transaction():
                await connection.execute("ROLLBACK")
            raise
        self._commits.observe(time.perf_counter() - began)
        self._node.renewed(begun)
        points.reached("commit.after")
        return answers, group

    async def _begin(self, connection: Connection, number: int) -> None:
        """Begin behind the fence, in one message: each one costs as much time as a busy loop takes to come round."""
        fence = with_numbers(SQL["fence"], self._node.id, number, self._node.lease_s)
        if await connection.execute(f"BEGIN; {fence}") != "UPDATE 1":
            raise Ended

    async def _work(self, connection: Connection, group: Group, operations: Sequence[Operation]) -> Answers:
        answers: Answers = []
        by_account: dict[str, list[Accepting]] = {}
        for operation in operations:
            if isinstance(operation, Accepting):
                by_account.setdefault(operation.account, []).append(operation)
        for account, calls in by_account.items():
            given = [(call.jobs, call.now) for call in calls]
            stored = await accept(connection, group, account, given, limits=self._limits)
            answers += zip(calls, stored, strict=True)
        moves = Moves(connection, group)
        for operation in operations:
            if isinstance(operation, Applying):
                left: list[int] = []
                for change in operation.changes:
                    left += await moves.add(change, operation.now)
                answers.append((operation, left))
            elif isinstance(operation, Tending):
                await moves.write()
                answers.append((operation, await operation.work(connection, group)))
        await moves.write()
        return answers

    async def _became(self, number: int) -> bool:
        """Whether the write with this number was committed, asked until the database answers.

        Raises:
            SpoolError: the writer is to stop, and it is not known.
        """
        while True:
            try:
                async with self._link.use() as connection:
                    return int(await connection.fetchval(SQL["last_write"], self._node.id) or 0) >= number
            except DatabaseAway as error:
                if self._stopping:
                    raise SpoolError(f"{error}; it is not known whether the last write was stored") from error
                await asyncio.sleep(ASK_AGAIN_S)

    def _keep(self, group: Group) -> None:
        """Make the memory agree with a commit."""
        self._accounts.update(group.accounts)
        for account in {account for account, _ in group.counts}:
            self._changed(account)
        self._hand.keep(group.holds, group.waiting, now=time.monotonic())


def _refusal(operation: Operation, error: Exception) -> SpoolError:
    """The failure of an operation in the words of the port."""
    if isinstance(error, SpoolError):
        cause = error.__cause__
        if isinstance(cause, FULL) and isinstance(operation, Accepting):
            full = SpoolFull(f"the spool has no room: {cause}")
            full.__cause__ = cause
            return full
        return error
    answer = SpoolError(f"the spool could not write: {error}")
    answer.__cause__ = error
    return answer
