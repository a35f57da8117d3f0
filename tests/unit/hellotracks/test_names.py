"""Host names that hang keep nobody waiting but who asked for them."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from dispatcher.errors import NotSent
from dispatcher.hellotracks.names import NamesInThreads
from tests.unit.hellotracks.loopback import answering, client_of, created, job, reply, serving

MANY = 50
"""More than the event loop has threads."""


@pytest.fixture
def _names_hang(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Names under `.hangs` are not answered until the test is over."""
    over = threading.Event()
    ask = socket.getaddrinfo

    def hang(host: Any, *args: Any, **kwargs: Any) -> Any:
        if str(host).endswith(".hangs"):
            over.wait(30)
            raise socket.gaierror(socket.EAI_AGAIN, "too late")
        return ask(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    yield
    over.set()


@pytest.mark.usefixtures("_names_hang")
async def test_names_that_hang_do_not_keep_others_waiting() -> None:
    async with serving(answering(reply(created("A")))) as url:
        stuck = [asyncio.create_task(NamesInThreads().resolve(f"{number}.hangs")) for number in range(MANY)]
        await asyncio.sleep(0.1)
        began = time.monotonic()
        async with client_of(url.replace("127.0.0.1", "localhost")) as client:
            assert await client.create_jobs([job("A")])
        assert await asyncio.to_thread(len, "abc") == 3
        assert time.monotonic() - began < 2
        assert not any(task.done() for task in stuck)
        for task in stuck:
            task.cancel()
        await asyncio.gather(*stuck, return_exceptions=True)


@pytest.mark.usefixtures("_names_hang")
async def test_a_name_that_hangs_is_not_sent_within_the_connect_time_out() -> None:
    began = time.monotonic()
    async with client_of("http://api.hangs", connect_timeout_s=0.3) as client:
        with pytest.raises(NotSent):
            await client.create_jobs([job("A")])
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 80 + ".example"])
async def test_a_name_that_nobody_has_is_not_sent(host: str) -> None:
    async with client_of(f"http://{host}") as client:
        with pytest.raises(NotSent):
            await client.create_jobs([job("A")])


async def test_addresses_come_with_their_port() -> None:
    found = await NamesInThreads().resolve("localhost", 8080)
    assert [(one["host"], one["port"], one["family"]) for one in found] == [("127.0.0.1", 8080, socket.AF_INET)]
