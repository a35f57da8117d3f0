"""Connections that only take room: silent, idle, dripping, or with an answer that nobody takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from aiohttp import web

from dispatcher.daemon.connections import Connections


@asynccontextmanager
async def served(connections: Connections) -> AsyncIterator[tuple[str, int]]:
    """A server behind these connections that answers 200 to everything."""

    async def answer(request: web.BaseRequest) -> web.Response:
        connections.heard(request.protocol)
        if request.path == "/at-work":
            return web.Response(text="here")
        connections.answered(request.protocol)
        return web.Response(text="x" * 20_000_000 if request.path == "/large" else "here")

    runner = web.ServerRunner(web.Server(answer), shutdown_timeout=0.1)
    await runner.setup()
    assert runner.server is not None
    connections.serve(runner.server)
    listener = await asyncio.get_running_loop().create_server(connections, "127.0.0.1", 0)
    sweeper = asyncio.create_task(connections.run())
    try:
        yield listener.sockets[0].getsockname()
    finally:
        sweeper.cancel()
        listener.close()
        await runner.cleanup()


@asynccontextmanager
async def connected(address: tuple[str, int]) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(*address)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: bytes = b"/") -> bool:
    """Ask on a connection; False when it is closed."""
    try:
        writer.write(b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % path)
        async with asyncio.timeout(5):
            await reader.readuntil(b"here")
    except (ConnectionError, asyncio.IncompleteReadError):
        return False
    return True


async def closed(reader: asyncio.StreamReader) -> bool:
    """Whether the other side ends the connection."""
    async with asyncio.timeout(5):
        try:
            return await reader.read() == b""
        except ConnectionError:
            return True


async def test_a_connection_that_never_asks_is_closed_and_one_that_did_is_not() -> None:
    async with (
        served(Connections(most=10, silent_s=0.2)) as address,
        connected(address) as (silent, _),
        connected(address) as asks,
    ):
        assert await answered(*asks)
        assert await closed(silent)
        assert await answered(*asks)


async def test_when_there_are_too_many_the_longest_silent_one_goes_for_the_next() -> None:
    async with (
        served(Connections(most=3, silent_s=60)) as address,
        connected(address) as (first, _),
        connected(address),
        connected(address),
    ):
        await asyncio.sleep(0.05)
        async with connected(address) as asks:
            assert await answered(*asks)
            assert await closed(first)


async def test_when_all_are_at_work_the_newest_one_goes() -> None:
    async with (
        served(Connections(most=2, silent_s=60)) as address,
        connected(address) as one,
        connected(address) as two,
    ):
        assert [await answered(*one, b"/at-work"), await answered(*two, b"/at-work")] == [True, True]
        async with connected(address) as (newest, _):
            assert await closed(newest)
        assert [await answered(*one), await answered(*two)] == [True, True]


async def test_one_that_asked_once_and_is_idle_goes_for_the_next_and_silent_ones_before_it() -> None:
    async with (
        served(Connections(most=3, silent_s=60)) as address,
        connected(address) as idle,
        connected(address) as busy,
        connected(address) as (silent, _),
    ):
        assert [await answered(*idle), await answered(*busy, b"/at-work")] == [True, True]
        async with connected(address) as first:
            assert await answered(*first, b"/at-work")
            assert await closed(silent)
            async with connected(address) as second:
                assert await answered(*second)
                assert await closed(idle[0])
                assert await answered(*busy)


async def test_header_lines_in_drops_do_not_keep_a_connection_open() -> None:
    """Neither a first request that never ends, nor one after an answer."""
    async with (
        served(Connections(most=10, silent_s=0.2, idle_s=0.4)) as address,
        connected(address) as first,
        connected(address) as later,
    ):
        assert await answered(*later)
        for reader, writer in (first, later):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")
            dripping = asyncio.create_task(drip(writer))
            assert await closed(reader)
            dripping.cancel()


async def drip(writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while True:
            writer.write(b"X-More: y\r\n")
            await writer.drain()
            await asyncio.sleep(0.05)


async def test_an_answer_that_nobody_takes_is_dropped_with_its_connection() -> None:
    connections = Connections(most=10, silent_s=0.2, idle_s=60)
    async with served(connections) as address, connected(address) as (_, writer), connected(address) as other:
        assert await answered(*other)
        writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(10):
            while connections.count > 1:  # noqa: ASYNC110 - asked of another object
                await asyncio.sleep(0.02)
        assert await answered(*other)


async def test_connections_that_were_closed_are_not_remembered() -> None:
    connections = Connections(most=10)
    async with served(connections) as address:
        for _ in range(20):
            async with connected(address) as asks:
                assert await answered(*asks)
        async with asyncio.timeout(10):
            while connections._idle or connections._silent:  # noqa: ASYNC110 - asked of another object
                await asyncio.sleep(0.05)
