"""`Dispatcher`: the whole pipeline as one object to embed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec
import orjson

from dispatcher.errors import Denied, DispatcherError, FieldError, InvalidJobs
from dispatcher.model import points
from dispatcher.model.job import JobReader, named
from dispatcher.model.key import new_key
from dispatcher.model.records import AUTOASSIGN, IS_TEMPLATE, SEND_ROUTE_CHANGE, Accepted, NewJob, Receipt
from dispatcher.model.state import State
from dispatcher.pipeline.account import AccountPipeline, PipelineStatus
from dispatcher.pipeline.care import Care
from dispatcher.pipeline.choice import Choice, choose
from dispatcher.pipeline.clock import Clock, SystemClock, utc_text
from dispatcher.pipeline.engine_room import NOW_STEP_S
from dispatcher.pipeline.explaining import Explanation, explain
from dispatcher.pipeline.fleet_view import FleetFiles
from dispatcher.pipeline.lookout import RESTING
from dispatcher.pipeline.rehearsal import kept, rehearse
from dispatcher.settings import Settings, load_settings
from dispatcher.spool import Spool, open_spool

if TYPE_CHECKING:
    from engine import Decision, Reason

ACCEPT_JOBS = 2000
"""jobs stored in one go; larger submissions take several, each durable before the next"""
CONSULT_S = 5.0
"""how long a question may wait for the fleet to be read"""


class Dispatcher:
    """Accepts jobs durably, assigns each to the nearest available member and delivers them to Hellotracks.

    Example:
        >>> async with Dispatcher(base_url=url, api_key=key) as d:      # doctest: +SKIP
        ...     receipts = await d.submit([{"destinationName": "Fix the lift", "destinationLat": 45.07,
        ...                                 "destinationLng": 7.69, "day": 20261201}])
        ...     async for receipt in d.results(receipts):
        ...         print(receipt.key, receipt.state, receipt.worker)

    Once `submit` returns, the jobs survive a crash of this process: another `Dispatcher` on the same spool goes on
    where this one stopped. Leaving the block does not wait for jobs that are not sent yet; use `results` or `wait` for
    that. Cancelling a task that waits loses nothing. One process at a time may use a spool file.

    Args:
        settings: everything at once; without it, defaults, configuration file and environment are read.
        fleet: members and day routes from files; without it they are read from Hellotracks.
        spool: a spool of your own, or the name of one; without it `settings.spool` names one.
        clock: source of time.
        rng: source of jitter.
        live: keep the fleet up to date on a schedule, for a process that runs for long; otherwise it is read when jobs
            need it.
        overrides: single settings by name, on top of everything else.

    Raises:
        ConfigError: a setting is unknown or wrong.
        SpoolUnusable: on entering the block, when the spool cannot be opened.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        fleet: FleetFiles | None = None,
        spool: Spool | str | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        live: bool = False,
        **overrides: Any,
    ) -> None:
        if isinstance(spool, str):
            overrides["spool"], spool = spool, None
        if settings is None or overrides:
            settings = load_settings(base=settings, overrides=overrides)
        self.settings = settings
        self.account = settings.account
        self._clock = clock or SystemClock()
        self._spool = spool or open_spool(
            settings.spool,
            max_rows=settings.spool_max_rows,
            min_free_bytes=settings.spool_min_free_bytes,
            node=settings.node,
        )
        self._rng = rng or random.Random()
        self._files = fleet
        self._live = live
        self._pipeline: AccountPipeline | None = None
        self.recovered = 0
        """jobs whose outcome was open when the spool was opened; they are looked up first"""

    def __repr__(self) -> str:
        state = "open" if self._pipeline else "closed"
        return f"<Dispatcher {self.account} → {self.settings.base_url}, spool {self.settings.spool}, {state}>"

    async def __aenter__(self) -> Self:
        points.reached("open.before")
        self.recovered = await self._spool.open(now=self._clock.now())
        points.reached("open.recovered")
        try:
            self._pipeline = AccountPipeline(
                self.settings, spool=self._spool, clock=self._clock, rng=self._rng, files=self._files, live=self._live
            )
            await self._pipeline.start()
        except BaseException:
            await self._spool.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop sending, let requests under way finish within `shutdown_grace_s`, close the spool. Idempotent.

        Cancelled meanwhile, it cuts requests under way off at once, but still gives everything back before it ends.
        """
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is None:
            return
        ending = asyncio.create_task(self._end(pipeline), name=f"close {self.account}")
        cancelled: asyncio.CancelledError | None = None
        while not ending.done():
            try:
                await asyncio.shield(ending)
            except asyncio.CancelledError as error:
                cancelled = error
                pipeline.cut_off()
        ending.result()
        if cancelled:
            raise cancelled

    async def _end(self, pipeline: AccountPipeline) -> None:
        points.reached("close.before")
        try:
            await pipeline.stop()
        finally:
            await self._spool.close()
        points.reached("close.after")

    @property
    def pipeline(self) -> AccountPipeline:
        """The account at work.

        Raises:
            DispatcherError: outside the `async with` block.
        """
        if self._pipeline is None:
            raise DispatcherError("the dispatcher is not open; use it in an `async with` block")
        return self._pipeline

    def change(self, settings: Settings) -> None:
        """Work with other settings from now on: those that `describe()` calls live. Others must be as they were.

        Requests under way end as they began. A changed limit counts from now on; a lower one knows nothing of what was
        sent before.

        Raises:
            ConfigError: a setting cannot be used; nothing changes.
            DispatcherError: outside the `async with` block.
        """
        self.pipeline.change(settings)
        self._spool.limit_rows(self.account, settings.spool_max_rows)
        self.settings = settings

    async def submit(
        self,
        jobs: Iterable[Mapping[str, Any]],
        *,
        autoassign: bool = False,
        send_route_change: bool | None = None,
        is_template: bool = False,
        refused: list[FieldError] | None = None,
    ) -> list[Receipt]:
        """Validate jobs and store them durably.

        Args:
            jobs: jobs in Hellotracks' own field names. One without `uidSecondary` gets a key of ours.
            autoassign: the wish to let the server assign; dropped for a job that gets a member here.
            send_route_change: tell the member's device at once when the job is for today; None: as the setting says.
            is_template: create templates.
            refused: a list to collect problems in. Without it one bad job refuses the call as a whole; with it the good
                jobs are stored and the problems of the bad ones are appended.

        Returns:
            One receipt for each stored job, in input order. All of them survive a crash.

        Raises:
            InvalidJobs: jobs are bad and `refused` was not given; nothing was stored.
            SpoolFull: no room. The first jobs of a long call may be stored; submitting the same keys again is safe.
        """
        notify = self.settings.send_route_change if send_route_change is None else send_route_change
        switches = autoassign * AUTOASSIGN | bool(notify) * SEND_ROUTE_CHANGE | is_template * IS_TEMPLATE
        read = JobReader(switches=switches)
        good: list[NewJob] = []
        problems: list[FieldError] = []
        for index, job in enumerate(jobs):
            try:
                good.append(_keyed(read(job, index=index)))
            except InvalidJobs as error:
                problems.extend(error.errors)
        if problems:
            if refused is None:
                raise InvalidJobs(problems)
            refused.extend(problems)
        now = self._clock.now()
        accepted = await self.accept(good)
        return [
            Receipt(
                account=self.account,
                key=job.key,
                version=row.version,
                seq=row.seq,
                state=row.state,
                worker=job.worker,
                preassigned=job.worker is not None,
                day=job.day,
                priority=job.priority,
                switches=job.switches,
                accepted_at=now,
                updated_at=now,
            )
            for job, row in zip(good, accepted, strict=True)
        ]

    async def accept(self, jobs: Sequence[NewJob]) -> list[Accepted]:
        """Store validated jobs; returns after the durable commit."""
        pipeline = self.pipeline
        rows: list[Accepted] = []
        for first in range(0, len(jobs), ACCEPT_JOBS):
            rows += await pipeline.accept(jobs[first : first + ACCEPT_JOBS])
        return rows

    async def results(self, receipts: Iterable[Receipt]) -> AsyncIterator[Receipt]:
        """Yield each job's receipt once it is through: confirmed, rejected, dead, or held for want of a member.

        Raises:
            Denied: the server refused the key; the jobs are safe in the spool.
        """
        waiting = {receipt.seq for receipt in receipts}
        through: asyncio.Queue[Sequence[int]] = asyncio.Queue()
        pipeline = self.pipeline
        leave = pipeline.lookout.wait_for(waiting, through.put_nowait)
        pipeline.on_failure(lambda: through.put_nowait([]))
        try:
            for receipt in await self.look(waiting):
                if receipt.state in RESTING and receipt.seq in waiting:
                    waiting.discard(receipt.seq)
                    yield receipt
            while waiting:
                if pipeline.failure:
                    raise pipeline.failure
                seqs = [seq for seq in await through.get() if seq in waiting]
                waiting.difference_update(seqs)
                for receipt in await self.look(seqs):
                    yield receipt
        finally:
            leave()

    async def wait(self, receipts: Iterable[Receipt], *, timeout_s: float | None = None) -> list[Receipt]:
        """Wait until every job is through (see `results`); receipts come back in the order given.

        Raises:
            TimeoutError: `timeout_s` passed first. The jobs go on being delivered.
        """
        order = list(receipts)
        async with asyncio.timeout(timeout_s):
            done = {receipt.seq: receipt async for receipt in self.results(order)}
        return [done[receipt.seq] for receipt in order]

    async def receipt(self, key: str) -> Receipt | None:
        """The newest version of one job; None when the key is not known."""
        return await self._spool.receipt(self.account, key)

    async def counts(self) -> dict[State, int]:
        """Jobs in the spool per state, all runs together."""
        return await self._spool.counts(self.account)

    async def status(self) -> PipelineStatus:
        """What is going on right now."""
        return await self.pipeline.status()

    async def page(self, *, states: Sequence[State] = (), after_seq: int = 0, limit: int = 100) -> list[Receipt]:
        """Receipts in order of acceptance, a page at a time: go on from the last one's `seq`."""
        return await self._spool.receipts(self.account, states=states, after_seq=after_seq, limit=limit)

    async def reasons(self, key: str) -> dict[str, Reason]:
        """Why no member can take this job as things are now: a count and an example member per code."""
        receipt = await self.receipt(key)
        if receipt is None:
            return {}
        await self._consult(receipt.day)
        return (await self.reasons_of([receipt.seq])).get(receipt.seq, {})

    @property
    def care(self) -> Care:
        """Single jobs taken back, changed, replayed: `care.delete(key)`, `care.edit(key, {...})`, `care.replay(...)`.

        Raises:
            DispatcherError: outside the `async with` block.
        """
        pipeline = self.pipeline
        return Care(
            self.account,
            self._spool,
            self._clock,
            write=pipeline.journal.write,
            accepted=pipeline.accepted,
            free=pipeline.fleet.free,
        )

    async def why(self, key: str) -> Choice | None:
        """Why the newest version of a job is with its member, or who would get it; the nearer ones passed over.

        It is told on the day routes as they stand now, without the job. None when the key is not known, or without a
        usable fleet.
        """
        receipt = await self.receipt(key)
        bodies = await self._spool.bodies(self.account, [receipt.seq]) if receipt else {}
        if receipt is None or receipt.seq not in bodies:
            return None
        job, worker = orjson.loads(bodies[receipt.seq]), receipt.worker
        await self._consult(receipt.day)
        return await self.pipeline.fleet.ask(lambda engine: choose(engine, job, worker))

    async def _consult(self, day: int) -> None:
        """Before a question to the fleet: read it, where another node leads and this one holds none."""
        if not self.pipeline.lead.held:
            with suppress(TimeoutError, Denied):
                async with asyncio.timeout(CONSULT_S):
                    await self.pipeline.fleet.ready((day,))

    async def plan(self, jobs: Sequence[NewJob], *, timeout_s: float) -> list[Decision]:
        """What would be decided of these jobs right now. Stores, sends and changes nothing.

        Args:
            jobs: checked; their keys show in the decisions.
            timeout_s: how long the fleet may take to be brought up, when it is not.

        Raises:
            FleetUnusable: there is no fleet to ask.
            InvalidJobs: a job's field cannot be read.
        """
        bodies = [orjson.loads(job.body) for job in jobs]
        if self.settings.policy == "none":
            return kept(bodies)
        return await rehearse(
            self.pipeline.fleet,
            bodies,
            days={job.day for job in jobs},
            now=self._clock.wall() // NOW_STEP_S * NOW_STEP_S,
            timeout_s=timeout_s,
        )

    async def explain(self, key: str) -> Explanation | None:
        """Where a job is, what happened, why it waits and when it goes next; None when the key is not known."""
        pipeline = self.pipeline
        versions = await self.care.versions(key)
        if not versions:
            return None
        undecided = versions[-1].state in {State.ACCEPTED, State.HELD}
        return explain(
            versions,
            now=self._clock.now(),
            clock=utc_text,
            owner=None,
            gate=pipeline.turnstile.gate.snapshot(self._clock.monotonic()),
            fleet=pipeline.fleet.problem,
            reasons=await self.reasons(key) if undecided else None,
        )

    async def reasons_of(self, seqs: Sequence[int]) -> dict[int, dict[str, Reason]]:
        """The same for several jobs by row number."""
        bodies = await self._spool.bodies(self.account, seqs)
        return {seq: await self.pipeline.fleet.reasons(orjson.loads(body)) for seq, body in bodies.items()}

    async def look(self, seqs: Collection[int]) -> list[Receipt]:
        """Receipts by row number, in its order."""
        wanted = sorted(seqs)
        found: list[Receipt] = []
        for first in range(0, len(wanted), ACCEPT_JOBS):
            page = wanted[first : first + ACCEPT_JOBS]
            found += await self._spool.receipts(self.account, seqs=page, limit=len(page))
        return found


def _keyed(job: NewJob) -> NewJob:
    return job if job.key else named(job, new_key())


def as_dict(receipt: Receipt) -> dict[str, Any]:
    """A receipt as plain JSON values, the decision unpacked."""
    fields: dict[str, Any] = msgspec.to_builtins(receipt)
    fields["decision"] = orjson.loads(receipt.note) if receipt.note else None
    del fields["note"]
    return fields
