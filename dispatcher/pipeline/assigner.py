"""The assign stage: accepted jobs get a member from the engine, or what the fallback says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dispatcher.model import points
from dispatcher.model.records import Change, SpooledJob
from dispatcher.model.state import State
from dispatcher.pipeline.assigning import AssignRules, assign
from dispatcher.pipeline.clock import Clock
from dispatcher.pipeline.fleet import FleetView
from dispatcher.pipeline.journal import Journal
from dispatcher.pipeline.stage import Stage
from dispatcher.spool import Spool

CHUNK_JOBS = 4096
"""jobs decided in one go: large enough for priority to mean something, small enough to stay in the cache"""


@dataclass(slots=True)
class AssignTally:
    """Counters of this process.

    Attributes:
        assigned: jobs that got a member from the engine.
        fallback: jobs that went the way of the fallback.
        preassigned: jobs whose caller named the member.
    """

    assigned: int = 0
    fallback: int = 0
    preassigned: int = 0


class Assigner(Stage):
    """Takes accepted (and held) jobs out of the spool and writes what was decided."""

    def __init__(
        self, account: str, spool: Spool, clock: Clock, *, journal: Journal, fleet: FleetView, rules: AssignRules
    ) -> None:
        super().__init__(account, spool, clock)
        self.tally = AssignTally()
        self._journal = journal
        self._fleet = fleet
        self._rules = rules

    async def step(self) -> bool:
        jobs = await self.spool.claim(
            self.account, limit=CHUNK_JOBS, now=self.clock.now(), states=(State.ACCEPTED, State.HELD)
        )
        if not jobs:
            return False
        points.reached("assign.claimed")
        try:
            changes = await self._decide(jobs)
        except BaseException:
            await self.spool.release([job.seq for job in jobs])
            raise
        points.reached("assign.decided")
        gone = await self._journal.write(changes)
        points.reached("assign.written")
        if gone:  # taken back while they were being decided: their places are free
            await self._fleet.free([job.key for job in jobs if job.seq in gone])
        return True

    async def _decide(self, jobs: Sequence[SpooledJob]) -> list[Change]:
        decisions = None
        if self._rules.engine and await self._fleet.ready({job.day for job in jobs}):
            decisions = await self._fleet.decide([job.body for job in jobs])
        assignment = assign(jobs, decisions, now=self.clock.now(), rules=self._rules)
        self.tally.assigned += assignment.assigned
        self.tally.preassigned += assignment.preassigned
        self.tally.fallback += assignment.fallback
        return assignment.changes
