"""The send stage: decided jobs go out in batches, within the account's limits, and every job's outcome is written."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import NamedTuple

from dispatcher.errors import Denied, NotSent, OutcomeUnknown, RemoteError
from dispatcher.flow import RetryBudget
from dispatcher.hellotracks import HellotracksClient, with_worker
from dispatcher.model import points
from dispatcher.model.event import Event
from dispatcher.model.records import SpooledJob
from dispatcher.model.state import State
from dispatcher.pipeline.batches import Batch, Outbox
from dispatcher.pipeline.clock import Clock
from dispatcher.pipeline.fleet_view import FleetView
from dispatcher.pipeline.journal import Journal
from dispatcher.pipeline.moves import DeliveryRules, Next, Settlement, answered, failed, may_go, start
from dispatcher.pipeline.send_tally import SendTally
from dispatcher.pipeline.sent import batch_sent
from dispatcher.pipeline.stage import Stage
from dispatcher.pipeline.turn import Turnstile
from dispatcher.spool import Spool

_log = logging.getLogger("dispatcher.pipeline")

LINGER_S = 0.05
"""how long a request waits to be filled while jobs are still being decided"""
FEW_REQUESTS = 2
"""jobs of so many requests are claimed at most where other nodes send, too"""


class _Exchange(NamedTuple):
    """A request that has ended: what becomes of its jobs, its failure if it was one, and what it was like."""

    settlement: Settlement
    error: RemoteError | None
    job_bytes: int
    seconds: float


class Sender(Stage):
    """Claims assigned jobs, cuts requests and sends them; several requests are under way at once.

    `peers` tells how many other nodes there are.
    """

    def __init__(
        self,
        account: str,
        spool: Spool,
        clock: Clock,
        *,
        journal: Journal,
        client: HellotracksClient,
        turnstile: Turnstile,
        fleet: FleetView,
        rules: DeliveryRules,
        rng: random.Random,
        max_batch_jobs: int,
        max_batch_bytes: int,
        max_concurrency: int,
        peers: Callable[[], int] = lambda: 0,
    ) -> None:
        super().__init__(account, spool, clock)
        self.outbox = Outbox(max_jobs=max_batch_jobs, max_bytes=max_batch_bytes)
        self.tally = SendTally()
        self.denied: Denied | None = None
        self.in_flight = 0
        self.filling = False
        """True while earlier stages still produce jobs, so that a request may wait to be filled"""
        self._journal = journal
        self._client = client
        self._turnstile = turnstile
        self._fleet = fleet
        self._rules = rules
        self._rng = rng
        self._budget = RetryBudget(clock.monotonic())
        self._max_batch_jobs = max_batch_jobs
        self._room = 2 * max_batch_jobs * max_concurrency
        self._peers = peers
        self._requests: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._entering = False

    @property
    def alive_at(self) -> float:
        """Monotonic time of the last sign of life, be it that the loop came round or that it waits for its turn."""
        return max(self.beat_at, self._turnstile.beat_at) if self._entering else self.beat_at

    def change(self, rules: DeliveryRules, *, max_batch_jobs: int, max_concurrency: int) -> None:
        """Go by other rules and sizes, from the next request on."""
        self._rules = rules
        if max_batch_jobs != self._max_batch_jobs:  # else a size that the server has taught us stays
            self._max_batch_jobs = self.outbox.max_jobs = max_batch_jobs
        self._room = 2 * max_batch_jobs * max_concurrency

    async def step(self) -> bool:
        if self.denied:
            raise self.denied
        if self._halted():
            return False
        await self._fill()
        if not self.outbox.waiting:
            return False
        retry_in_s = self._budget.delay(self.clock.monotonic())
        if not self.outbox.ready(partial=True, retries=not retry_in_s):
            await asyncio.sleep(min(retry_in_s, LINGER_S))
            return True
        if not self.outbox.ready(partial=not self.filling, retries=not retry_in_s):
            await asyncio.sleep(LINGER_S)
        asked = self.clock.monotonic()
        self._entering = True
        try:
            started = await self._turnstile.enter()
        finally:
            self._entering = False
        if self._halted():
            self._turnstile.leave(started, asyncio.CancelledError())
            return False
        batch = self.outbox.take(retries=not retry_in_s)
        if batch.lane.retry:
            self._budget.take(self.clock.monotonic())
        task = asyncio.create_task(self._send(batch, started, waited_s=started - asked), name=f"send {self.account}")
        self._requests.add(task)
        task.add_done_callback(self._requests.discard)
        return True

    def cut_off(self) -> None:
        """Cut off the requests under way; their jobs stay `sending` in the store, as after a `drain` that was late."""
        for task in self._requests:
            task.cancel()

    async def drain(self, *, within_s: float) -> None:
        """Start no further request, let the ones under way finish for `within_s` seconds, then cut them off.

        A request that is cut off leaves its jobs `sending` in the store; the next start looks them up.
        """
        self._stopping = True
        if self._requests:
            _, late = await asyncio.wait(self._requests, timeout=within_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self.spool.release([job.seq for job in self.outbox.drain()])

    def _halted(self) -> bool:
        return self._stopping or self.denied is not None

    async def _fill(self) -> None:
        """Claim what will be sent soon. Where others send too, that is the next two requests: the rest is theirs."""
        most = min(self._room, FEW_REQUESTS * self.outbox.max_jobs) if self._peers() else self._room
        if self.outbox.waiting < most // 2:
            room = most - self.outbox.waiting
            self.outbox.put(
                await self.spool.claim(self.account, limit=room, now=self.clock.now(), states=(State.ASSIGNED,))
            )
            points.reached("send.claimed")

    async def _send(self, batch: Batch, started: float, *, waited_s: float) -> None:
        error: BaseException | None = asyncio.CancelledError()
        exchange: _Exchange | None = None
        self.in_flight += 1
        try:
            begun = self.clock.now()
            points.reached("send.before")
            gone = await self._journal.write([start(batch.jobs, now=begun, rules=self._rules)])
            points.reached("send.written")
            batch = batch.without(gone)
            if not batch.jobs:
                return
            paced_from = self.clock.monotonic()
            await self._turnstile.pace(started)
            waited_s += self.clock.monotonic() - paced_from
            if may_go(begun, now=self.clock.now()):
                self.tally.waits.observe(waited_s)
                exchange = await self._exchange(batch)
                settlement, error = exchange.settlement, exchange.error
            else:
                slow = NotSent("the spool took too long to write the attempt")
                settlement = failed(batch.jobs, slow, now=self.clock.now(), rules=self._rules, rng=self._rng)
        finally:
            self.in_flight -= 1
            self._turnstile.leave(started, error)
        points.reached("send.answered")
        await self._settle(batch, settlement, error)
        if exchange and _log.isEnabledFor(logging.INFO):
            self._say(batch, exchange, waited_s=waited_s)

    async def _exchange(self, batch: Batch) -> _Exchange:
        """The request itself."""
        self.tally.requests += 1
        self.tally.jobs += len(batch.jobs)
        self.tally.sizes.observe(len(batch.jobs))
        bodies = [_body(job) for job in batch.jobs]
        job_bytes = sum(map(len, bodies))
        began = self.clock.monotonic()
        try:
            created = await self._client.create_jobs(
                bodies,
                autoassign=batch.lane.autoassign,
                send_route_change=batch.lane.send_route_change,
                is_template=batch.lane.is_template,
            )
        except Exception as any_error:  # noqa: BLE001 - whatever it was, the jobs must not be lost
            error = _as_remote(any_error)
            self.tally.failed(error)
            seconds = self._took(began)
            settlement = failed(batch.jobs, error, now=self.clock.now(), rules=self._rules, rng=self._rng)
            return _Exchange(settlement, error, job_bytes, seconds)
        seconds = self._took(began)
        self._budget.success(self.clock.monotonic())
        ids = [job.id if job else None for job in created]
        return _Exchange(answered(batch.jobs, ids, now=self.clock.now()), None, job_bytes, seconds)

    def _took(self, began: float) -> float:
        seconds = self.clock.monotonic() - began
        self.tally.seconds.observe(seconds)
        return seconds

    def _say(self, batch: Batch, exchange: _Exchange, *, waited_s: float) -> None:
        event = batch_sent(
            self.account,
            batch,
            exchange.settlement.changes,
            exchange.error,
            job_bytes=exchange.job_bytes,
            seconds=exchange.seconds,
            waited_s=waited_s,
        )
        _log.info(event)

    async def _settle(self, batch: Batch, settlement: Settlement, error: BaseException | None) -> None:
        match settlement.then:
            case Next.SPLIT:
                self.outbox.split(batch)
            case Next.SHRINK:
                self.outbox.shrink(batch)
                self.outbox.forget(batch)
                _log.warning(
                    Event(
                        "request too large",
                        account=self.account,
                        jobs=len(batch.jobs),
                        most_from_now_on=self.outbox.max_jobs,
                    )
                )
            case Next.STOP if isinstance(error, Denied):
                self.denied = error
                _log.error(Event("access denied, sending stops", account=self.account, error=str(error)))
            case _ if error is None:
                self.outbox.forget(batch)
            case _:
                pass
        await self._journal.write(settlement.changes)
        points.reached("settle.unknown" if isinstance(error, OutcomeUnknown) else f"settle.{settlement.then}")
        if settlement.freed:
            await self._fleet.free(settlement.freed, days={job.day for job in batch.jobs})
        self.wake()


def _as_remote(error: Exception) -> RemoteError:
    """A fault of our own while a request is under way is an unknown outcome, like any other."""
    if isinstance(error, RemoteError):
        return error
    _log.error("a request failed in an unexpected way, its jobs will be looked up", exc_info=error)
    unknown = OutcomeUnknown(f"{type(error).__name__}: {error}", server_done=False)
    unknown.__cause__ = error
    return unknown


def _body(job: SpooledJob) -> bytes:
    return job.body if job.preassigned or not job.worker else with_worker(job.body, job.worker)
