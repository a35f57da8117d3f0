"""What the page's tables and a job's own page are told."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from dispatcher.daemon.page import listing
from dispatcher.daemon.page.listing import listed
from dispatcher.model.state import State
from dispatcher.spool import Filter
from tests.unit.daemon.page.daemons import OWN, SAFE_DAY, job, member, visited


@pytest.mark.parametrize("spool", ["file", "memory:"])
async def test_jobs_are_listed_latest_first_by_state_text_and_member_page_by_page(tmp_path: Path, spool: str) -> None:
    more: dict[str, Any] = {} if spool == "file" else {"spool": spool}
    async with visited(tmp_path, **more) as (visitor, _, _):
        await visitor.create(*(job(f"Order-{n}", worker=f"w{n % 2}@acme.example") for n in range(6)))
        await visitor.create(job("BAD", destinationName="POISON"))

        async def keys(query: str) -> list[str]:
            return [row["key"] for row in (await visitor.read(f"/page/jobs{query}"))["jobs"]]

        assert await keys("") == ["BAD", *(f"Order-{n}" for n in range(5, -1, -1))]
        assert await keys("?state=rejected,dead") == ["BAD"]
        assert await keys("?q=ORDER-3") == ["Order-3"]
        assert await keys("?worker=w1@acme.example&state=confirmed") == ["Order-5", "Order-3", "Order-1"]
        assert await keys("?q=nothing") == []
        seen, before = [], ""
        for _ in range(4):
            page = await visitor.read(f"/page/jobs?limit=2{before}")
            seen.append([row["key"] for row in page["jobs"]])
            before = f"&before={page['before']}"
        assert seen == [["BAD", "Order-5"], ["Order-4", "Order-3"], ["Order-2", "Order-1"], ["Order-0"]]
        assert page["before"] is None
        for bad in ("?state=lost", "?before=x", "?limit=-1", "?before=99999999999999999999"):
            assert (await visitor.ask("GET", f"/page/jobs{bad}"))[0] == 400


async def test_a_search_for_what_is_rare_ends_in_time_and_goes_on_where_it_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "WINDOW_ROWS", 10)
    monkeypatch.setattr(listing, "LONGEST_S", 0.0)
    async with visited(tmp_path) as (visitor, daemon, _):
        await visitor.create(job("rare"), *(job(f"K{n}") for n in range(50)))
        dispatcher = daemon.desks["default"].dispatcher
        first = await listed(dispatcher, Filter(text="rare"), before=None, limit=5)
        assert (first.rows, first.before) == ([], 52)
        monkeypatch.setattr(listing, "LONGEST_S", 60.0)
        found = await listed(dispatcher, Filter(text="rare"), before=first.before, limit=5)
    assert [row.key for row in found.rows] == ["rare"]
    assert found.before is None


async def test_a_jobs_page_tells_what_happened_its_versions_and_who_was_passed_over(tmp_path: Path) -> None:
    never = {"monday": {"start": 0, "end": 0}}
    members = [member("near", 45.07, working_hours=never), member("able", 45.2), member("far", 46.0)]
    async with visited(tmp_path, members=members, policy="nearest") as (visitor, _, _):
        await visitor.create(job("A", contactName="one"))
        await visitor.create(job("A", contactName="two"))
        told = await visitor.read("/page/job/A")
        missing, _, _ = await visitor.ask("GET", "/page/job/NONE")
    assert told["receipt"]["state"] == "confirmed"
    assert [row["version"] for row in told["versions"]] == [1, 2]
    assert told["job"]["contactName"] == "two"
    assert told["explanation"]["where"].startswith("At the server")
    why = told["why"]
    assert (why["given"]["worker"], why["next_best"]["worker"]) == ("able@acme.example", "far@acme.example")
    assert [(one["worker"], one["code"]) for one in why["passed_over"]] == [("near@acme.example", "off_shift")]
    assert told["may"] == {"replay": False, "withdraw": False}
    assert missing == 404


async def test_jobs_are_replayed_and_withdrawn_and_what_cannot_be_is_left(tmp_path: Path) -> None:
    async with visited(tmp_path, policy="nearest", fallback="hold") as (visitor, _, sandbox):
        await visitor.create(job("HELD"))
        await visitor.create(job("NAMED", worker="w@acme.example"))
        await visitor.create(job("BAD", destinationName="POISON", worker="w@acme.example"))
        keys = {"keys": ["HELD", "NAMED", "BAD", "NONE"]}
        replayed = await visitor.ask("POST", "/page/replay", keys, headers=OWN)
        await visitor.until("/page/jobs?state=rejected", "BAD")
        withdrawn = await visitor.ask("POST", "/page/withdraw", keys, headers=OWN)
        held = await visitor.read("/page/job/HELD")
        created = sandbox.created("NAMED")
    assert replayed[1]["replayed"] == ["BAD"]
    assert withdrawn[1]["withdrawn"] == ["HELD"]
    assert (held["receipt"]["withdrawn"], held["receipt"]["state"]) == (True, State.DEAD)
    assert created == 1


async def test_a_members_route_is_told_with_places_and_windows(tmp_path: Path) -> None:
    members = [member("ann", 45.0)]
    async with visited(tmp_path, members=members, policy="nearest") as (visitor, _, _):
        await visitor.create(
            job("A", destinationLat=45.1), job("B", destinationLat=45.2, windowStart=900, windowEnd=1100)
        )
        route = await visitor.read(f"/page/route?worker=ann@acme.example&day={SAFE_DAY}")
        unknown = await visitor.ask("GET", "/page/route?worker=nobody")
        no_day = await visitor.ask("GET", "/page/route?worker=ann@acme.example&day=20319999")
    stops = {stop["key"]: stop for stop in route["stops"]}
    assert stops.keys() == {"A", "B"}
    assert (stops["B"]["opens_s"], stops["B"]["closes_s"]) == (9 * 3600, 11 * 3600)
    assert (stops["A"]["opens_s"], stops["A"]["closes_s"]) == (None, None)
    assert stops["A"]["lat"] == pytest.approx(45.1)
    assert route["start"] == pytest.approx([45.0, 7.69])
    assert (route["day"], SAFE_DAY in route["days"]) == (SAFE_DAY, True)
    assert (unknown[0], no_day[0]) == (404, 404)


async def test_without_a_fleet_there_is_no_route_and_the_map_has_jobs_alone(tmp_path: Path) -> None:
    async with visited(tmp_path) as (visitor, _, _):
        assert (await visitor.ask("GET", "/page/route?worker=ann"))[0] == 503
        assert "names" not in await visitor.read("/page/map")
        assert await visitor.read("/page/names") == []


async def test_the_map_has_everybody_and_what_waits_and_is_sent_once(tmp_path: Path) -> None:
    at = time.time() * 1000
    members = [
        member("ann", 45.0, location={"lat": 45.0, "lng": 7.69, "ts": at}),
        member("bob", 46.0),
        member("off", 47.0, states={"moving": "offduty"}),
    ]
    far = job("FAR", destinationLat=-45.0, windowStart=900, windowEnd=901)
    async with visited(tmp_path, members=members, policy="nearest", fallback="hold", max_distance_km=500.0) as (
        visitor,
        _,
        _,
    ):
        await visitor.create(far)
        await visitor.until("/page/map", "FAR")
        status, told, reply = await visitor.ask("GET", "/page/map")
        names = await visitor.read(f"/page/names?v={told['names']}")
        tag = reply.headers["ETag"]
        again, nothing, _ = await visitor.ask("GET", "/page/map", headers={"If-None-Match": tag})
    assert status == 200
    assert names == ["ann@acme.example", "bob@acme.example", "off@acme.example"]
    states = [told["states"][state] for state in told["member_states"]]
    assert states == ["on_shift", "stale", "off"]
    assert told["lats"] == [4500000, 4600000, 4700000]
    assert (told["jobs"]["keys"], told["jobs"]["states"], told["jobs"]["lats"]) == (["FAR"], ["held"], [-4500000])
    assert (again, nothing) == (304, b"")
