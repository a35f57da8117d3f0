"""Held jobs are offered again as soon as something changes."""

from __future__ import annotations

from pathlib import Path

from dispatcher import State
from dispatcher.pipeline.job_event import read_events
from dispatcher.sandbox import Sandbox, SandboxSettings
from tests.unit.pipeline.living import job, living, member, ready, until

FULL = job("FULL", worker="ann", id="1", onSiteSeconds=86_000, tsSaved=1000)


async def test_a_held_job_goes_out_as_soon_as_its_member_is_free(tmp_path: Path) -> None:
    """A webhook says that the day is free again; nobody waits for the next regular try."""
    settings = {"fallback": "hold", "fleet_sync_s": 600.0, "routes_sync_s": 600.0}
    async with (
        Sandbox(SandboxSettings(members=[member("ann")], jobs=[FULL])) as sandbox,
        living(sandbox, tmp_path, **settings) as d,
    ):
        await ready(d)
        (receipt,) = await d.wait(await d.submit([job("A", onSiteSeconds=3600)]), timeout_s=20)
        assert receipt.state is State.HELD
        d.pipeline.events.put(read_events("jobcompleted", "", [FULL | {"tsSaved": 2000}]))

        async def sent() -> bool:
            found = await d.receipt("A")
            return found is not None and (found.state, found.worker) == (State.CONFIRMED, "ann")

        await until(sent, timeout_s=8)


async def test_many_held_jobs_are_all_offered_and_each_once_a_round(tmp_path: Path) -> None:
    async with (
        Sandbox(SandboxSettings(members=[member("ann")], jobs=[FULL])) as sandbox,
        living(sandbox, tmp_path, fallback="hold", fleet_sync_s=600.0, routes_sync_s=600.0) as d,
    ):
        await ready(d)
        receipts = await d.submit([job(f"J{n}", onSiteSeconds=600) for n in range(300)])
        await d.wait(receipts, timeout_s=20)
        decided = d.pipeline.assigner.tally.fallback
        d.pipeline.assigner.offer_held()

        async def offered() -> bool:
            return d.pipeline.assigner.tally.fallback >= decided + 300

        await until(offered, timeout_s=8)
        assert d.pipeline.assigner.tally.fallback == decided + 300


async def test_a_job_that_was_held_in_vain_goes_the_other_way(tmp_path: Path) -> None:
    async with (
        Sandbox(SandboxSettings(members=[member("ann")], jobs=[FULL])) as sandbox,
        living(sandbox, tmp_path, fallback="hold", hold_until_s=2.0, hold_then="unassigned") as d,
    ):
        await ready(d)
        (receipt,) = await d.wait(await d.submit([job("A", onSiteSeconds=3600)]), timeout_s=20)
        assert receipt.state is State.HELD

        async def through() -> bool:
            found = await d.receipt("A")
            return found is not None and found.state is State.CONFIRMED

        await until(through, timeout_s=10)
        found = await d.receipt("A")
        assert found is not None
        assert (found.worker, found.autoassign, sandbox.jobs["A"]["worker"]) == (None, False, "")
