"""The assign stage: accepted jobs get a member from the engine, or what the fallback says."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from dispatcher.model import points
from dispatcher.model.event import Event
from dispatcher.model.histogram import Histogram
from dispatcher.model.records import Change, SpooledJob
from dispatcher.model.state import State
from dispatcher.pipeline.assigning import HOLD_RETRY_S, AssignRules, assign, unplaced
from dispatcher.pipeline.clock import Clock
from dispatcher.pipeline.fleet_view import FleetView
from dispatcher.pipeline.journal import Journal
from dispatcher.pipeline.lead import Lead
from dispatcher.pipeline.stage import Stage
from dispatcher.spool import Spool

_log = logging.getLogger("dispatcher.pipeline")

CHUNK_JOBS = 4096
"""jobs decided in one go: large enough for priority to mean something, small enough to stay in the cache"""
OFFER_S = 1.0
"""between two rounds of offering held jobs because something changed"""
OFFER_SHARE = 0.1
"""of the time: many held jobs are offered less often"""
CHUNK_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)
DECISION_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
GATHER_S = 0.05
"""decisions on few jobs begin at least this far apart"""
FEW_JOBS = 256


@dataclass(slots=True)
class AssignTally:
    """Counters of this process.

    Attributes:
        assigned: jobs that got a member from the engine.
        fallback: jobs that went the way of the fallback.
        preassigned: jobs whose caller named the member.
        sizes: jobs of each batch that the engine decided.
        seconds: how long it took for each.
    """

    assigned: int = 0
    fallback: int = 0
    preassigned: int = 0
    sizes: Histogram = field(default_factory=lambda: Histogram(CHUNK_BUCKETS))
    seconds: Histogram = field(default_factory=lambda: Histogram(DECISION_BUCKETS_S))


class Assigner(Stage):
    """Takes accepted (and held) jobs out of the spool and writes what was decided, while it leads."""

    def __init__(
        self,
        account: str,
        spool: Spool,
        clock: Clock,
        *,
        journal: Journal,
        fleet: FleetView,
        lead: Lead,
        rules: AssignRules,
    ) -> None:
        super().__init__(account, spool, clock)
        self.tally = AssignTally()
        self._journal = journal
        self._fleet = fleet
        self._lead = lead
        self._rules = rules
        self._few = False
        self._began = float("-inf")
        self._offer_wanted = False
        self._offer_to: float | None = None
        self._offered_at = self._offer_again_at = float("-inf")

    def change(self, rules: AssignRules) -> None:
        """Go by other rules, from the next batch on. Held jobs are looked at again at their time."""
        self._rules = rules

    def offer_held(self) -> None:
        """A member may have room who had none before: held jobs are offered again without waiting for their time."""
        self._offer_wanted = True
        self.wake()

    async def step(self) -> bool:
        if not self._lead.held:
            return False
        await self._gather()
        async with self._fleet.steady:
            return await self._step()

    async def _gather(self) -> None:
        """Under a stream of small requests, let some come together: one decision and one commit serve them all.

        A job that comes alone does not wait.
        """
        wait_s = self._began + GATHER_S - self.clock.monotonic()
        if self._few and wait_s > 0:
            await asyncio.sleep(min(wait_s, GATHER_S))
        self._began = self.clock.monotonic()

    async def _step(self) -> bool:
        jobs = await self._claim()
        self._few = len(jobs) < FEW_JOBS
        if not jobs:
            return False
        points.reached("assign.claimed")
        try:
            changes = await self._decide(jobs)
        except BaseException:
            await self.spool.release([job.seq for job in jobs])
            raise
        if changes is None:
            await self.spool.release([job.seq for job in jobs])
            return False
        points.reached("assign.decided")
        gone = await self._journal.write(changes)
        points.reached("assign.written")
        if gone:  # taken back while they were being decided: their places are free
            left = [job for job in jobs if job.seq in gone]
            await self._fleet.free([job.key for job in left], days={job.day for job in left})
        return True

    async def _claim(self) -> list[SpooledJob]:
        """Jobs whose time has come; when something has changed, held ones whose time has not."""
        now = self.clock.now()
        jobs = await self.spool.claim(self.account, limit=CHUNK_JOBS, now=now, states=(State.ACCEPTED, State.HELD))
        if jobs or not (self._offer_wanted or self._offer_to is not None):
            return jobs
        if self._offer_to is None:
            if now < self._offer_again_at:
                return jobs
            # those that are held again from now on have a later time than this
            self._offer_wanted, self._offered_at, self._offer_to = False, now, now + HOLD_RETRY_S - 0.001
        jobs = await self.spool.claim(self.account, limit=CHUNK_JOBS, now=self._offer_to, states=(State.HELD,))
        if not jobs:
            took_s = self.clock.now() - self._offered_at
            self._offer_to, self._offer_again_at = None, now + max(OFFER_S, took_s / OFFER_SHARE)
        return jobs

    async def _decide(self, jobs: Sequence[SpooledJob]) -> list[Change] | None:
        """What to write; None: somebody else is to decide."""
        decisions, seconds, tests = None, 0.0, 0.0
        usable = self._rules.engine and await self._fleet.bring_up({job.day for job in jobs})
        if not self._lead.held:  # that may have taken a while
            return None
        if usable:
            began, tests = self.clock.monotonic(), self._fleet.tests.total
            decisions = await self._fleet.decide(jobs)
            seconds, tests = self.clock.monotonic() - began, self._fleet.tests.total - tests
            self.tally.sizes.observe(len(jobs))
            self.tally.seconds.observe(seconds)
        assignment = assign(
            jobs,
            decisions,
            now=self.clock.now(),
            rules=self._rules,
            accepted_at=await self._accepted_at(unplaced(jobs, decisions)),
        )
        self.tally.assigned += assignment.assigned
        self.tally.preassigned += assignment.preassigned
        self.tally.fallback += assignment.fallback
        if _log.isEnabledFor(logging.INFO):
            _log.info(
                Event(
                    "batch decided",
                    account=self.account,
                    jobs=len(jobs),
                    assigned=assignment.assigned,
                    preassigned=assignment.preassigned,
                    fallback=assignment.fallback,
                    engine=decisions is not None,
                    seconds=round(seconds, 6),
                    fit_tests=round(tests),
                )
            )
        return assignment.changes

    async def _accepted_at(self, jobs: Sequence[SpooledJob]) -> dict[int, float]:
        """When these jobs were accepted, if it matters for how long they are held."""
        if not jobs or self._rules.fallback != "hold" or not self._rules.hold_until_s:
            return {}
        rows = await self.spool.receipts(self.account, seqs=[job.seq for job in jobs], limit=len(jobs))
        return {row.seq: row.accepted_at for row in rows}
