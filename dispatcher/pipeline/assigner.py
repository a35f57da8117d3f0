"""The assign stage: accepted jobs get a member from the engine, or what the fallback says."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from dispatcher.model import points
from dispatcher.model.records import AUTOASSIGN, Change, SpooledJob
from dispatcher.model.state import State
from dispatcher.pipeline.clock import Clock
from dispatcher.pipeline.fleet import FleetView
from dispatcher.pipeline.journal import Journal
from dispatcher.pipeline.stage import Stage
from dispatcher.spool import Spool

_log = logging.getLogger("dispatcher.pipeline")

CHUNK_JOBS = 4096
"""jobs decided in one go: large enough for priority to mean something, small enough to stay in the cache"""
HOLD_RETRY_S = 15.0
"""a held job is offered again this often"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignRules:
    """How jobs are decided.

    Attributes:
        engine: False for `policy = "none"`: jobs keep the caller's switches.
        fallback: `autoassign`, `unassigned` or `hold`.
    """

    engine: bool
    fallback: str


@dataclass(slots=True)
class AssignTally:
    """Counters of this process.

    Attributes:
        decided: jobs the engine looked at.
        assigned: jobs that got a member from it.
        fallback: jobs that went the way of the fallback.
        preassigned: jobs whose caller named the member.
    """

    decided: int = 0
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
            changes = await self.decide(jobs)
        except BaseException:
            await self.spool.release([job.seq for job in jobs])
            raise
        points.reached("assign.decided")
        await self._journal.write(changes)
        points.reached("assign.written")
        return True

    async def decide(self, jobs: Sequence[SpooledJob]) -> list[Change]:
        """The changes that carry the decisions on these jobs."""
        named = [job for job in jobs if job.preassigned]
        changes: list[Change] = []
        usable = self._rules.engine and await self._fleet.ready({job.day for job in jobs})
        found: list[tuple[SpooledJob, str, str]] = []
        left: list[SpooledJob] = []
        if usable:
            bodies = [_engine_job(job) for job in jobs]
            decisions = await self._fleet.decide(bodies)
            for job, decision in zip(jobs, decisions, strict=True):
                if job.preassigned:
                    continue
                if decision.worker is None:
                    left.append(job)
                else:
                    found.append((job, decision.worker, _note(decision)))
            self.tally.decided += len(found) + len(left)
        else:
            left = [job for job in jobs if not job.preassigned]
        self.tally.assigned += len(found)
        self.tally.preassigned += len(named)
        self.tally.fallback += len(left)
        expect = (State.ACCEPTED, State.HELD)
        if named:
            changes.append(Change(seqs=[job.seq for job in named], to=State.ASSIGNED, expect=expect, autoassign=False))
        if found:
            changes.append(
                Change(
                    seqs=[job.seq for job, _, _ in found],
                    to=State.ASSIGNED,
                    expect=expect,
                    workers=[worker for _, worker, _ in found],
                    notes=[note for _, _, note in found],
                    autoassign=False,
                )
            )
        changes.extend(self._fall_back(left, expect))
        return changes

    def _fall_back(self, jobs: Sequence[SpooledJob], expect: tuple[State, ...]) -> list[Change]:
        if not jobs:
            return []
        if self._rules.engine and self._rules.fallback == "hold":
            next_at = self.clock.now() + HOLD_RETRY_S
            return [
                Change(
                    seqs=[job.seq for job in jobs],
                    to=State.HELD,
                    expect=expect,
                    next_at=next_at,
                    error="no member can take it now",
                )
            ]
        always = self._rules.engine and self._rules.fallback == "autoassign"
        by_wish: dict[bool, list[int]] = {}
        for job in jobs:
            by_wish.setdefault(always or bool(job.switches & AUTOASSIGN), []).append(job.seq)
        return [Change(seqs=seqs, to=State.ASSIGNED, expect=expect, autoassign=wish) for wish, seqs in by_wish.items()]


def _engine_job(job: SpooledJob) -> Mapping[str, Any]:
    fields: dict[str, Any] = orjson.loads(job.body)
    return fields


def _note(decision: Any) -> str:
    return orjson.dumps(
        {
            "distance_m": decision.distance_m,
            "added_travel_s": decision.added_travel_s,
            "position": decision.position,
            "start_s": decision.start_s,
        }
    ).decode()
