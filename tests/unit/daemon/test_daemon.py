"""The daemon in this process, where its times can be short."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from dispatcher.daemon import Daemon
from dispatcher.errors import ConfigError
from dispatcher.sandbox import Sandbox, SandboxSettings
from dispatcher.settings import Settings


def job(key: str, **fields: Any) -> dict[str, Any]:
    return {"uidSecondary": key, "destinationLat": 45.07, "destinationLng": 7.69} | fields


def settings(tmp_path: Path, url: str, **more: Any) -> Settings:
    plain = {"listen": "127.0.0.1:0", "spool": str(tmp_path / "spool.db"), "policy": "none", "api_key": "key"}
    return Settings(**({**plain, "base_url": url} | more))


async def create(http: aiohttp.ClientSession, url: str, *jobs: dict[str, Any], prefer: str = "") -> tuple[int, Any]:
    headers = {"Prefer": prefer} if prefer else {}
    async with http.post(f"{url}/api/createjobs", json={"data": {"jobs": jobs}}, headers=headers) as reply:
        return reply.status, await reply.json()


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(15):
        while not await true():  # noqa: ASYNC110 - it is asked of another process or object
            await asyncio.sleep(0.02)


async def test_a_denied_account_is_tried_again_and_then_nothing_was_lost(tmp_path: Path) -> None:
    async with (
        Sandbox(SandboxSettings(api_key="right", fleet_size=0)) as strict,
        Daemon(settings(tmp_path, strict.url), retry_denied_s=0.5) as daemon,
        aiohttp.ClientSession() as http,
    ):

        async def denied() -> bool:
            async with http.get(f"{daemon.url}/readyz") as reply:
                return reply.status == 503 and "denied" in (await reply.json())["reason"]

        await create(http, daemon.url, job("A"), prefer="respond-async")
        await until(denied)
        status, _ = await create(http, daemon.url, job("B"))
        assert status == 202
        await strict.stop()
        async with Sandbox(SandboxSettings(port=strict.port, fleet_size=0)) as sandbox:  # it takes any key

            async def both_there() -> bool:
                await asyncio.sleep(0)
                return {"A", "B"} <= sandbox.jobs.keys()

            await until(both_there)
            assert (sandbox.created("A"), sandbox.sends("A"), sandbox.created("B")) == (1, 1, 1)


async def test_the_reply_names_the_member_whom_the_engine_chose(tmp_path: Path) -> None:
    near = {
        "uid": "ann",
        "username": "ann@example.com",
        "role": "worker",
        "location": {"lat": 45.0, "lng": 7.6, "ts": 0},
    }
    far = near | {"uid": "bob", "username": "bob@example.com", "location": {"lat": 48.0, "lng": 7.6, "ts": 0}}
    async with (
        Sandbox(SandboxSettings(members=[far, near])) as sandbox,
        Daemon(settings(tmp_path, sandbox.url, policy="nearest")) as daemon,
        aiohttp.ClientSession() as http,
    ):
        status, document = await create(http, daemon.url, job("A", day=20310106))
        async with http.get(f"{daemon.url}/jobs/A?explain=true") as reply:
            receipt = await reply.json()
    (created,) = document["jobs"]
    assert (status, created["worker"], created["assigneeUsername"]) == (200, "ann@example.com", "ann@example.com")
    assert receipt["decision"]["distance_m"] > 0
    assert receipt["explanation"]["happened"]


async def test_a_held_job_is_answered_at_once(tmp_path: Path) -> None:
    async with (
        Sandbox(SandboxSettings(members=[])) as sandbox,
        Daemon(settings(tmp_path, sandbox.url, policy="nearest", fallback="hold")) as daemon,
        aiohttp.ClientSession() as http,
    ):
        status, document = await create(http, daemon.url, job("A"))
    assert (status, document["jobs"][0]["state"]) == (202, "held")


async def test_the_same_request_twice_at_once_makes_one_job_and_two_answers(tmp_path: Path) -> None:
    async with (
        Sandbox(SandboxSettings(fleet_size=0, latency_s=0.2)) as sandbox,
        Daemon(settings(tmp_path, sandbox.url)) as daemon,
        aiohttp.ClientSession() as http,
    ):
        answers = await asyncio.gather(*(create(http, daemon.url, job("A"), job("A")) for _ in range(5)))
        third = await create(http, daemon.url, job("A"))
        created = sandbox.created("A")
        sends = sandbox.sends("A")
    assert {status for status, _ in (*answers, third)} == {200}
    assert len({one["id"] for _, document in (*answers, third) for one in document["jobs"]}) == 1
    assert (created, sends) == (1, 1)


async def test_a_client_that_goes_away_while_it_waits_harms_nobody(tmp_path: Path) -> None:
    async with (
        Sandbox(SandboxSettings(fleet_size=0, latency_s=0.5)) as sandbox,
        Daemon(settings(tmp_path, sandbox.url)) as daemon,
        aiohttp.ClientSession() as http,
    ):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await create(http, daemon.url, job("A"))
        status, document = await create(http, daemon.url, job("A"))
    assert (status, document["status"]) == (200, 0)


async def test_closing_gives_everything_back(tmp_path: Path) -> None:
    before = asyncio.all_tasks()
    async with Sandbox(SandboxSettings(fleet_size=0)) as sandbox:
        for _ in range(2):  # the second one gets the spool's lock
            async with Daemon(settings(tmp_path, sandbox.url)) as daemon, aiohttp.ClientSession() as http:
                await create(http, daemon.url, job("A"))
    await asyncio.sleep(0.05)
    assert asyncio.all_tasks() == before
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", int(daemon.url.rpartition(":")[2])), timeout=5)


async def test_an_address_that_cannot_be_listened_on_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=str(port)):
            await Daemon(settings(tmp_path, "http://127.0.0.1:9", listen=f"127.0.0.1:{port}")).__aenter__()
