"""The event streams: everything at the start, one second each from then on, bounded costs, and an end in time."""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson
import pytest

from dispatcher.daemon import Daemon
from dispatcher.daemon.page import feed as feeds
from dispatcher.daemon.page.feed import Feed, Reader, event
from dispatcher.sandbox import Sandbox, SandboxSettings
from tests.unit.daemon.page.daemons import Visitor, job, settings, visited


async def next_event(reply: aiohttp.ClientResponse) -> tuple[str, Any]:
    async with asyncio.timeout(10):
        while True:
            line = (await reply.content.readline()).decode()
            if line.startswith("event: "):
                name = line.removeprefix("event: ").strip()
                data = (await reply.content.readline()).removeprefix(b"data: ")
                return name, orjson.loads(data)


async def test_a_stream_begins_with_all_that_is_known_and_goes_on_second_by_second(tmp_path: Path) -> None:
    async with visited(tmp_path) as (visitor, _, _):
        await visitor.create(job("A"), job("B"))
        await asyncio.sleep(2.2)
        async with visitor.http.get(f"{visitor.url}/page/events") as reply:
            kind = reply.headers["Content-Type"]
            name, first = await next_event(reply)
            ticks = [await next_event(reply) for _ in range(2)]
        async with visitor.http.get(f"{visitor.url}/page/events") as again:
            _, later = await next_event(again)
    assert kind.startswith("text/event-stream")
    assert (name, [tick for tick, _ in ticks]) == ("snapshot", ["tick", "tick"])
    assert first["counts"]["confirmed"] == 2
    assert sum(first["history"]["accepted"]) == pytest.approx(2, abs=0.2)
    assert sum(first["history"]["confirmed"]) == pytest.approx(2, abs=0.2)
    assert ticks[1][1]["point"]["at"] > first["history"]["at"][-1]
    assert "history" not in ticks[0][1]
    assert later["history"]["at"][: len(first["history"]["at"])] == first["history"]["at"]
    assert [line["name"] for line in first["accounts"]] == ["default"]


async def test_429s_are_counted_in_the_second_they_come_in(tmp_path: Path) -> None:
    async with (
        Sandbox(SandboxSettings(fleet_size=0, limits="2/s")) as sandbox,
        Daemon(settings(tmp_path, sandbox.url, max_batch_jobs=1)) as daemon,
        aiohttp.ClientSession() as http,
    ):
        visitor = Visitor(http, daemon.url)
        await visitor.create(*(job(f"K{n}") for n in range(6)))
        await asyncio.sleep(1.2)
        async with http.get(f"{daemon.url}/page/events") as reply:
            _, told = await next_event(reply)
    assert told["gate"]["outcomes"]["throttled"] > 0
    assert sum(told["history"]["throttled"]) == told["gate"]["outcomes"]["throttled"]
    assert max(told["history"]["limit"]) <= told["gate"]["most"]


async def test_a_reader_has_room_for_one_event_and_is_told_everything_when_it_lost_one() -> None:
    reader, told = Reader(), []
    reader.behind = False
    for offered in ((b"1",), (b"2", b"3"), ()):
        for one in offered:
            reader.offer(one)
        told.append((await reader.take(0.01), reader.behind))
    assert told == [(b"1", False), (b"3", True), (None, True)]
    reader.close()
    assert await reader.take(10) is None


def test_an_event_is_one_line_of_data() -> None:
    assert event("tick", orjson.dumps({"text": "a\nb\r\nevent: evil"})) == (
        b'event: tick\ndata: {"text":"a\\nb\\r\\nevent: evil"}\n\n'
    )


def silent_reader(url: str) -> socket.socket:
    address = urlsplit(url)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect((address.hostname, address.port))
    client.sendall(f"GET /page/events HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())
    return client


async def test_a_reader_that_never_reads_is_dropped_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events are made large, so that the system's buffers are full soon; ours never holds more than one or two."""
    monkeypatch.setattr("dispatcher.daemon.page.page.TICK_S", 0.02)
    monkeypatch.setattr("dispatcher.daemon.page.page.Feed", lambda: Feed(write_s=0.3))
    big = b"x" * 200_000
    monkeypatch.setattr(
        "dispatcher.daemon.page.board.event", lambda name, data: event(name, data[:-1] + b',"big":"' + big + b'"}')
    )
    async with visited(tmp_path) as (visitor, daemon, _):
        silent = [silent_reader(daemon.url) for _ in range(5)]
        async with visitor.http.get(f"{visitor.url}/page/events") as reply:
            async with asyncio.timeout(20):
                while len(daemon._page._feed) < 6:  # noqa: ASYNC110 - it is watched from outside
                    await asyncio.sleep(0.01)
                waiting = 0
                while len(daemon._page._feed) > 1:
                    await next_event(reply)
                    transports = [reader._transport for reader in daemon._page._feed._readers]
                    buffered = [one.get_write_buffer_size() for one in transports if one is not None]
                    waiting = max(waiting, *buffered)
            assert (await next_event(reply))[0] in {"tick", "snapshot"}
        for client in silent:
            client.close()
    assert waiting < 2 * len(big) + 100_000


async def test_more_readers_than_allowed_are_sent_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "MOST_READERS", 1)
    async with visited(tmp_path) as (visitor, _, _), visitor.http.get(f"{visitor.url}/page/events") as reply:
        await next_event(reply)
        status, _, refused = await visitor.ask("GET", "/page/events")
    assert (status, "Retry-After" in refused.headers) == (503, True)


async def test_open_streams_do_not_delay_the_stop(tmp_path: Path) -> None:
    async with visited(tmp_path) as (visitor, daemon, _):
        replies = [await visitor.http.get(f"{visitor.url}/page/events") for _ in range(20)]
        for reply in replies:
            await next_event(reply)
        silent = silent_reader(daemon.url)
        began = time.monotonic()
        await daemon.close()
        took_s = time.monotonic() - began
        async with asyncio.timeout(5):
            for reply in replies:
                await reply.read()
                reply.close()
        silent.close()
    assert took_s < 1.5


async def test_a_stream_ends_with_the_session_that_opened_it(tmp_path: Path) -> None:
    async with visited(tmp_path, read_token="see.me") as (visitor, _, _):
        own = {"X-Dispatcher-Page": "1"}
        await visitor.ask("POST", "/page/session", {"for": "read", "token": "see.me"}, headers=own)
        async with visitor.http.get(f"{visitor.url}/page/events") as reply:
            await next_event(reply)
            await visitor.ask("DELETE", "/page/session", headers=own)
            async with asyncio.timeout(5):
                rest = await reply.content.read()
    assert rest.count(b"event:") <= 2


async def test_an_unknown_account_is_404(tmp_path: Path) -> None:
    async with visited(tmp_path) as (visitor, _, _):
        for path in ("/page/events", "/page/map", "/page/jobs", "/page/job/A", "/page/route"):
            assert (await visitor.ask("GET", f"{path}?account=nobody"))[0] == 404
