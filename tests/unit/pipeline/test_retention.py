"""Old settled jobs are forgotten in the background, in small steps, and never at the cost of delivery."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from dispatcher.errors import SpoolError
from dispatcher.model.state import State
from dispatcher.pipeline import retention
from dispatcher.pipeline.retention import DAY_S, STEP_ROWS, Retention
from dispatcher.spool import MemorySpool
from tests.conformance.world import jobs, path
from tests.unit.pipeline.clocks import Still

SETTLED_AT = 1000.0


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "SHORTEST_PAUSE_S", 0.0)


async def filled(count: int, spool: MemorySpool | None = None) -> MemorySpool:
    """A spool with settled rows and a last one that waits."""
    spool = spool or MemorySpool()
    await spool.open(now=0.0)
    rows = await spool.accept("acme", jobs(f"k{n}" for n in range(count)), now=SETTLED_AT)
    await spool.apply(path([row.seq for row in rows], State.CONFIRMED), now=SETTLED_AT)
    await spool.accept("acme", jobs(["waits"]), now=SETTLED_AT)
    return spool


async def run_a_while(stage: Retention) -> None:
    task = asyncio.create_task(stage.run())
    await asyncio.sleep(0.2)
    assert not task.done()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_settled_jobs_go_when_their_days_are_over_and_those_that_wait_stay() -> None:
    spool = await filled(2 * STEP_ROWS + 5)
    stage = Retention("acme", spool, Still(SETTLED_AT + 2 * DAY_S + 1), retain_days=2)
    await run_a_while(stage)
    assert stage.pruned == 2 * STEP_ROWS + 5
    counts = await spool.counts("acme")
    assert (counts[State.CONFIRMED], counts[State.ACCEPTED]) == (0, 1)


@pytest.mark.parametrize(("age_days", "retain_days"), [(1.99, 2.0), (5000.0, 0.0)])
async def test_until_then_nothing_goes_and_with_0_nothing_ever(age_days: float, retain_days: float) -> None:
    spool = await filled(10)
    stage = Retention("acme", spool, Still(SETTLED_AT + age_days * DAY_S), retain_days=retain_days)
    await run_a_while(stage)
    assert (stage.pruned, (await spool.counts("acme"))[State.CONFIRMED]) == (0, 10)


async def test_the_jobs_of_other_accounts_are_theirs_to_forget() -> None:
    spool = await filled(10)
    stage = Retention("other", spool, Still(SETTLED_AT + 9 * DAY_S), retain_days=1)
    await run_a_while(stage)
    assert (await spool.counts("acme"))[State.CONFIRMED] == 10


class Broken(MemorySpool):
    """A spool that fails the first time it is asked to prune."""

    asked = 0

    async def prune(self, *, before: float, limit: int = 1000, account: str | None = None) -> int:
        self.asked += 1
        if self.asked == 1:
            raise SpoolError("no luck")
        return await super().prune(before=before, limit=limit, account=account)


async def test_a_spool_that_fails_is_tried_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "EVERY_S", 0.01)
    spool = Broken()
    await filled(10, spool)
    stage = Retention("acme", spool, Still(SETTLED_AT + 9 * DAY_S), retain_days=1)
    await run_a_while(stage)
    assert stage.pruned == 10
