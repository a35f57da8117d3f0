"""The dispatcher embedded in a program, against a sandbox on loopback."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from dispatcher import Denied, Dispatcher, FieldError, InvalidJobs, Receipt, State
from dispatcher.sandbox import Sandbox, SandboxSettings

DAY = 20310106  # a Monday
TURIN = {"destinationLat": 45.0703, "destinationLng": 7.6869, "day": DAY}


def member(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "uid": name,
        "username": f"{name}@example.com",
        "role": "worker",
        "teams": [1],
        "timezone": "Europe/Rome",
        "location": {"lat": 45.07, "lng": 7.68, "ts": 0},
    } | fields


def job(key: str, **fields: Any) -> dict[str, Any]:
    return {"uidSecondary": key, "destinationName": key} | TURIN | fields


def dispatcher(sandbox: Sandbox, tmp_path: Path, **settings: Any) -> Dispatcher:
    plain: dict[str, Any] = {"base_url": sandbox.url, "api_key": "key", "spool": str(tmp_path / "spool.db")}
    return Dispatcher(**(plain | settings))


async def through(d: Dispatcher, receipts: list[Receipt]) -> dict[str, Receipt]:
    return {receipt.key: receipt async for receipt in d.results(receipts)}


async def test_a_job_goes_to_the_nearest_member_and_its_receipt_says_why(tmp_path: Path) -> None:
    near, far = member("near"), member("far", location={"lat": 45.2, "lng": 7.9, "ts": 0})
    async with Sandbox(SandboxSettings(members=[far, near])) as sandbox, dispatcher(sandbox, tmp_path) as d:
        done = await through(d, await d.submit([job("A")]))
        assert sandbox.created("A") == 1
        assert sandbox.jobs["A"]["worker"] == "near@example.com"
    receipt = done["A"]
    assert (receipt.state, receipt.worker, receipt.attempts) == (State.CONFIRMED, "near@example.com", 1)
    assert receipt.remote_id
    assert '"distance_m":' in receipt.note


async def test_a_job_that_nobody_can_take_is_left_to_the_server(tmp_path: Path) -> None:
    async with Sandbox(SandboxSettings(members=[member("ann")])) as sandbox, dispatcher(sandbox, tmp_path) as d:
        done = await through(d, await d.submit([job("A", teamId=9), job("B")]))
        stats = sandbox.stats()
        reasons = await d.reasons("A")
    assert (done["A"].worker, done["A"].autoassign) == (None, True)
    assert (done["B"].worker, done["B"].autoassign) == ("ann@example.com", False)
    assert stats["autoassign_requests"] == 1
    assert stats["workers_in_autoassign"] == 0
    assert {code: (reason.count, reason.example) for code, reason in reasons.items()} == {
        "team_mismatch": (1, "ann@example.com")
    }


@pytest.mark.parametrize(("wish", "asked"), [(True, 1), (False, 0)])
async def test_with_the_fallback_unassigned_only_the_callers_wish_asks_the_server(
    tmp_path: Path, *, wish: bool, asked: int
) -> None:
    async with (
        Sandbox(SandboxSettings(members=[])) as sandbox,
        dispatcher(sandbox, tmp_path, fallback="unassigned") as d,
    ):
        await through(d, await d.submit([job("A")], autoassign=wish))
        assert sandbox.stats()["autoassign_requests"] == asked


async def test_with_the_fallback_hold_the_job_waits_and_is_not_sent(tmp_path: Path) -> None:
    async with Sandbox(SandboxSettings(members=[])) as sandbox, dispatcher(sandbox, tmp_path, fallback="hold") as d:
        done = await through(d, await d.submit([job("A")]))
        assert done["A"].state is State.HELD
        assert sandbox.created("A") == 0


async def test_without_an_engine_the_callers_switches_and_members_stand(tmp_path: Path) -> None:
    async with (
        Sandbox(SandboxSettings(members=[member("ann")])) as sandbox,
        dispatcher(sandbox, tmp_path, policy="none") as d,
    ):
        done = await through(
            d, await d.submit([job("A"), job("B", worker="ann@example.com")], autoassign=True, send_route_change=True)
        )
        stats = sandbox.stats()
    assert (done["A"].autoassign, done["B"].autoassign) == (True, False)
    assert (stats["autoassign_requests"], stats["workers_in_autoassign"], stats["route_change_requests"]) == (1, 0, 2)


async def test_a_named_member_keeps_the_job_and_fills_the_day(tmp_path: Path) -> None:
    """Ann is named for a day-long job; the next one goes to Bob, who is farther away."""
    ann, bob = member("ann"), member("bob", location={"lat": 45.1, "lng": 7.7, "ts": 0})
    async with Sandbox(SandboxSettings(members=[ann, bob])) as sandbox, dispatcher(sandbox, tmp_path) as d:
        jobs = [job("FREE"), job("NAMED", receiverUid="ann", onSiteSeconds=86_000)]
        done = await through(d, await d.submit(jobs))
    assert (done["NAMED"].preassigned, done["NAMED"].worker) == (True, "ann")
    assert done["FREE"].worker == "bob@example.com"


async def test_after_a_restart_the_day_routes_hold_what_was_decided_before(tmp_path: Path) -> None:
    ann, bob = member("ann"), member("bob", location={"lat": 45.1, "lng": 7.7, "ts": 0})
    async with Sandbox(SandboxSettings(members=[ann, bob])) as sandbox:
        async with dispatcher(sandbox, tmp_path) as d:
            first = await through(d, await d.submit([job("LONG", onSiteSeconds=86_000)]))
        async with dispatcher(sandbox, tmp_path) as d:
            second = await through(d, await d.submit([job("NEXT")]))
    assert first["LONG"].worker == "ann@example.com"
    assert second["NEXT"].worker == "bob@example.com"


async def test_a_bad_job_refuses_the_call_and_names_the_field(tmp_path: Path) -> None:
    async with Sandbox(SandboxSettings()) as sandbox, dispatcher(sandbox, tmp_path) as d:
        with pytest.raises(InvalidJobs, match="priority") as caught:
            await d.submit([job("A"), job("B", priority=11)])
        assert [(error.index, error.key, error.field) for error in caught.value.errors] == [(1, "B", "priority")]
        assert sum((await d.counts()).values()) == 0


async def test_with_a_list_for_the_refused_the_good_jobs_are_stored(tmp_path: Path) -> None:
    refused: list[FieldError] = []
    async with Sandbox(SandboxSettings()) as sandbox, dispatcher(sandbox, tmp_path) as d:
        receipts = await d.submit([job("A"), job("B", day=20231301)], refused=refused)
    assert [receipt.key for receipt in receipts] == ["A"]
    assert [error.field for error in refused] == ["day"]


async def test_the_same_content_gets_the_same_receipt_and_new_content_a_newer_version(tmp_path: Path) -> None:
    async with Sandbox(SandboxSettings(fleet_size=0)) as sandbox, dispatcher(sandbox, tmp_path) as d:
        (first,) = await d.submit([job("A")])
        (same,) = await d.submit([job("A")])
        (newer,) = await d.submit([job("A", priority=9)])
        await through(d, [first, newer])
        stats = sandbox.stats()
        assert sandbox.jobs["A"]["priority"] == 9
    assert (first.seq, first.version) == (same.seq, same.version)
    assert newer.version == 2
    assert (stats["creates"], stats["updates"], stats["overlaps"]) == (1, 1, 0)


async def test_wait_gives_receipts_in_the_order_asked_for(tmp_path: Path) -> None:
    async with Sandbox(SandboxSettings(fleet_size=0)) as sandbox, dispatcher(sandbox, tmp_path) as d:
        receipts = await d.submit([job(f"K{n}") for n in range(30)])
        done = await d.wait(reversed(receipts), timeout_s=20)
    assert [receipt.key for receipt in done] == [f"K{n}" for n in reversed(range(30))]


async def test_a_wrong_key_reaches_whoever_waits_and_touches_no_job(tmp_path: Path) -> None:
    async with Sandbox(SandboxSettings(api_key="right")) as sandbox, dispatcher(sandbox, tmp_path) as d:
        receipts = await d.submit([job("A")])
        with pytest.raises(Denied):
            await d.wait(receipts, timeout_s=20)
        assert (await d.counts())[State.REJECTED] == 0


async def test_cancelling_whoever_waits_loses_nothing(tmp_path: Path) -> None:
    async with Sandbox(SandboxSettings(fleet_size=0, latency_s=0.3)) as sandbox:
        async with dispatcher(sandbox, tmp_path, max_batch_jobs=5) as d:
            receipts = await d.submit([job(f"K{n}") for n in range(40)])
            waiter = asyncio.create_task(d.wait(receipts))
            await asyncio.sleep(0.4)
            waiter.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiter
        async with dispatcher(sandbox, tmp_path) as d:
            done = await d.wait(receipts, timeout_s=30)
        stats = sandbox.stats()
    assert Counter(receipt.state for receipt in done) == {State.CONFIRMED: 40}
    assert (stats["creates"], stats["repeats"]) == (40, 0)


async def test_jobs_that_lost_their_place_free_the_day_route(tmp_path: Path) -> None:
    """A poison job was planned for Ann's whole day; once it is rejected her day is free again."""
    async with Sandbox(SandboxSettings(members=[member("ann")])) as sandbox, dispatcher(sandbox, tmp_path) as d:
        bad = await through(d, await d.submit([job("BAD", destinationName="POISON", onSiteSeconds=86_000)]))
        good = await through(d, await d.submit([job("GOOD", onSiteSeconds=80_000)]))
    assert bad["BAD"].state is State.REJECTED
    assert bad["BAD"].error
    assert good["GOOD"].worker == "ann@example.com"


async def test_a_fleet_that_cannot_be_read_leaves_the_decision_to_the_fallback(tmp_path: Path) -> None:
    faults = SandboxSettings(faults="500-before:1", faults_on=("/api/getaccounts",))
    async with Sandbox(faults) as sandbox, dispatcher(sandbox, tmp_path) as d:
        done = await through(d, await d.submit([job("A")]))
        status = await d.status()
    assert (done["A"].state, done["A"].worker, done["A"].autoassign) == (State.CONFIRMED, None, True)
    assert "fleet" in status.fleet


async def test_an_outage_ends_and_sending_resumes(tmp_path: Path) -> None:
    async with Sandbox(SandboxSettings(fleet_size=0)) as sandbox, dispatcher(sandbox, tmp_path, policy="none") as d:
        first = await d.submit([job("BEFORE")])
        await d.wait(first, timeout_s=10)
        sandbox.set_outage(seconds=3)
        receipts = await d.submit([job(f"K{n}") for n in range(500)])
        done = await d.wait(receipts, timeout_s=3 + 15)
        stats = sandbox.stats()
    assert all(receipt.state is State.CONFIRMED for receipt in done)
    assert (stats["creates"], stats["repeats"]) == (501, 0)
    assert stats["outage_refused"] < 3 * 10


def test_the_dispatcher_says_so_when_it_is_not_open() -> None:
    with pytest.raises(Exception, match="async with"):
        _ = Dispatcher(api_key="k", spool="memory:").pipeline
