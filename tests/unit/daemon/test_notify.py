"""The service manager's protocol over a real datagram socket, and who gives the sign of life."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dispatcher.daemon import Daemon
from dispatcher.daemon.notify import Notifier
from dispatcher.daemon.watchdog import Watchdog
from dispatcher.pipeline.sender import Sender
from dispatcher.pipeline.turn import LONGEST_WAIT_S
from dispatcher.settings import load_settings


@contextlib.contextmanager
def manager(name: str) -> Iterator[socket.socket]:
    """The manager's socket, bound to a path or an abstract name."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name[1:]}" if name.startswith("@") else name)
        listening.setblocking(False)
        yield listening


def heard(listening: socket.socket) -> list[str]:
    """Every message so far."""
    messages: list[str] = []
    with contextlib.suppress(BlockingIOError):
        while True:
            messages.append(listening.recv(4096).decode())
    return messages


@pytest.mark.parametrize("abstract", [False, True])
def test_messages_arrive_at_a_path_and_at_an_abstract_name(tmp_path: Path, *, abstract: bool) -> None:
    name = f"@dispatcher-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with manager(name) as listening:
        notifier = Notifier({"NOTIFY_SOCKET": name})
        notifier.ready()
        notifier.status("two\nlines")
        notifier.status("two lines")
        before = time.monotonic_ns() // 1000
        notifier.reloading()
        notifier.alive()
        notifier.stopping()
        ready, status, reloading, alive, stopping = heard(listening)
    assert (ready, status, alive, stopping) == ("READY=1", "STATUS=two lines", "WATCHDOG=1", "STOPPING=1")
    word, _, at = reloading.partition("\nMONOTONIC_USEC=")
    assert word == "RELOADING=1"
    assert before <= int(at) <= time.monotonic_ns() // 1000


@pytest.mark.parametrize("name", ["", "relative", "vsock:2:1234", "/"])
def test_without_a_socket_that_it_speaks_to_nothing_is_said(name: str) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "1000000"})
    notifier.ready()
    assert (notifier.wanted, notifier.watchdog_s) == (False, None)


def test_a_manager_that_is_gone_or_does_not_read_costs_one_warning_and_no_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    name = str(tmp_path / "notify")
    notifier = Notifier({"NOTIFY_SOCKET": name})
    began = time.monotonic()
    for _ in range(3):
        notifier.alive()
    assert len(caplog.records) == 1
    with manager(name):
        for _ in range(5_000):  # more than its queue holds
            notifier.alive()
    assert time.monotonic() - began < 2
    assert len(caplog.records) == 2


@pytest.mark.parametrize(
    ("environ", "patience_s"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_kept_when_it_is_set_for_this_process(
    environ: dict[str, str], patience_s: float | None
) -> None:
    assert Notifier({"NOTIFY_SOCKET": "/run/notify", **environ}).watchdog_s == patience_s


@asynccontextmanager
async def watched(folder: Path, *, patience_s: float | None = None) -> AsyncIterator[tuple[Daemon, socket.socket]]:
    """A daemon whose server is away, and its watchdog, with the manager that hears it."""
    name = str(folder / "notify")
    settings = load_settings(
        environ={},
        overrides={
            "base_url": "http://127.0.0.1:9",
            "api_key": "k",
            "spool": "memory:",
            "listen": "127.0.0.1:0",
            "policy": "none",
            "shutdown_grace_s": 0.5,
        },
    )
    with manager(name) as listening:
        async with Daemon(settings) as daemon:
            notifier = Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "400000"})
            dog = Watchdog(notifier, daemon.desks, patience_s=patience_s)
            running = asyncio.create_task(dog.run())
            try:
                yield daemon, listening
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)


async def pings(listening: socket.socket, *, within_s: float) -> int:
    heard(listening)
    count, until = 0, time.monotonic() + within_s
    while time.monotonic() < until:
        await asyncio.sleep(0.05)  # its queue is short
        count += heard(listening).count("WATCHDOG=1")
    return count


@pytest.mark.slow
async def test_with_nothing_to_do_and_with_a_server_that_is_away_it_lives(tmp_path: Path) -> None:
    async with watched(tmp_path) as (daemon, listening):
        assert await pings(listening, within_s=1.0) >= 5
        (desk,) = daemon.desks.values()
        await desk.dispatcher.submit([{"destinationName": "x", "destinationLat": 45.07, "destinationLng": 7.69}])
        # long enough for the breaker to open and for a wait at the gate that is as long as any
        assert await pings(listening, within_s=2 * LONGEST_WAIT_S + 2.0) >= 60
        pipeline = desk.dispatcher.pipeline
        assert pipeline.turnstile.gate.snapshot(pipeline.clock.monotonic()).breaker != "closed"


async def test_a_sender_that_hangs_starves_the_watchdog(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def hang(_: Sender) -> None:
        await asyncio.Event().wait()

    caplog.set_level(logging.ERROR)
    async with watched(tmp_path, patience_s=2.0) as (_, listening):
        assert await pings(listening, within_s=0.5) >= 3
        monkeypatch.setattr(Sender, "_fill", hang)
        await asyncio.sleep(3.5)
        assert await pings(listening, within_s=1.0) == 0
    assert [record.message for record in caplog.records if "hangs" in record.message] == [
        "sending for default hangs: no sign of life for 2 s"
    ]


async def test_an_account_whose_sending_has_ended_is_not_hung(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def end(_: Sender) -> None:
        raise RuntimeError("a fault")

    async with watched(tmp_path) as (daemon, listening):
        monkeypatch.setattr(Sender, "_fill", end)
        await asyncio.sleep(1.5)
        (desk,) = daemon.desks.values()
        assert "a fault" in desk.problem
        desk.dispatcher.pipeline.sender.beat_at -= 1_000
        assert await pings(listening, within_s=0.5) >= 3


async def test_an_account_that_is_closed_meanwhile_does_not_starve_the_others(tmp_path: Path) -> None:
    async with watched(tmp_path) as (daemon, listening):
        (desk,) = daemon.desks.values()
        await desk.dispatcher.close()
        assert await pings(listening, within_s=0.5) >= 3


async def test_the_status_line_says_what_waits_and_why(tmp_path: Path) -> None:
    async with watched(tmp_path) as (daemon, listening):
        (desk,) = daemon.desks.values()
        await desk.dispatcher.submit([{"destinationName": "x", "destinationLat": 45.07, "destinationLng": 7.69}])
        seen: list[str] = []
        async with asyncio.timeout(20):
            while not any("default: " in words for words in seen):
                await asyncio.sleep(0.1)
                seen += [words for words in heard(listening) if words.startswith("STATUS=")]
    assert any(words.startswith("STATUS=1 jobs not through, ") for words in seen)
    assert seen == [words for number, words in enumerate(seen) if number == 0 or words != seen[number - 1]]


async def test_without_a_manager_no_loop_runs() -> None:
    desks: Any = SimpleNamespace()
    async with asyncio.timeout(1):
        await Watchdog(Notifier({}), desks).run()
