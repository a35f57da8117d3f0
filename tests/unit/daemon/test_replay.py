"""`POST /jobs/replay`: jobs that failed are sent once more, and the reply says which and why others are not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from dispatcher.daemon import Daemon
from dispatcher.sandbox import Sandbox, SandboxSettings
from tests.unit.daemon.test_daemon import create, job, settings


class World:
    """A daemon whose server refuses what is called POISON."""

    def __init__(self, sandbox: Sandbox, daemon: Daemon, http: aiohttp.ClientSession) -> None:
        self.sandbox = sandbox
        self.daemon = daemon
        self.http = http

    async def replay(self, **wish: Any) -> tuple[int, Any]:
        async with self.http.post(f"{self.daemon.url}/jobs/replay", json=wish) as reply:
            return reply.status, await reply.json()

    async def state(self, key: str) -> tuple[str, int]:
        async with self.http.get(f"{self.daemon.url}/jobs/{key}") as reply:
            document = await reply.json()
            return document["state"], document["version"]

    def requests(self) -> int:
        """How many createjobs requests the server got."""
        return int(self.sandbox.stats()["requests"]["/api/createjobs"])

    async def create(self, *jobs: dict[str, Any]) -> None:
        await create(self.http, self.daemon.url, *jobs)

    async def settled(self, key: str, state: str) -> None:
        async with asyncio.timeout(15):
            while (await self.state(key))[0] != state:  # noqa: ASYNC110 - asked of another object
                await asyncio.sleep(0.02)


@asynccontextmanager
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with (
        Sandbox(SandboxSettings(fleet_size=0)) as sandbox,
        Daemon(settings(tmp_path, sandbox.url)) as daemon,
        aiohttp.ClientSession() as http,
    ):
        yield World(sandbox, daemon, http)


def poison(key: str) -> dict[str, Any]:
    return job(key, destinationName="POISON")


def keys(rows: list[dict[str, Any]]) -> list[str]:
    return [row["uidSecondary"] for row in rows]


async def test_jobs_named_by_key_begin_anew_and_others_are_left_with_the_reason(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        await at.create(job("GOOD"), poison("BAD"))
        refused = at.requests()
        status, document = await at.replay(keys=["BAD", "GOOD", "NONE", "BAD"])
        (again,) = document["replayed"]
        await at.settled("BAD", "rejected")
        sent = at.requests()
    assert (status, document["dry_run"], document["next"]) == (200, False, None)
    assert (again["uidSecondary"], again["receipt"], again["refusals"] < 3) == ("BAD", "/jobs/BAD", True)
    assert [(one["uidSecondary"], one["state"]) for one in document["left"]] == [("GOOD", "confirmed"), ("NONE", None)]
    assert all(one["why"] for one in document["left"])
    assert sent > refused


async def test_a_dry_run_only_says_which(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        await at.create(poison("BAD"), job("GOOD"))
        sent = at.requests()
        _, by_key = await at.replay(keys=["BAD"], dry_run=True)
        _, by_state = await at.replay(state="rejected", dry_run=True)
        assert (await at.state("BAD"))[0] == "rejected"
        assert at.requests() == sent
    assert by_key == by_state
    assert (by_key["dry_run"], keys(by_key["replayed"])) == (True, ["BAD"])
    assert by_key["replayed"][0]["state"] == "rejected"


async def test_filters_choose_by_state_age_and_error(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        await at.create(poison("OLD"))
        between = time.time()
        await asyncio.sleep(0.05)
        await at.create(poison("NEW"), job("GOOD"))
        wishes: list[tuple[dict[str, Any], list[str]]] = [
            ({"state": ["rejected", "dead"]}, ["OLD", "NEW"]),
            ({"state": "dead"}, []),
            ({"changed_before": between}, ["OLD"]),
            ({"changed_since": between}, ["NEW"]),
            ({"error": "NOT valid"}, ["OLD", "NEW"]),
            ({"error": "no such words"}, []),
        ]
        for wish, found in wishes:
            assert keys((await at.replay(**wish, dry_run=True))[1]["replayed"]) == found, wish
        first = (await at.replay(state="rejected", limit=1, dry_run=True))[1]
        second = (await at.replay(state="rejected", limit=1, after=first["next"], dry_run=True))[1]
        last = (await at.replay(state="rejected", limit=1, after=second["next"], dry_run=True))[1]
    assert [keys(one["replayed"]) for one in (first, second, last)] == [["OLD"], ["NEW"], []]
    assert last["next"] is None


async def test_what_a_newer_version_replaced_is_left_alone(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        await at.create(poison("A"))
        await at.create(job("A"))
        _, document = await at.replay(state="rejected")
        assert await at.state("A") == ("confirmed", 2)
    assert document["replayed"] == []
    assert [(one["uidSecondary"], "newer" in one["why"]) for one in document["left"]] == [("A", True)]


async def test_what_a_person_took_back_goes_out_only_by_its_key(tmp_path: Path) -> None:
    async with (
        Daemon(settings(tmp_path, "http://127.0.0.1:9", accept_timeout_s=0.1)) as daemon,
        aiohttp.ClientSession() as http,
        Sandbox(SandboxSettings(fleet_size=0)) as sandbox,
    ):
        at = World(sandbox, daemon, http)
        await at.create(job("A"))
        async with http.delete(f"{daemon.url}/jobs/A") as reply:
            assert reply.status == 200
        _, by_state = await at.replay(state="dead")
        _, by_key = await at.replay(keys=["A"])
        assert (await at.state("A"))[0] in {"accepted", "assigned"}
    assert (by_state["replayed"], by_state["left"]) == ([], [])
    assert keys(by_key["replayed"]) == ["A"]


async def test_a_wish_that_says_too_little_or_something_unknown_is_refused(tmp_path: Path) -> None:
    wishes: list[dict[str, Any]] = [
        {},
        {"dry_run": True},
        {"state": "confirmed"},
        {"state": ["sending"]},
        {"keys": "A"},
        {"keys": ["A"], "state": "dead"},
        {"state": "dead", "limit": 0},
        {"state": "dead", "limit": 1001},
        {"state": "dead", "after": -1},
        {"state": "dead", "since": 3},
        {"keys": ["A"] * 1001},
        {"changed_since": "yesterday"},
    ]
    async with world(tmp_path) as at:
        await at.create(poison("BAD"))
        sent = at.requests()
        for wish in wishes:
            status, document = await at.replay(**wish)
            assert (status, document["status"], document["message"].startswith("body: ")) == (400, 1, True), wish
        assert await at.state("BAD") == ("rejected", 1)
        assert at.requests() == sent
