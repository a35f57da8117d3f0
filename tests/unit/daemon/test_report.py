"""What a daemon tells of itself: what it did in the last seconds, in few words however many accounts it has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import orjson

from dispatcher.daemon import Daemon
from dispatcher.daemon.report import MOST_ACCOUNTS, MOST_LETTERS, Report
from dispatcher.sandbox import Sandbox, SandboxSettings
from tests.unit.daemon.accounts import Client, configuration, job
from tests.unit.daemon.test_nodes import Clock

NAMES = tuple(f"account-{number}" for number in range(20))


async def test_it_tells_what_was_done_and_of_the_busiest_accounts_only(tmp_path: Path) -> None:
    """What is left out is counted, and in the totals."""
    own = {name: {"accept_key": f"client-{name}", "spool": "memory:"} for name in NAMES}
    own[NAMES[3]]["policy"] = "nearest"
    async with Sandbox(SandboxSettings(fleet_size=3)) as sandbox, aiohttp.ClientSession() as http:
        accounts = {name: {"base_url": sandbox.url, **more} for name, more in own.items()}
        async with Daemon(configuration(tmp_path, accounts, spool="memory:")) as daemon:
            clock = Clock()
            report = Report(daemon.desks, clock=clock)
            assert told(report)["accepted_per_s"] == 0
            await Client(http, daemon.url, f"client-{NAMES[-1]}").create(*(job(f"k{n}") for n in range(10)))
            await Client(http, daemon.url, f"client-{NAMES[7]}").create(job("k"))
            clock.now += 2.0
            document = told(report)
            clock.now += 20.0
            told(report)
            clock.now += 1.0
            calm = told(report)
            daemon.desks[NAMES[0]].stopping = True
            stopping = told(report)
    assert (document["accepted_per_s"], document["confirmed_per_s"]) == (5.5, 5.5)
    assert list(document["accounts"])[:2] == [NAMES[-1], NAMES[7]]
    assert document["accounts"][NAMES[-1]]["accepted_per_s"] == 5.0
    assert (len(document["accounts"]), document["more"]) == (MOST_ACCOUNTS, len(NAMES) - MOST_ACCOUNTS)
    assert document["stands"] == [NAMES[3]]
    assert (calm["accepted_per_s"], calm["confirmed_per_s"]) == (0, 0)
    assert stopping["more"] == len(NAMES) - MOST_ACCOUNTS - 1


async def test_an_account_in_trouble_comes_first_and_its_trouble_is_cut_short(tmp_path: Path) -> None:
    own = {name: {"accept_key": f"client-{name}"} for name in NAMES}
    async with Sandbox(SandboxSettings(api_key="right")) as sandbox, aiohttp.ClientSession() as http:
        accounts = {name: {"base_url": sandbox.url, **more} for name, more in own.items()}
        async with Daemon(configuration(tmp_path, accounts, spool="memory:")) as daemon:
            await Client(http, daemon.url, f"client-{NAMES[-1]}").create(job("k"))
            document = told(Report(daemon.desks))
    (first, *_) = document["accounts"]
    assert first == NAMES[-1]
    assert document["accounts"][first]["problem"].startswith("Hellotracks denied access")
    assert len(document["accounts"][first]["problem"]) <= MOST_LETTERS


def told(report: Report) -> dict[str, Any]:
    """A report, which is short."""
    text = report()
    assert len(text) < 3000
    document: dict[str, Any] = orjson.loads(text)
    return document
