"""`POST /plan` and the reasons under `/jobs/{key}?explain=true`: what the living fleet would decide, and why."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from dispatcher.daemon import Daemon
from dispatcher.sandbox import Sandbox, SandboxSettings
from engine import Engine
from tests.unit.daemon.test_daemon import create, job, settings

DAY = 20310106
MEMBERS = [
    {
        "uid": name,
        "username": f"{name}@example.com",
        "role": "worker",
        "route_start_lat": 45.0,
        "route_start_lng": lng,
        "teams": teams,
    }
    for name, lng, teams in (("ann", 7.6, [1]), ("bob", 7.8, [1, 2]), ("cyd", 9.0, [2]))
]


@asynccontextmanager
async def daemon_of(
    tmp_path: Path, members: Sequence[Mapping[str, Any]] = MEMBERS, **more: Any
) -> AsyncIterator[tuple[Daemon, aiohttp.ClientSession]]:
    async with (
        Sandbox(SandboxSettings(members=[dict(member) for member in members])) as sandbox,
        Daemon(settings(tmp_path, sandbox.url, **({"policy": "nearest"} | more))) as daemon,
        aiohttp.ClientSession() as http,
    ):
        yield daemon, http


async def planned(
    http: aiohttp.ClientSession, daemon: Daemon, *jobs: dict[str, Any], **more: Any
) -> tuple[int, Any, Any]:
    async with http.post(f"{daemon.url}/plan", json={"data": {"jobs": jobs}} | more) as reply:
        return reply.status, await reply.json(), reply.headers


def routes(daemon: Daemon, *days: int) -> list[Any]:
    (desk,) = daemon.desks.values()
    engine = desk.dispatcher.pipeline.fleet.engine
    assert isinstance(engine, Engine)
    return [engine.route(worker, day) for worker in engine.members for day in days]


async def test_a_plan_foretells_what_createjobs_decides_then_and_changes_nothing(tmp_path: Path) -> None:
    """Stops that are there, a stop that is replaced, a named member, priorities, a place that is none."""
    before = [job(f"B{n}", day=DAY, destinationLng=7.6 + n / 50, onSiteSeconds=5400) for n in range(12)]
    batch = [
        *(job(f"K{n}", day=DAY, destinationLng=7.5 + n / 8, onSiteSeconds=7200, priority=n % 3) for n in range(12)),
        job("B3", day=DAY, destinationLng=7.9, onSiteSeconds=60),
        job("NAMED", day=DAY, worker="ann@example.com"),
        job("TEAM", day=DAY, teamId=3),
    ]
    async with daemon_of(tmp_path) as (daemon, http):
        await create(http, daemon.url, *before)
        stood = routes(daemon, DAY)
        status, plan, _ = await planned(http, daemon, *batch)
        again = (await planned(http, daemon, *batch))[1]
        assert routes(daemon, DAY) == stood
        async with http.get(f"{daemon.url}/jobs?limit=1000") as reply:
            assert len((await reply.json())["jobs"]) == len(before)
        await create(http, daemon.url, *batch)
        decided = {}
        for one in batch:
            async with http.get(f"{daemon.url}/jobs/{one['uidSecondary']}") as reply:
                decided[one["uidSecondary"]] = await reply.json()
    assert status == 200
    assert plan == again
    assert plan["summary"] == {"jobs": 15, "assigned": 14, "unassigned": 1}
    assert [(row["index"], row["key"]) for row in plan["jobs"]] == [
        (n, one["uidSecondary"]) for n, one in enumerate(batch)
    ]
    assert {row["worker"] for row in plan["jobs"]} == {*(str(one["username"]) for one in MEMBERS), None}
    for row in plan["jobs"]:
        assert row["worker"] == decided[row["key"]]["worker"]
        if row["worker"] and not row.get("preassigned"):
            figures = ("distance_m", "added_travel_s", "position", "start_s")
            assert {name: row[name] for name in figures} == decided[row["key"]]["decision"]
    assert plan["jobs"][13]["preassigned"] is True
    assert plan["jobs"][14]["reasons"] == {"team_mismatch": {"count": 3, "example": "ann@example.com"}}


async def test_jobs_without_a_key_get_one_of_their_content_and_a_bad_place_is_an_answer(tmp_path: Path) -> None:
    nameless = {"destinationLat": 45.0, "destinationLng": 7.6, "day": DAY}
    nowhere = job("N", destinationLat=0, destinationLng=0)
    async with daemon_of(tmp_path) as (daemon, http):
        first = (await planned(http, daemon, nameless, nameless, nowhere))[1]
        second = (await planned(http, daemon, nameless, nameless, nowhere))[1]
    keys = [row["key"] for row in first["jobs"]]
    assert len(set(keys)) == 3
    assert keys == [row["key"] for row in second["jobs"]]
    assert first["jobs"][2]["reasons"] == {"bad_coordinates": {"count": 3, "example": "ann@example.com"}}


async def test_what_createjobs_would_refuse_is_refused(tmp_path: Path) -> None:
    async with daemon_of(tmp_path, accept_key="right") as (daemon, http):
        stranger = await planned(http, daemon, job("A"))
        by_body = await planned(http, daemon, job("A"), auth={"key": "right"})
        http.headers["API-Key"] = "right"
        bad = await planned(http, daemon, job("A", priority=11), job("B", day=20301301))
        async with http.post(f"{daemon.url}/plan", data=b"[") as reply:
            damaged = reply.status
        async with http.get(f"{daemon.url}/plan") as reply:
            asked = reply.status, reply.headers["Allow"]
    assert (stranger[0], stranger[1]) == (401, {"status": 1, "message": "unauthorized"})
    assert by_body[0] == 200
    assert (bad[0], [(one["index"], one["field"]) for one in bad[1]["errors"]]) == (400, [(0, "priority"), (1, "day")])
    assert (damaged, asked) == (400, (405, "POST"))


async def test_without_a_usable_fleet_a_plan_says_why(tmp_path: Path) -> None:
    async with (
        Daemon(settings(tmp_path, "http://127.0.0.1:9", policy="nearest", accept_timeout_s=0.5)) as daemon,
        aiohttp.ClientSession() as http,
    ):
        answers = await asyncio.gather(*(planned(http, daemon, job("A")) for _ in range(3)))
    for status, document, headers in answers:
        assert (status, document["status"], headers["Retry-After"]) == (503, 1, "5")
    assert any("fleet could not be read" in document["message"] for _, document, _ in answers)


async def test_without_an_engine_jobs_keep_whom_they_name(tmp_path: Path) -> None:
    async with daemon_of(tmp_path, policy="none") as (daemon, http):
        _, plan, _ = await planned(http, daemon, job("A", worker="ann@example.com"), job("B"))
    assert [(row["worker"], row.get("preassigned")) for row in plan["jobs"]] == [
        ("ann@example.com", True),
        (None, None),
    ]
    assert plan["jobs"][1]["reasons"] == {}


async def test_a_plan_of_too_many_jobs_is_refused(tmp_path: Path) -> None:
    async with daemon_of(tmp_path, policy="none") as (daemon, http):
        status, document, _ = await planned(http, daemon, *([{"destinationLat": 45, "destinationLng": 7}] * 20_001))
    assert (status, "20000" in document["message"]) == (413, True)


async def test_a_jobs_page_says_who_was_nearer_and_why_they_were_passed_over(tmp_path: Path) -> None:
    async with daemon_of(tmp_path) as (daemon, http):
        await create(http, daemon.url, job("A", day=DAY, destinationLng=7.6, teamId=2))
        async with http.get(f"{daemon.url}/jobs/A?explain=true") as reply:
            receipt = await reply.json()
        async with http.get(f"{daemon.url}/jobs/A") as reply:
            plain = await reply.json()
    choice = receipt["explanation"]["choice"]
    assert (receipt["state"], receipt["attempts"], receipt["worker"]) == ("confirmed", 1, "bob@example.com")
    assert choice["given"]["worker"] == choice["chosen"]["worker"] == "bob@example.com"
    assert [(one["worker"], one["code"]) for one in choice["passed_over"]] == [("ann@example.com", "team_mismatch")]
    assert choice["next_best"]["worker"] == "cyd@example.com"
    assert choice["margin"] > 0
    assert "explanation" not in plain
