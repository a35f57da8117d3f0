"""A configuration that changes while the daemon runs: what is live holds for the next request, batch or decision."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from dispatcher.daemon import Daemon
from dispatcher.errors import ConfigError
from dispatcher.model.state import State
from dispatcher.sandbox import Sandbox, SandboxSettings
from tests.unit.daemon.accounts import KEYS, Client, configuration, job

AWAY = "http://127.0.0.1:9"
ANN = {
    "uid": "ann",
    "username": "ann@example.com",
    "role": "worker",
    "location": {"lat": 45.0, "lng": 7.6, "ts": 0},
}


class Running:
    """A daemon whose accounts can be given other settings.

    Args:
        tmp_path: of the spool.
        http: what clients speak over.
        accounts: their settings.
        process: the process's.
    """

    def __init__(self, tmp_path: Path, http: aiohttp.ClientSession, accounts: dict[str, Any], process: Any) -> None:
        self._tmp_path = tmp_path
        self._http = http
        self._accounts = accounts
        self._process = process
        self.daemon = Daemon(configuration(tmp_path, accounts, **process))

    async def change(self, account: str = "acme", **settings: Any) -> None:
        self._accounts = self._accounts | {account: self._accounts.get(account, {}) | settings}
        await self.daemon.change(configuration(self._tmp_path, self._accounts, **self._process))

    async def drop(self, account: str) -> None:
        self._accounts = {name: own for name, own in self._accounts.items() if name != account}
        await self.daemon.change(configuration(self._tmp_path, self._accounts, **self._process))

    def client(self, account: str = "acme") -> Client:
        return Client(self._http, self.daemon.url, KEYS[account])


@asynccontextmanager
async def running(tmp_path: Path, acme: dict[str, Any], *more: str, **process: Any) -> AsyncIterator[Running]:
    async with aiohttp.ClientSession() as http:
        one = Running(tmp_path, http, {"acme": acme} | {name: {"base_url": AWAY} for name in more}, process)
        async with one.daemon:
            yield one


async def test_settings_of_the_engine_and_the_fallback_hold_for_the_next_decision(tmp_path: Path) -> None:
    async with Sandbox(SandboxSettings(members=[ANN])) as sandbox:
        acme = {"base_url": sandbox.url, "fallback": "unassigned"}
        async with running(tmp_path, acme) as one:  # the policy is `none`
            client = one.client()

            async def worker(key: str) -> Any:
                status, document = await client.create(job(key, day=20310106))
                return document["jobs"][0].get("worker", document["jobs"][0].get("state")) if status < 300 else status

            assert await worker("A") == ""
            await one.change(policy="nearest")
            assert await worker("B") == "ann@example.com"
            await one.change(max_distance_km=1.0)
            assert await worker("C") == ""
            await one.change(fallback="hold")
            assert await worker("D") == "held"
            await one.change(max_distance_km=0.0, fallback="unassigned")
            assert await worker("E") == "ann@example.com"
            await one.change(policy="none")
            assert await worker("F") == ""


async def test_limits_of_the_door_hold_for_the_next_request(tmp_path: Path) -> None:
    async with running(tmp_path, {"base_url": AWAY, "accept_timeout_s": 0.0}) as one:
        client = one.client()
        assert (await client.create(job("A")))[0] == 202
        await one.change(spool_max_rows=1)
        assert (await client.create(job("B")))[0] == 503
        await one.change(spool_max_rows=2, accept_timeout_s=0.5)
        began = time.monotonic()
        assert (await client.create(job("B")))[0] == 202
        assert time.monotonic() - began > 0.4


async def test_a_time_out_holds_for_the_next_request_to_hellotracks(tmp_path: Path) -> None:
    patient = {"request_timeout_s": 60.0}
    async with (
        Sandbox(SandboxSettings(fleet_size=0, latency_s=30)) as sandbox,
        running(tmp_path, patient | {"base_url": sandbox.url}, shutdown_grace_s=0.5) as one,
    ):
        await one.change(request_timeout_s=0.2)
        await one.client().create(job("A"), prefer="respond-async")
        async with asyncio.timeout(10):
            while not (await one.daemon.desks["acme"].dispatcher.counts())[State.UNKNOWN]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)


async def test_who_waits_for_an_account_that_is_taken_out_is_answered(tmp_path: Path) -> None:
    """The jobs are durable, so the answer is 202 with where they are."""
    async with running(tmp_path, {"base_url": AWAY}, "beta", shutdown_grace_s=0.6) as one:
        waiting = asyncio.create_task(one.client().create(job("A")))
        async with asyncio.timeout(5):
            while not (await one.client().get("/jobs"))[1]["jobs"]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await one.drop("acme")
        status, document = await waiting
        assert (status, document["jobs"][0]["uidSecondary"]) == (202, "A")
        assert (await one.client().get("/jobs"))[0] == 401
        await one.change("acme", base_url=AWAY)
        assert (await one.client().get("/jobs/A"))[1]["state"] in {"accepted", "assigned"}


async def test_an_account_that_comes_and_goes_leaves_nothing_behind(tmp_path: Path) -> None:
    async with running(tmp_path, {"base_url": AWAY}, shutdown_grace_s=0.3) as one:
        before = {task.get_name() for task in asyncio.all_tasks() if "acme" in task.get_name()}
        for _ in range(3):
            await one.change("beta", base_url=AWAY)
            await one.client("beta").create(job("A"), prefer="respond-async")
            assert any("beta" in task.get_name() for task in asyncio.all_tasks())
            await one.drop("beta")
            await asyncio.sleep(0.05)
            assert not any("beta" in task.get_name() for task in asyncio.all_tasks())
        assert {task.get_name() for task in asyncio.all_tasks() if "acme" in task.get_name()} == before


async def test_what_is_refused_changes_nothing_at_all(tmp_path: Path) -> None:
    """Not even for the accounts that come before the one that is wrong."""
    async with running(tmp_path, {"base_url": AWAY}, "beta") as one:
        before = {name: desk.settings for name, desk in one.daemon.desks.items()}
        wrong = configuration(
            tmp_path,
            {
                "acme": {"base_url": AWAY, "limits": "1/s", "clients": {"shop": "S"}},
                "beta": {"base_url": AWAY, "accept_key": "S"},
                "gamma": {"base_url": AWAY},
            },
        )
        with pytest.raises(ConfigError, match="the same key"):
            await one.daemon.change(wrong)
        assert {name: desk.settings for name, desk in one.daemon.desks.items()} == before
        assert (await one.client().get("/jobs"))[0] == 200


async def test_changes_at_once_come_one_after_the_other_and_the_end_waits_for_them(tmp_path: Path) -> None:
    async with running(tmp_path, {"base_url": AWAY}, "beta", shutdown_grace_s=0.5) as one:
        changes = [
            asyncio.create_task(one.change("acme", base_url=AWAY, max_concurrency=1 + number)) for number in range(5)
        ]
        leaving = asyncio.create_task(one.drop("beta"))
        await asyncio.sleep(0)
        await one.daemon.close()
        ended = await asyncio.gather(*changes, leaving, return_exceptions=True)
        assert all(result is None or isinstance(result, ConfigError) for result in ended), ended
        with pytest.raises(ConfigError, match="is not open"):
            await one.daemon.change(configuration(tmp_path, {"acme": {"base_url": AWAY}}))
