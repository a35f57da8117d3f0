"""Several accounts in one daemon: the key picks the account, and one in trouble is no matter of the others."""

from __future__ import annotations

import asyncio
import logging
import socket
import statistics
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from dispatcher.daemon import Daemon
from dispatcher.errors import ConfigError
from dispatcher.model.state import State
from dispatcher.sandbox import Sandbox, SandboxSettings
from tests.unit.daemon.accounts import KEYS, Client, configuration, job


@asynccontextmanager
async def two_accounts(
    tmp_path: Path, **more: Any
) -> AsyncIterator[tuple[Daemon, Sandbox, Sandbox, Callable[[str], Client]]]:
    """A daemon, the sandbox of each account, and what makes a client of a key."""
    async with (
        Sandbox(SandboxSettings(api_key=KEYS["acme"], fleet_size=0)) as acme,
        Sandbox(SandboxSettings(api_key=KEYS["beta"], fleet_size=0)) as beta,
        aiohttp.ClientSession() as http,
    ):
        accounts: dict[str, dict[str, Any]] = {
            "acme": {"base_url": acme.url, "clients": {"shop": "SHOP", "depot": "DEPOT"}, "accept_key": "OURS"},
            "beta": {"base_url": beta.url},
        }
        async with Daemon(configuration(tmp_path, accounts, **more)) as daemon:
            yield daemon, acme, beta, lambda key: Client(http, daemon.url, key)


async def test_the_presented_key_picks_the_account(tmp_path: Path) -> None:
    """A client's own key, the account's accept key and its Hellotracks key are all good."""
    async with two_accounts(tmp_path) as (daemon, acme, beta, client):
        assert list(daemon.desks) == ["acme", "beta"]
        for number, key in enumerate(("SHOP", "DEPOT", "OURS", KEYS["acme"])):
            assert (await client(key).create(job(f"A{number}")))[0] == 200
        assert (await client(KEYS["beta"]).create(job("B")))[0] == 200
    assert (sorted(acme.jobs), sorted(beta.jobs)) == (["A0", "A1", "A2", "A3"], ["B"])


async def test_metrics_and_the_log_name_the_client(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with two_accounts(tmp_path) as (daemon, _acme, _beta, client), aiohttp.ClientSession() as http:
        await client("SHOP").create(job("A"), job("B"))
        await client(KEYS["beta"]).create(job("A"))
        with caplog.at_level(logging.INFO, logger="dispatcher.daemon"):
            assert (await client("DEPOT").create({"uidSecondary": "C", "day": "soon"}))[0] == 400
        async with http.get(f"{daemon.url}/metrics") as reply:
            lines = (await reply.text()).splitlines()
    by_client = [line for line in lines if line.startswith("dispatcher_client_jobs_total{")]
    assert by_client == ['dispatcher_client_jobs_total{account="acme",client="shop"} 2.0']
    assert "jobs of the client depot (account acme) were refused" in caplog.text


async def test_the_key_may_stand_in_the_body(tmp_path: Path) -> None:
    async with two_accounts(tmp_path) as (_, acme, _beta, client):
        body = {"auth": {"key": "SHOP"}, "data": {"jobs": [job("A")]}}
        assert (await client("").ask("POST", "/api/createjobs", json=body))[0] == 200
        listed = await client("").ask("POST", "/api/getaccounts", json={"auth": {"key": "SHOP"}, "data": {}})
        assert listed[0] == 200
    assert list(acme.jobs) == ["A"]


@pytest.mark.parametrize("key", ["", "WRONG", "SHO", "SHOPP", "shop", "ACME.1.", "***", "ü"])
async def test_a_key_of_no_account_is_refused_without_detail(key: str, tmp_path: Path) -> None:
    async with two_accounts(tmp_path) as (_, acme, beta, client):
        refused = (401, {"status": 1, "message": "unauthorized"})
        headers = {"API-Key": key}
        body = {"data": {"jobs": [job("A")]}, "auth": {"key": key}}
        assert await client("").ask("POST", "/api/createjobs", json=body) == refused
        assert await client("").ask("POST", "/api/createjobs", json=body, headers=headers) == refused
        assert await client("").ask("POST", "/api/getjobs", json=body, headers=headers) == refused
        for method, path in (("GET", "/jobs"), ("GET", "/jobs/A"), ("DELETE", "/jobs/A")):
            assert await client("").ask(method, path, headers=headers) == refused
    assert not acme.jobs
    assert not beta.jobs


async def test_a_job_is_known_to_its_own_account_alone(tmp_path: Path) -> None:
    async with two_accounts(tmp_path) as (_, acme, beta, client):
        for key in ("SHOP", KEYS["beta"]):
            assert (await client(key).create(job("SAME", destinationName=key)))[0] == 200
        await client("SHOP").create(job("A"))
        assert (await client("SHOP").get("/jobs/A"))[1]["account"] == "acme"
        assert (await client(KEYS["beta"]).get("/jobs/A"))[0] == 404
        assert (await client(KEYS["beta"]).ask("DELETE", "/jobs/A"))[0] == 404
        assert [one["uidSecondary"] for one in (await client(KEYS["beta"]).get("/jobs"))[1]["jobs"]] == ["SAME"]
    assert (acme.jobs["SAME"]["destinationName"], beta.jobs["SAME"]["destinationName"]) == ("SHOP", "BETA.1")


async def test_an_account_may_be_named_and_must_then_be_the_keys_own(tmp_path: Path) -> None:
    async with two_accounts(tmp_path) as (_, _acme, beta, client):
        assert (await client("SHOP").create(job("A"), query="?account=acme"))[0] == 200
        assert (await client("SHOP").create(job("A"), query="?account=beta"))[0] == 404
        assert (await client("SHOP").get("/jobs?account=none"))[0] == 404
        assert (await client("SHOP").get("/jobs/A?account=acme"))[0] == 200
    assert not beta.jobs


async def test_with_one_account_and_no_keys_the_account_may_be_named_too(tmp_path: Path) -> None:
    async with (
        Sandbox(SandboxSettings(fleet_size=0)) as sandbox,
        Daemon(configuration(tmp_path, {"acme": {"base_url": sandbox.url}}, tables=False)) as daemon,
        aiohttp.ClientSession() as http,
    ):
        client = Client(http, daemon.url, "")
        assert (await client.create(job("A"), query="?account=acme"))[0] == 200
        assert (await client.create(job("B"), query="?account=beta"))[0] == 404
        assert (await client.get("/jobs/A"))[0] == 200
    assert list(sandbox.jobs) == ["A"]


async def test_readiness_and_metrics_tell_of_each_account(tmp_path: Path) -> None:
    """One account that is denied does not take the daemon out of service; when all are, it is not ready."""
    async with Sandbox(SandboxSettings(fleet_size=0)) as good, Sandbox(SandboxSettings(api_key="other")) as strict:
        accounts = {"acme": {"base_url": strict.url}, "beta": {"base_url": good.url}}
        async with Daemon(configuration(tmp_path, accounts)) as daemon, aiohttp.ClientSession() as http:
            nobody = Client(http, daemon.url, "")
            await Client(http, daemon.url, KEYS["acme"]).create(job("A"), prefer="respond-async")
            async with asyncio.timeout(10):
                while (answer := await nobody.get("/readyz"))[1]["accounts"]["acme"]["ready"]:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            assert (answer[0], answer[1]["accounts"]["beta"]) == (200, {"ready": True, "reason": ""})
            assert "denied" in answer[1]["accounts"]["acme"]["reason"]
            async with http.get(f"{daemon.url}/metrics") as reply:
                lines = (await reply.text()).splitlines()
        assert 'dispatcher_ready{account="acme"} 0.0' in lines
        assert 'dispatcher_ready{account="beta"} 1.0' in lines
        assert 'dispatcher_accepted_jobs_total{account="acme"} 1.0' in lines
        (tmp_path / "bad").mkdir()
        bad = configuration(tmp_path / "bad", {name: {"base_url": strict.url} for name in KEYS})
        async with Daemon(bad) as daemon, aiohttp.ClientSession() as http:
            for key in KEYS.values():
                await Client(http, daemon.url, key).create(job("A"), prefer="respond-async")
            async with asyncio.timeout(10):
                while (answer := await Client(http, daemon.url, "").get("/readyz"))[0] == 200:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        assert "denied" in answer[1]["reason"]


async def test_what_an_earlier_run_left_open_is_looked_up_for_every_account(tmp_path: Path) -> None:
    async with Sandbox(SandboxSettings(latency_s=30)) as hangs, Sandbox(SandboxSettings(fleet_size=0)) as good:
        accounts = {"acme": {"base_url": hangs.url}, "beta": {"base_url": good.url}}
        first = configuration(tmp_path, accounts, shutdown_grace_s=0.3)
        async with Daemon(first) as daemon, aiohttp.ClientSession() as http:
            await Client(http, daemon.url, KEYS["acme"]).create(job("A"), prefer="respond-async")
            await Client(http, daemon.url, KEYS["beta"]).create(job("B"))
            async with asyncio.timeout(10):
                while (await daemon.desks["acme"].dispatcher.counts())[State.SENDING] != 1:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        async with Daemon(first) as again:
            assert again.recovered == 1
            assert again.desks["acme"].dispatcher.recovered == 1
            assert again.desks["beta"].dispatcher.recovered == 0


def test_an_account_without_a_key_for_hellotracks_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="account beta: no api_key is set"):
        Daemon(configuration(tmp_path, {"acme": {}, "beta": {"api_key": ""}}))


def test_two_accounts_that_a_key_would_open_both_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="acme and beta have the same key"):
        Daemon(configuration(tmp_path, {"acme": {"accept_key": "X"}, "beta": {"clients": {"shop": "X"}}}))


class Trouble:
    """What can be wrong with the account acme.

    Args:
        stack: closed at the end.
    """

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack

    async def _sandbox(self, **options: Any) -> dict[str, Any]:
        return {"base_url": (await self._stack.enter_async_context(Sandbox(SandboxSettings(**options)))).url}

    async def away(self) -> dict[str, Any]:
        return {"base_url": "http://127.0.0.1:9"}

    async def silent(self) -> dict[str, Any]:
        """Connections are made and nothing is ever answered: requests and look-ups are stuck until they time out."""
        line = self._stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=100))
        return {"base_url": f"http://127.0.0.1:{line.getsockname()[1]}", "request_timeout_s": 1.0}

    async def lost_replies(self) -> dict[str, Any]:
        """Everything is carried out and no reply comes: all jobs must be looked up, again and again."""
        return await self._sandbox(latency_s=30.0) | {"request_timeout_s": 0.5, "unknown_grace_s": 0.1}

    async def denied(self) -> dict[str, Any]:
        return await self._sandbox(api_key="another")

    async def throttled(self) -> dict[str, Any]:
        return await self._sandbox(faults="429:1.0")

    async def broken(self) -> dict[str, Any]:
        return await self._sandbox(faults="close-after:0.4, html:0.3, 500-after:0.3")

    async def full(self) -> dict[str, Any]:
        return await self.away() | {"spool_max_rows": 3}

    async def backlog(self) -> dict[str, Any]:
        """Tens of thousands of jobs behind a small limit."""
        return await self._sandbox() | {"limits": "2/s", "max_batch_jobs": 10}


@pytest.mark.parametrize(
    "trouble", ["away", "silent", "lost_replies", "denied", "throttled", "broken", "full", "backlog"]
)
async def test_an_account_in_trouble_does_not_delay_another(trouble: str, tmp_path: Path) -> None:
    """The other one's jobs are confirmed as fast beside it as they were alone, within the noise of a busy machine."""
    async with AsyncExitStack() as stack:
        own = await getattr(Trouble(stack), trouble)()
        good = await stack.enter_async_context(Sandbox(SandboxSettings(fleet_size=0)))
        accounts = {"acme": own, "beta": {"base_url": good.url}}
        daemon = await stack.enter_async_context(Daemon(configuration(tmp_path, accounts, shutdown_grace_s=0.5)))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        acme, beta = (Client(http, daemon.url, KEYS[name]) for name in ("acme", "beta"))
        alone = await _confirmed(beta, "ALONE")
        status, _ = await acme.create(*(job(f"A{n}") for n in range(4)), prefer="respond-async")
        assert status == (503 if trouble == "full" else 202)
        if trouble == "backlog":
            for first in range(0, 20_000, 4000):
                await acme.create(*(job(f"M{first + n}") for n in range(4000)), prefer="respond-async")
        pushing = asyncio.create_task(_push(acme))
        try:
            await asyncio.sleep(1.0)
            beside = await _confirmed(beta, "BESIDE")
        finally:
            pushing.cancel()
            await asyncio.gather(pushing, return_exceptions=True)
        status, document = await beta.create(*(job(f"MANY{n}") for n in range(2000)))
    assert (status, len(document["jobs"])) == (200, 2000)
    assert statistics.median(beside) < 4 * statistics.median(alone) + 0.1, (alone, beside)
    assert max(beside) < 5.0  # half of what a request to the one in trouble may take


async def _push(client: Client) -> None:
    """New jobs all the time."""
    number = 0
    while True:
        number += 1
        await client.create(*(job(f"P{number}-{n}") for n in range(5)), prefer="respond-async")
        await asyncio.sleep(0.02)


async def _confirmed(client: Client, name: str) -> list[float]:
    """How long jobs take from the request to the answer that they are created."""
    took = []
    for number in range(25):
        began = time.perf_counter()
        status, document = await client.create(job(f"{name}{number}"))
        took.append(time.perf_counter() - began)
        assert (status, document["status"]) == (200, 0), document
    return took
