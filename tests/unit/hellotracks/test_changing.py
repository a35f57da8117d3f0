"""A client told of another key or other time-outs: calls under way end as they began, the next ones use them."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from dispatcher.errors import ConfigError, OutcomeUnknown
from dispatcher.hellotracks import HellotracksClient
from tests.unit.hellotracks.loopback import KEY, answering, client_of, created, job, read_request, reply, serving

SAME: dict[str, Any] = {
    "api_key": KEY,
    "request_timeout_s": 5.0,
    "connect_timeout_s": 2.0,
    "max_connections": 16,
}


async def test_the_next_call_has_the_new_key_and_the_one_under_way_its_answer() -> None:
    keys: list[bytes] = []
    go_on = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await read_request(reader)
            keys.extend(line.partition(b": ")[2] for line in head.split(b"\r\n") if line.startswith(b"API-Key"))
            if len(keys) == 1:
                await go_on.wait()
            writer.write(reply(created("A")))

    async with serving(script) as url, client_of(url) as client:
        first = asyncio.create_task(client.create_jobs([job("A")]))
        async with asyncio.timeout(5):
            while not keys:  # noqa: ASYNC110 - the server's list
                await asyncio.sleep(0.01)
        client.change(**SAME | {"api_key": "NEW.1", "max_connections": 3})
        await client.create_jobs([job("A")])
        go_on.set()
        assert await first
    assert keys == [KEY.encode(), b"NEW.1"]


async def test_the_next_call_has_the_new_time_out() -> None:
    async with serving(answering(b"")) as url, client_of(url) as client:
        client.change(**SAME | {"request_timeout_s": 0.2})
        began = time.monotonic()
        with pytest.raises(OutcomeUnknown):
            await client.create_jobs([job("A")])
        assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    "change", [{"api_key": ""}, {"request_timeout_s": 0.0}, {"connect_timeout_s": -1.0}, {"max_connections": 0}]
)
async def test_what_cannot_be_used_changes_nothing(change: dict[str, Any]) -> None:
    async with serving(answering(reply(created("A")))) as url, client_of(url) as client:
        with pytest.raises(ConfigError):
            client.change(**SAME | {"api_key": "NEW.1", "request_timeout_s": 0.001} | change)
        assert await client.create_jobs([job("A")])


async def test_a_client_that_is_not_open_yet_opens_with_the_changes() -> None:
    async with serving(answering(reply(created("A")))) as url:
        client = HellotracksClient(base_url=url, api_key="OLD", request_timeout_s=0.001)
        client.change(**SAME)
        async with client:
            assert await client.create_jobs([job("A")])
