"""The durable spool on PostgreSQL, shared by any number of processes.

Writes go over one connection in groups (`writer.py`), claims over a second (`claiming.py`), reads over a third. What a
process holds is its own for as long as it renews its lease (`node.py`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from dispatcher.errors import SpoolError, SpoolUnusable
from dispatcher.model.histogram import Histogram
from dispatcher.model.records import Accepted, Change, NewJob, Receipt, SpooledJob
from dispatcher.model.state import State
from dispatcher.spool.encoding import STATES
from dispatcher.spool.moving import check
from dispatcher.spool.port import Collected
from dispatcher.spool.postgres import care, copying, outbox, reading, schema, stats
from dispatcher.spool.postgres.claiming import Claimer
from dispatcher.spool.postgres.cluster import PostgresCluster
from dispatcher.spool.postgres.group import Group
from dispatcher.spool.postgres.hand import Hand
from dispatcher.spool.postgres.hints import Hints
from dispatcher.spool.postgres.limits import PostgresLimits
from dispatcher.spool.postgres.link import Address, DatabaseAway, Link
from dispatcher.spool.postgres.node import Node
from dispatcher.spool.postgres.pulse import WAITING, Pulse
from dispatcher.spool.postgres.statements import SQL
from dispatcher.spool.postgres.writer import Accepting, Applying, Operation, Tending, Writer
from dispatcher.spool.room import RowLimits
from dispatcher.spool.roster import Roster
from dispatcher.spool.writer import COMMIT_BUCKETS_S

if TYPE_CHECKING:
    from dispatcher.spool.postgres.link import Connection

_log = logging.getLogger("dispatcher.spool")

MAX_WAITING = 1024
"""Operations that may wait for the writer; the next caller waits before it hands anything in."""
DECIDED = (State.ASSIGNED, State.SENDING, State.UNKNOWN)

T = TypeVar("T")
Work = Callable[["Connection", Group], Awaitable[Any]]


class PostgresSpool:
    """A `Spool` in a PostgreSQL database; also see there.

    Used from one event loop, beside any number of other processes.

    Rows are handed out until the lease ends: a process that has not reached the database for `lease_s` seconds is taken
    for dead, its rows go to the others, and nothing that it writes later is taken.

    Args:
        url: such as `postgresql://user@host/database`; also see `Address`.
        node: name of this process, the same after every restart and nobody else's. Then what its last life has left is
            taken over at once, otherwise when the lease has run out.
        max_rows: most unsettled rows of an account before `accept` raises SpoolFull, 0 for no limit.
        lease_s: how long the process may be silent, in seconds; without it the address says.
        clock: Unix time in seconds, for rows that other processes have left. Leases go by the database's clock.
    """

    def __init__(
        self,
        url: str,
        *,
        node: str = "",
        max_rows: int = 0,
        lease_s: float | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.address = Address.read(url)
        self.node = Node(node, lease_s=lease_s or self.address.lease_s)
        self.shared_limits = PostgresLimits(self.address, self.node)
        self.commits = Histogram(COMMIT_BUCKETS_S)
        """seconds that commits took"""
        self._hints = Hints(self.address, self.node)
        self.cluster = PostgresCluster(self.node, self._hints, write=self._tend, through=self._through, clock=clock)
        """this process among the others, see `Cluster`"""
        self._hints.watch(self._stir)  # before those who look at once
        self._hints.hear(lambda hint: self._stir(hint.account))
        self._limits = RowLimits(max_rows)
        self._clock = clock
        self._links: tuple[Link, ...] = ()
        self._open = False

    def __repr__(self) -> str:
        if not self._open:
            return f"<PostgresSpool {self.address} closed>"
        return f"<PostgresSpool {self.address} as {self.node.name}, {len(self._hand)} in hand>"

    # -- life ---------------------------------------------------------------------------------------------------------

    async def open(self, *, now: float) -> int:
        """Reach the database, make or migrate the tables, and join as a node.

        Returns how many rows an earlier life of this node was sending: they are `unknown` now, and due.

        Raises:
            SpoolUnusable: the database cannot be reached, or its tables are not ours or too new.
        """
        if self._open:
            raise SpoolError(f"{self.address}: is open already")
        # Claims are planned anew each time: the best way through a nearly empty table is the worst a minute later.
        addresses = (self.address, replace(self.address, prepared=False), self.address)
        writing, claiming, self._reading = self._links = tuple(map(Link, addresses))
        migrating = Link(self.address, patient=True)
        try:
            async with migrating.use() as connection:
                await schema.migrate(connection)
            async with writing.use() as connection:
                recovered = await self.node.join(connection, now=now)
                accounts = {name: number for number, name in await connection.fetch(SQL["all_accounts"])}
        except BaseException as error:
            await self._give_back()
            if isinstance(error, SpoolError) and not isinstance(error, SpoolUnusable):
                raise SpoolUnusable(f"cannot be used: {error}") from error
            raise
        finally:
            await migrating.close()
        self._hand = Hand(lambda: self.cluster.alone)
        self._accounts = accounts
        self._pruned_to: dict[int | None, int] = {}
        self._slots = asyncio.Semaphore(MAX_WAITING)
        self._claimer = Claimer(claiming, self.node, hand=self._hand, sweep=self._sweep)
        self._pulse = Pulse(self._reading, numbers=accounts)
        self._writer = Writer(
            writing,
            self.node,
            hand=self._hand,
            accounts=accounts,
            limits=self._limits,
            commits=self.commits,
            clock=self._clock,
            changed=self._pulse.stir,
        )
        self._looking = asyncio.create_task(self._pulse.run(), name="spool pulse")
        self._writing = asyncio.create_task(self._writer.run(), name="spool writer")
        self._beating = asyncio.create_task(self.cluster.run(), name="spool lease")
        self._tidying = asyncio.create_task(self._claimer.tidy(), name="spool hand")
        if self.address.listen:
            self._hints.start()
        self._closing: asyncio.Task[None] | None = None
        self._open = True
        return recovered

    async def close(self) -> None:
        if not self._open:
            return
        if self._closing is None:
            self._closing = asyncio.create_task(self._end(), name="spool close")
        await asyncio.shield(self._closing)

    async def _end(self) -> None:
        for task in (self._beating, self._looking, self._tidying):
            task.cancel()
        await asyncio.gather(self._beating, self._looking, self._tidying, return_exceptions=True)
        self._writer.stop()
        await self._writing
        await self._claimer.finish()
        with suppress(SpoolError):  # then the lease ends by itself
            async with self._links[0].use() as connection:
                await self.node.leave(connection)
        self.cluster.left()
        await self._hints.close()
        await self._give_back()
        self._open = False

    async def _give_back(self) -> None:
        await self.shared_limits.close()
        for link in self._links:
            await link.close()

    def abandon(self) -> None:
        """Die without a word, for tests: as a killed process would, this leaves a node and its claims behind."""
        for task in (self._beating, self._looking, self._tidying, self._writing):
            task.cancel()
        self._hints.abandon()
        self.shared_limits.cut()
        for link in self._links:
            link.cut()
        self._open = False

    def limit_rows(self, account: str, most: int) -> None:
        self._limits.set(account, most)

    # -- among others -------------------------------------------------------------------------------------------------

    @property
    def node_id(self) -> int:
        return self.node.id

    @property
    def lease_runs(self) -> bool:
        return self.node.lives

    @property
    def failures(self) -> int:
        """Writes that did not come to pass because the database was away."""
        return self._writer.failures if self._open else 0

    def introduce(self, *, program: str, address: str, report: Callable[[], str]) -> None:
        self.node.program, self.node.address, self.node.report = program, address, report

    async def roster(self) -> Roster:
        return await self._ask(stats.roster)

    # -- writing ------------------------------------------------------------------------------------------------------

    async def accept(self, account: str, jobs: Sequence[NewJob], *, now: float) -> list[Accepted]:
        if not jobs:
            return []
        answer: list[Accepted] = await self._write(partial(Accepting, account, jobs, now))
        return answer

    async def apply(self, changes: Sequence[Change], *, now: float) -> list[int]:
        for change in changes:
            check(change)
        changes = [change for change in changes if change.seqs]
        if not changes:
            return []
        answer: list[int] = await self._write(partial(Applying, changes, now))
        return answer

    async def collect(self, account: str, *, now: float, limit: int = outbox.PAGE_JOBS) -> Collected:
        """Take in what backends have enqueued by `dispatcher.enqueue`; see `Outbox.collect`."""
        self._check_open()
        if self._pulse.empty(account):
            return Collected()
        async with self._reading.use() as connection:
            if not await connection.fetchval(SQL["outbox_waits"], account):
                return Collected()
        work = partial(outbox.collect, account=account, now=now, limit=limit, limits=self._limits)
        answer: Collected = await self._write(partial(Tending, work))
        return answer

    def watch(self, watcher: Callable[[str], None]) -> Callable[[], None]:
        """See `Outbox.watch`. Without effect where the address says `listen=off`."""
        return self._hints.watch(watcher)

    async def adopt(self, rows: Sequence[copying.WholeRow]) -> int:
        """Write rows of a file as they are there, but for those that are here already; returns how many were written.

        Raises:
            SpoolError: one is here with other content; nothing was written.
        """
        answer: int = await self._write(partial(Tending, partial(copying.adopt, rows=rows)))
        return answer

    async def _tend(self, work: Work) -> Any:
        """Run work beside the writes of others, for the cluster."""
        return await self._write(partial(Tending, work, rows=1))

    async def _write(self, operation: Callable[..., Operation]) -> Any:
        """Hand in an operation and wait for the commit. A caller that is cancelled meanwhile no longer hears of it."""
        self._check_open()
        async with self._slots:
            self._check_open()
            future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            self._writer.submit(operation(future=future))
            return await future

    def _stir(self, account: str) -> None:
        """A hint came."""
        if self._open:
            self._pulse.stir(account)

    def _check_open(self) -> None:
        if not self._open or self._closing is not None:
            raise SpoolError(f"{self.address}: the spool is not open")

    # -- claims -------------------------------------------------------------------------------------------------------

    async def claim(
        self, account: str, *, limit: int, now: float, states: Sequence[State] = (State.ACCEPTED, State.ASSIGNED)
    ) -> list[SpooledJob]:
        self._check_open()
        if limit <= 0:
            return []
        if self._pulse.quiet(account, states, now=now):
            return self._claimer.in_hand(self._accounts.get(account, 0), limit=limit, states=states)
        number = await self._number(account)
        if number is None:
            return []
        return await self._claimer.claim(number, limit=limit, now=now, states=states)

    async def release(self, seqs: Sequence[int]) -> None:
        self._check_open()
        try:
            await self._claimer.release(seqs)
        finally:
            self._pulse.stir_all()

    async def _sweep(self) -> None:
        """Give back what names this node and is not in hand; in the writer's turn, so that nothing is half written."""

        async def work(connection: Connection, group: Group) -> None:
            known = [*self._hand.rows, *(seq for seq, hold in group.holds.items() if hold)]
            await connection.execute(SQL["release_others"], group.node, known)

        await self._write(partial(Tending, work, rows=1))

    # -- reading ------------------------------------------------------------------------------------------------------

    async def next_due(self, account: str, *, now: float) -> float | None:
        self._check_open()
        known, at = self._pulse.next_due(account, now=now)
        if known:
            return at
        number = await self._number(account)
        if number is None:
            return None
        return await self._ask(partial(reading.next_due, account=number, states=WAITING, now=now))

    async def counts(self, account: str) -> dict[State, int]:
        self._check_open()
        if (known := self._pulse.counts(account)) is not None:
            return known
        number = await self._number(account)
        rows = [] if number is None else await self._ask(lambda connection: connection.fetch(SQL["counts"], number))
        counted = {STATES[code]: count for code, count in rows}
        return {state: counted.get(state, 0) for state in STATES}

    async def receipt(self, account: str, key: str, *, version: int | None = None) -> Receipt | None:
        number = await self._number(account)
        if number is None:
            return None

        async def newest(connection: Connection) -> list[Receipt]:
            seqs = await reading.numbers(connection, SQL["seq_of"], number, key, version)
            return await reading.receipts(connection, account, number, seqs)

        found = await self._ask(newest)
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
        number = await self._number(account)
        if number is None or limit <= 0:
            return []

        async def page(connection: Connection) -> list[Receipt]:
            if seqs is None:
                found = await reading.page_seqs(connection, number, states, after=after_seq, limit=limit)
            else:
                found = sorted({seq for seq in seqs if seq > after_seq})
            receipts = await reading.receipts(connection, account, number, found)
            return [receipt for receipt in receipts if not states or receipt.state in states][:limit]

        return await self._ask(page)

    async def bodies(self, account: str, seqs: Sequence[int]) -> dict[int, bytes]:
        number = await self._number(account)
        return {} if number is None else await self._ask(partial(reading.bodies, account=number, seqs=seqs))

    async def decided(self, account: str) -> AsyncIterator[SpooledJob]:
        number = await self._number(account)
        after = 0
        while number is not None:
            jobs, after = await self._ask(partial(_decided, number=number, after=after))
            for job in jobs:
                yield job
            if not after:
                return

    async def _through(self, account: str, seqs: Collection[int]) -> list[int]:
        number = await self._number(account)
        return [] if number is None else await self._ask(partial(reading.through, account=number, seqs=seqs))

    async def _number(self, account: str) -> int | None:
        """Number of an account; another process may have made it."""
        self._check_open()
        number = self._accounts.get(account)
        if number is None:
            number = await self._ask(lambda connection: connection.fetchval(SQL["account_id"], account))
            if number is not None:
                self._accounts[account] = number
        return number

    async def _ask(self, question: Callable[[Connection], Awaitable[T]]) -> T:
        """Ask the reader's connection; once more over a new one when it was lost meanwhile."""
        self._check_open()
        try:
            async with self._reading.use() as connection:
                return await question(connection)
        except DatabaseAway:
            async with self._reading.use() as connection:
                return await question(connection)

    # -- care ---------------------------------------------------------------------------------------------------------

    async def prune(self, *, before: float, limit: int = 1000, account: str | None = None) -> int:
        number = None if account is None else await self._number(account)
        self._check_open()
        if account is not None and number is None:
            return 0
        while True:
            after = self._pruned_to.get(number, 0)
            end = await self._ask(partial(care.window, before=before, after=after))
            if end is None:
                self._pruned_to[number] = 0
                return 0
            work = partial(care.prune, before=before, after=after, end=end, limit=limit, account=number)
            gone: list[int] = await self._write(partial(Tending, work, rows=limit))
            self._pruned_to[number] = gone[-1] if len(gone) == limit else end
            if gone:
                return len(gone)


async def _decided(connection: Connection, *, number: int, after: int) -> tuple[list[SpooledJob], int]:
    """A page of decided rows, and where the next one begins; 0: that was the last."""
    seqs = await reading.page_seqs(connection, number, DECIDED, after=after, limit=reading.ROWS_PER_READ)
    jobs = await reading.spooled(connection, number, seqs)
    found = [job for job in jobs if job.worker is not None and job.state in DECIDED]
    return found, seqs[-1] if len(seqs) == reading.ROWS_PER_READ else 0
