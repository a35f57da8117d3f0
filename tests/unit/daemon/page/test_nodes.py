"""Several daemons on one database, on the page of each."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from dispatcher.daemon import Daemon
from dispatcher.sandbox import Sandbox, SandboxSettings
from tests import postgres
from tests.unit.daemon.page.daemons import Visitor, job, settings
from tests.unit.daemon.page.test_feed import next_event


@asynccontextmanager
async def company(folder: Path, spool: str, **names: dict[str, Any]) -> AsyncIterator[dict[str, Visitor]]:
    """A daemon under each name, and somebody who looks at it."""
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(Sandbox(SandboxSettings(fleet_size=3)))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        visitors = {}
        for name, more in names.items():
            daemon = Daemon(settings(folder, sandbox.url, spool=spool, node=name, **more))
            visitors[name] = Visitor(http, (await stack.enter_async_context(daemon)).url)
        yield visitors


async def told(visitor: Visitor, path: str = "/page/events") -> Any:
    """What a reader of the stream is told first."""
    async with visitor.http.get(f"{visitor.url}{path}") as reply:
        _, document = await next_event(reply)
    return document


async def told_when(visitor: Visitor, found: str) -> Any:
    """What a reader is told once the text is in it."""
    async with asyncio.timeout(20):
        while found.encode() not in orjson.dumps((document := await told(visitor))["nodes"]):  # noqa: ASYNC110 - from outside
            await asyncio.sleep(0.2)
    return document


async def test_each_page_shows_all_nodes_and_marks_its_own(tmp_path: Path, dsn: str) -> None:
    async with company(tmp_path, dsn, north={}, south={}) as visitors:
        await visitors["north"].create(job("a"), job("b"))
        for name, visitor in visitors.items():
            document = await told_when(visitor, '"in_flight":0')
            rows = document["nodes"]["rows"]
            assert [(row["name"], row["state"], row["here"]) for row in rows] == [
                ("north", "alive", name == "north"),
                ("south", "alive", name == "south"),
            ]
            assert [row["address"] for row in rows] == [one.url for one in visitors.values()]
            assert (document["nodes"]["problem"], document["leader"]) == ("", None)


async def test_a_node_that_was_stopped_is_seen_to_have_left(tmp_path: Path, dsn: str) -> None:
    async with company(tmp_path, dsn, north={}) as visitors:
        async with company(tmp_path, dsn, south={}):
            await told_when(visitors["north"], '"name":"south"')
        document = await told_when(visitors["north"], '"state":"left"')
    assert [row["since_s"] < 10 for row in document["nodes"]["rows"] if row["name"] == "south"] == [True]


@pytest.mark.skipif(postgres.VARIABLE in os.environ, reason="the database is somebody else's, and not taken away")
async def test_while_the_database_is_away_the_stream_goes_on_and_says_so(tmp_path: Path, dsn: str) -> None:
    """Second by second, with what was known."""
    async with company(tmp_path, dsn, north={}) as visitors:
        await visitors["north"].create(job("a"))
        async with visitors["north"].http.get(f"{visitors['north'].url}/page/events") as reply:
            async with asyncio.timeout(10):
                while (await next_event(reply))[1]["counts"]["confirmed"] != 1:
                    pass
            await asyncio.to_thread(postgres.restart, away_s=3.0)
            async with asyncio.timeout(30):
                seen = [await next_event(reply) for _ in range(6)]
                while (await next_event(reply))[1]["nodes"]["problem"]:
                    pass
    away = [document for _, document in seen if document["nodes"]["problem"]]
    assert away
    assert [row["name"] for row in away[-1]["nodes"]["rows"]] == ["north"]
    assert away[-1]["counts"]["confirmed"] == 1


@pytest.mark.skipif(postgres.VARIABLE in os.environ, reason="the database is somebody else's, and not taken away")
async def test_while_the_database_is_away_the_daemon_is_not_ready_and_its_metrics_say_so(
    tmp_path: Path, dsn: str
) -> None:
    """At once: whoever watches must not run into a time-out."""
    async with company(tmp_path, dsn + "&lease_s=1", north={}) as visitors:
        north = visitors["north"]
        assert (await north.ask("GET", "/readyz"))[0] == 200
        with postgres.away():
            await asyncio.sleep(1.2)
            began = time.monotonic()
            status, document, _ = await north.ask("GET", "/readyz")
            _, text, _ = await north.ask("GET", "/metrics")
            assert time.monotonic() - began < 2
        assert (status, "cannot be reached" in document["accounts"]["default"]["reason"]) == (503, True)
        figures = text.decode().splitlines()
        assert "dispatcher_lease_runs 0.0" in figures
        assert "dispatcher_spool_failures_total 0.0" not in figures
        assert not [line for line in figures if line.startswith("dispatcher_nodes{")]
        async with asyncio.timeout(20):
            while (await north.ask("GET", "/readyz"))[0] != 200:  # noqa: ASYNC110 - from outside
                await asyncio.sleep(0.1)


async def test_a_daemon_with_a_file_shows_no_nodes(tmp_path: Path) -> None:
    async with company(tmp_path, str(tmp_path / "spool.db"), north={}) as visitors:
        document = await told(visitors["north"])
    assert (document["nodes"], document["leader"]) == (None, None)
