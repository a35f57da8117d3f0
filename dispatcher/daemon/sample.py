"""One account at the moment of a scrape. Everything is asked of its owner; nothing is counted here."""

from __future__ import annotations

import msgspec

from dispatcher.flow import GateReport
from dispatcher.model.histogram import Histogram
from dispatcher.model.state import State
from dispatcher.pipeline import Dispatcher, PipelineStatus
from dispatcher.pipeline.assigner import AssignTally
from dispatcher.pipeline.fleet_sync import SyncTally
from dispatcher.pipeline.send_tally import SendTally

UNSETTLED = tuple(state for state in State if not state.settled)


class FleetSample(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine knows of an account's members.

    Attributes:
        age_s: since they were read, infinite before the first time.
        max_age_s: older than that it is unusable.
        usable: False when the fallback decides for want of it.
        members: how many there are.
        reads: readings that came through, of `members` and of a day's `routes`, and those that `failed`.
        events: webhooks' events of jobs, by what became of them: `applied`, `stale`, `dropped`, `passed_on` to the
            node that leads.
        reassigned: jobs that got another member because theirs rejected them or left.
        tests: exact fit tests of each decision.
    """

    age_s: float
    max_age_s: float
    usable: bool
    members: int
    reads: dict[str, int]
    events: dict[str, int]
    reassigned: int
    tests: Histogram


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One account.

    Attributes:
        status: of its pipeline.
        gate: of its gate.
        sent: what its requests carried and took.
        decided: what its decisions took.
        moved: jobs that came into each state since the start.
        oldest_s: age of the oldest job that is not through, 0 when all are.
        max_rows: unsettled jobs that it may have in the spool.
        fleet: None under the policy `none`, which asks no engine.
        ready: whether jobs can be taken and are sent.
    """

    status: PipelineStatus
    gate: GateReport
    sent: SendTally
    decided: AssignTally
    moved: dict[State, int]
    oldest_s: float
    max_rows: int
    fleet: FleetSample | None
    ready: bool

    @property
    def account(self) -> str:
        """Its name."""
        return self.status.account


async def sample(dispatcher: Dispatcher, *, problem: str) -> Sample:
    """Ask an account; `problem` says why it is not ready, "" when it is."""
    pipeline, settings = dispatcher.pipeline, dispatcher.settings
    fleet = pipeline.fleet
    oldest = await dispatcher.page(states=UNSETTLED, limit=1)
    return Sample(
        status=await pipeline.status(),
        gate=pipeline.turnstile.gate.snapshot(pipeline.clock.monotonic()),
        sent=pipeline.sender.tally,
        decided=pipeline.assigner.tally,
        moved=pipeline.journal.moved,
        oldest_s=pipeline.clock.now() - oldest[0].accepted_at if oldest else 0.0,
        max_rows=settings.spool_max_rows,
        fleet=None
        if settings.policy == "none"
        else FleetSample(
            age_s=fleet.age_s,
            max_age_s=settings.max_fleet_age_s,
            usable=not fleet.problem,
            members=len(fleet.engine.members) if fleet.engine else 0,
            reads=_reads(pipeline.sync.tally),
            events={what: pipeline.events.tally[what] for what in ("applied", "stale", "dropped", "passed_on")},
            reassigned=pipeline.reassigner.moved,
            tests=fleet.tests,
        ),
        ready=not problem,
    )


def _reads(tally: SyncTally) -> dict[str, int]:
    return {"members": tally.members, "routes": tally.days, "failed": tally.failures}
