"""A fleet that keeps up with the server by itself."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from dispatcher import State
from dispatcher.flow import parse_limits
from dispatcher.pipeline.calendar import date_in
from dispatcher.pipeline.fleet_sync import SyncRules
from dispatcher.sandbox import Sandbox, SandboxSettings
from tests.unit.pipeline.living import DAY, NEXT_DAY, create, edit, job, living, member, ready, route, until

CREW = [member("ann"), member("bob", 46.0)]


def sandbox_with(*stops: dict[str, object], **settings: object) -> Sandbox:
    return Sandbox(SandboxSettings(members=CREW, jobs=stops, **settings))  # type: ignore[arg-type]


async def test_the_fleet_is_there_before_the_first_job(tmp_path: Path) -> None:
    async with sandbox_with() as sandbox, living(sandbox, tmp_path) as d:
        await until(lambda: d.pipeline.fleet.engine)
        assert d.pipeline.fleet.age_s < 10
        assert (await d.status()).fleet == ""


async def test_without_live_nothing_is_read_until_a_job_needs_it(tmp_path: Path) -> None:
    async with sandbox_with() as sandbox:
        d = living(sandbox, tmp_path)
        d._live = False
        async with d:
            await asyncio.sleep(0.5)
            assert sandbox.stats()["requests"] == {}
            await d.wait(await d.submit([job("A")]), timeout_s=20)
            asked = sandbox.stats()["requests"]
    assert asked == {"/api/getcompany": 1, "/api/getaccounts": 1, "/api/getjobs": 1, "/api/createjobs": 1}


async def test_what_people_do_at_the_server_shows_in_the_day_routes(tmp_path: Path) -> None:
    async with (
        sandbox_with(job("A", worker="ann", id="1"), job("B", worker="ann", id="2")) as sandbox,
        living(sandbox, tmp_path) as d,
    ):
        await ready(d)
        assert await route(d, "ann") == ["A", "B"]
        engine = d.pipeline.fleet.engine
        await edit(sandbox, "A", worker="bob")
        await edit(sandbox, "B", tsDoneSuccess=5)
        await create(sandbox, job("C", worker="ann"))

        async def seen() -> bool:
            return (await route(d, "ann"), await route(d, "bob")) == (["C"], ["A"])

        await until(seen)
        assert d.pipeline.fleet.engine is engine, "the living engine was told, not built anew"


async def test_members_move_change_and_go_off_duty_in_the_living_engine(tmp_path: Path) -> None:
    async with sandbox_with() as sandbox, living(sandbox, tmp_path) as d:
        await ready(d)
        engine = d.pipeline.fleet.engine
        sandbox.set_member("ann", route_start_lat=60.0)
        await until(lambda: d.pipeline.fleet.roster._members["ann"]["route_start_lat"] == 60.0)
        (done,) = await d.wait(await d.submit([job("A")]), timeout_s=20)
        assert (done.worker, d.pipeline.fleet.engine) == ("bob", engine)


async def test_another_member_makes_another_engine_and_nothing_is_lost(tmp_path: Path) -> None:
    async with sandbox_with(job("S", worker="ann", id="1")) as sandbox, living(sandbox, tmp_path) as d:
        await d.wait(await d.submit([job("A")]), timeout_s=20)
        await until(lambda: route(d, "ann"))
        sandbox.people.accounts.append(member("eve", 45.0))
        await until(lambda: d.pipeline.fleet.engine and "eve" in d.pipeline.fleet.engine.members)
        assert sorted(map(str, await route(d, "ann"))) == ["A", "S"]


async def test_a_confirmed_job_counts_once_when_the_server_lists_it_too(tmp_path: Path) -> None:
    async with sandbox_with() as sandbox, living(sandbox, tmp_path) as d:
        await d.wait(await d.submit([job(f"J{n}") for n in range(5)]), timeout_s=20)
        reads = d.pipeline.sync.tally.days
        await until(lambda: d.pipeline.sync.tally.days >= reads + 2)
        assert sorted(map(str, await route(d, "ann"))) == [f"J{n}" for n in range(5)]


async def test_a_decided_job_keeps_its_place_while_the_server_does_not_know_it_yet(tmp_path: Path) -> None:
    """Creating fails for a while; readings of the day come in between and do not show the job."""
    async with (
        sandbox_with(faults="503:1", faults_on=("/api/createjobs",), retry_after_s=0.1) as sandbox,
        living(sandbox, tmp_path) as d,
    ):
        await ready(d)
        receipts = await d.submit([job("A", onSiteSeconds=80_000)])
        await until(lambda: route(d, "ann"))
        reads = d.pipeline.sync.tally.days
        await until(lambda: d.pipeline.sync.tally.days >= reads + 2, timeout_s=60)
        assert await route(d, "ann") == ["A"]
        sandbox.set_faults(faults="")
        (done,) = await d.wait(receipts, timeout_s=60)
        assert (done.state, done.worker) == (State.CONFIRMED, "ann")


async def test_an_undated_job_keeps_its_place_in_todays_route(tmp_path: Path) -> None:
    """Over readings, over a restart; a strange undated job has no place, and a done one none any more."""
    today = date_in("UTC", time.time())
    async with sandbox_with(job("STRANGE", worker="ann", id="1", day=0)) as sandbox:
        async with living(sandbox, tmp_path) as d:
            await d.wait(await d.submit([job("U", day=0)]), timeout_s=20)
            reads = d.pipeline.sync.tally.days
            await until(lambda: d.pipeline.sync.tally.days >= reads + 2)
            assert await route(d, "ann", today) == ["U"]
        async with living(sandbox, tmp_path) as d:
            await ready(d, 0)
            assert await route(d, "ann", today) == ["U"]
            await edit(sandbox, "U", tsDoneSuccess=5)

            async def gone() -> bool:
                return await route(d, "ann", today) == []

            await until(gone)


async def test_a_fleet_that_cannot_be_read_any_more_is_unusable_and_says_so(tmp_path: Path) -> None:
    async with sandbox_with() as sandbox, living(sandbox, tmp_path, max_fleet_age_s=2.0) as d:
        await ready(d)
        sandbox.set_faults(faults="500-before:1", faults_on=["/api/getaccounts"])
        await until(lambda: d.pipeline.fleet.problem)
        (done,) = await d.wait(await d.submit([job("A")]), timeout_s=20)
        assert (done.worker, done.autoassign) == (None, True)
        assert "could not be read" in (await d.status()).fleet


async def test_days_that_jobs_name_come_into_play_and_keep_up(tmp_path: Path) -> None:
    async with sandbox_with() as sandbox, living(sandbox, tmp_path) as d:
        await d.wait(await d.submit([job("A", day=NEXT_DAY)]), timeout_s=20)
        await create(sandbox, job("B", worker="bob", day=NEXT_DAY))

        async def seen() -> bool:
            return await route(d, "bob", NEXT_DAY) == ["B"]

        await until(seen)
        assert DAY not in d.pipeline.fleet.days


def rules(limits: str = "", **more: float) -> SyncRules:
    plain = {"members_s": 60.0, "routes_s": 120.0, "max_age_s": 900.0} | more
    return SyncRules(limits=parse_limits(limits), **plain)  # type: ignore[arg-type]


@pytest.mark.parametrize(("limits", "days"), [("", 9), ("10/s", 3), ("60/min, 10000/d", 2), ("20/min", 3)])
def test_reading_stays_within_its_share_of_the_limits(limits: str, days: int) -> None:
    members_s, routes_s = rules(limits).stretched(days=days)
    rate = min((limit.count / limit.window_s for limit in parse_limits(limits)), default=float("inf"))
    assert 1.1 / members_s + days / routes_s <= 0.1 * rate + 1e-9
    assert (members_s, routes_s) >= (60.0, 120.0)


def test_what_was_missed_is_read_soon_but_takes_no_more_than_a_fifth_of_the_limits() -> None:
    assert rules().again_s(days=3) == 2.0
    assert rules("60/min").again_s(days=3) == pytest.approx(15.0)
    assert rules("1/min").again_s(days=30) == 720.0


def test_small_limits_never_let_a_fleet_get_too_old() -> None:
    assert rules("1/min").stretched(days=5) == (720.0, 720.0)
    assert rules().stretched(days=5) == (60.0, 120.0)
