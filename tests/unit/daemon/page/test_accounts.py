"""Several accounts on one page."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp

from dispatcher.daemon import Daemon
from dispatcher.sandbox import Sandbox, SandboxSettings
from tests.unit.daemon.accounts import KEYS, Client, configuration, job
from tests.unit.daemon.page.daemons import OWN, Visitor
from tests.unit.daemon.page.test_feed import next_event

CLIENTS = {name: {"accept_key": f"client-{name}"} for name in KEYS}


async def test_each_account_has_its_own_stream_jobs_and_dead_letters_and_a_line_beside_the_others(
    tmp_path: Path,
) -> None:
    async with (
        Sandbox(SandboxSettings(fleet_size=0)) as sandbox,
        Daemon(
            configuration(tmp_path, {name: {"base_url": sandbox.url, **own} for name, own in CLIENTS.items()})
        ) as daemon,
        aiohttp.ClientSession() as http,
    ):
        visitor = Visitor(http, daemon.url)
        await Client(http, daemon.url, "client-acme").create(job("A"), job("BAD", destinationName="POISON"))
        await Client(http, daemon.url, "client-beta").create(job("B"))
        settings = await visitor.read("/page/settings")
        for name, keys in (("acme", {"A", "BAD"}), ("beta", {"B"})):
            rows = (await visitor.read(f"/page/jobs?account={name}"))["jobs"]
            assert {row["key"] for row in rows} == keys
        foreign = await visitor.ask("POST", "/page/replay?account=beta", {"keys": ["BAD"]}, headers=OWN)
        assert (await visitor.ask("GET", "/page/job/A?account=beta"))[0] == 404
        await asyncio.sleep(1.2)
        async with http.get(f"{daemon.url}/page/events?account=beta") as reply:
            _, told = await next_event(reply)
    assert settings["accounts"] == ["acme", "beta"]
    assert foreign[1]["replayed"] == []
    assert (told["account"], told["counts"]["confirmed"]) == ("beta", 1)
    assert [(line["name"], line["confirmed"], line["dead"]) for line in told["accounts"]] == [
        ("acme", 1, 1),
        ("beta", 1, 0),
    ]
