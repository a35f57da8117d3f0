"""How far a request came decides what may be done next. Real sockets throughout."""

from __future__ import annotations

import asyncio
import gc
import socket
import struct
from time import perf_counter

import aiohttp
import psutil
import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import StreamWriter

from dispatcher.errors import NotSent, OutcomeUnknown, Rejected
from dispatcher.hellotracks import HellotracksClient
from dispatcher.hellotracks.request_body import RequestBody
from tests.unit.hellotracks.loopback import (
    answering,
    client_of,
    closing_after,
    created,
    free_port,
    job,
    read_request,
    reply,
    serving,
)

ONE = [job("A")]


async def outcome(url: str, **settings: float) -> Exception:
    """The error of sending one job to `url`."""
    async with client_of(url, **settings) as client:
        with pytest.raises((NotSent, OutcomeUnknown, Rejected)) as caught:
            await client.create_jobs(ONE)
    return caught.value


async def test_a_refused_port_was_not_sent() -> None:
    error = await outcome(f"http://127.0.0.1:{free_port()}")
    assert isinstance(error, NotSent)
    assert isinstance(error.__cause__, aiohttp.ClientConnectorError)


async def test_an_unknown_host_was_not_sent() -> None:
    assert isinstance(await outcome("http://nowhere.invalid"), NotSent)


async def test_tls_to_a_plain_port_was_not_sent() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with serving(plain) as url:
        error = await outcome(url.replace("http:", "https:"))
    assert isinstance(error, NotSent)
    assert isinstance(error.__cause__, aiohttp.ClientConnectorError)


async def test_tls_to_a_port_that_stays_silent_was_not_sent_within_the_connect_time() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    async with serving(silent) as url:
        started = perf_counter()
        error = await outcome(url.replace("http:", "https:"), connect_timeout_s=0.2)
    assert isinstance(error, NotSent)
    assert perf_counter() - started < 2


async def test_a_host_that_does_not_answer_was_not_sent_within_the_connect_time() -> None:
    """A listening socket whose backlog is full leaves new connections hanging."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        try:
            error = await outcome(f"http://127.0.0.1:{address[1]}", connect_timeout_s=0.3)
        finally:
            for filler in fillers:
                filler.close()
    assert isinstance(error, NotSent)


async def test_a_total_time_that_ends_while_connecting_was_not_sent() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    async with serving(silent) as url:
        error = await outcome(url.replace("http:", "https:"), request_timeout_s=0.2, connect_timeout_s=5)
    assert isinstance(error, NotSent)


async def test_a_caller_who_gets_no_free_connection_in_time_was_not_sent() -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await asyncio.sleep(30)

    async with serving(slow) as url, client_of(url, request_timeout_s=0.6, connect_timeout_s=0.2) as client:
        results = await asyncio.gather(*(client.create_jobs(ONE) for _ in range(17)), return_exceptions=True)
    assert [type(result) for result in results].count(NotSent) == 1
    assert [type(result) for result in results].count(OutcomeUnknown) == 16


async def test_a_connection_closed_after_the_body_is_unknown_and_final() -> None:
    async with serving(closing_after()) as url:
        error = await outcome(url)
    assert isinstance(error, OutcomeUnknown)
    assert error.server_done
    assert not error.backpressure


async def test_a_connection_closed_before_the_request_is_read_is_unknown() -> None:
    """Unknown when bytes were handed to the network; not sent only when the end was seen before."""

    async def at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with serving(at_once) as url, client_of(url) as client:
        with pytest.raises((OutcomeUnknown, NotSent)) as caught:
            await client.create_jobs([job("A", textDispatcher="x" * 400_000)])
    error = caught.value
    assert isinstance(error, NotSent) or (isinstance(error, OutcomeUnknown) and error.server_done)


async def test_a_body_for_a_connection_that_is_gone_has_not_begun() -> None:
    """Its first write is refused before the transport is touched."""
    loop = asyncio.get_running_loop()
    body = RequestBody(b"{}")
    with pytest.raises(ConnectionResetError):
        await body.write(StreamWriter(BaseProtocol(loop), loop))
    assert not body.begun


async def test_a_reset_in_the_middle_of_the_body_is_unknown() -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1000)
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async with serving(reset) as url, client_of(url) as client:
        with pytest.raises(OutcomeUnknown) as caught:
            await client.create_jobs([job("A", textDispatcher="x" * 8_000_000)])
    assert caught.value.server_done


async def test_a_slow_reply_is_unknown_and_the_server_may_still_be_at_it() -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await asyncio.sleep(30)

    async with serving(slow) as url:
        started = perf_counter()
        error = await outcome(url, request_timeout_s=0.2)
    assert isinstance(error, OutcomeUnknown)
    assert error.backpressure
    assert not error.server_done
    assert perf_counter() - started < 2


async def test_a_reply_that_trickles_is_given_up_after_the_request_time() -> None:
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with serving(trickle) as url:
        error = await outcome(url, request_timeout_s=0.3)
    assert isinstance(error, OutcomeUnknown)
    assert error.backpressure
    assert not error.server_done


async def test_a_body_that_nobody_reads_is_unknown_after_the_request_time() -> None:
    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    async with serving(deaf) as url, client_of(url, request_timeout_s=0.4) as client:
        with pytest.raises(OutcomeUnknown) as caught:
            await client.create_jobs([job("A", textDispatcher="x" * 16_000_000)])
    assert caught.value.backpressure


async def test_a_reply_shorter_than_its_length_is_unknown() -> None:
    async with serving(closing_after(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + created("A"))) as url:
        error = await outcome(url)
    assert isinstance(error, OutcomeUnknown)
    assert error.server_done


async def test_a_chunked_reply_cut_short_is_unknown() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with serving(closing_after(head + b'10\r\n{"status":0,"job')) as url:
        error = await outcome(url)
    assert isinstance(error, OutcomeUnknown)
    assert error.server_done


async def test_a_reply_without_a_length_ends_with_the_connection() -> None:
    async with (
        serving(closing_after(b"HTTP/1.1 200 OK\r\n\r\n" + created("A"))) as url,
        client_of(url) as client,
    ):
        (answer,) = await client.create_jobs(ONE)
    assert answer is not None


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 20_000 + b"\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(2000)) + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip!",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["ssh", "tls alert", "long header", "many headers", "bad gzip", "bad chunk"],
)
async def test_an_answer_that_is_not_http_is_unknown(answer: bytes) -> None:
    async with serving(closing_after(answer)) as url:
        error = await outcome(url)
    assert isinstance(error, OutcomeUnknown)
    assert error.server_done


async def test_a_connection_dropped_between_requests_is_replaced() -> None:
    """The idle connection's end is seen before the next request is written, so that request simply takes another."""
    async with serving(closing_after(reply(created("A")))) as url, client_of(url) as client:
        for _ in range(3):
            (answer,) = await client.create_jobs(ONE)
            assert answer is not None
            await asyncio.sleep(0.05)


async def test_a_kept_connection_that_ends_after_taking_the_next_request_is_unknown() -> None:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(reply(created("A")))
        await read_request(reader)

    async with serving(once) as url, client_of(url) as client:
        await client.create_jobs(ONE)
        with pytest.raises(OutcomeUnknown):
            await client.create_jobs(ONE)


async def test_connections_are_kept_between_requests() -> None:
    connections = 0
    answer = answering(reply(created("A")))

    async def counting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await answer(reader, writer)

    async with serving(counting) as url, client_of(url) as client:
        for _ in range(5):
            await client.create_jobs(ONE)
    assert connections == 1


async def test_a_lost_get_is_not_repeated() -> None:
    requests = 0

    async def lose(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        await read_request(reader)
        requests += 1

    async with serving(lose) as url, client_of(url) as client:
        with pytest.raises(OutcomeUnknown):
            await client.find_job("A")
    assert requests == 1


async def test_an_early_refusal_counts_although_the_body_was_not_read() -> None:
    async def too_large(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply(b"", status="413 Payload Too Large"))
        await writer.drain()
        while await reader.read(65536):
            pass

    async with serving(too_large) as url, client_of(url) as client:
        with pytest.raises(Rejected) as caught:
            await client.create_jobs([job("A", textDispatcher="x" * 4_000_000)])
    assert caught.value.too_large


async def test_a_refusal_whose_text_never_ends_is_a_refusal_all_the_same() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 422 No\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1000\r\n" + b"no " * 1365 + b"!\r\n")
            await writer.drain()

    async with serving(endless) as url:
        error = await outcome(url)
    assert isinstance(error, Rejected)
    assert len(error.remote_words) <= 300


async def test_a_cancelled_call_stays_cancelled() -> None:
    entered = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        entered.set()
        await asyncio.sleep(30)

    async with serving(slow) as url, client_of(url) as client:
        call = asyncio.create_task(client.create_jobs(ONE))
        await entered.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call


async def test_a_body_of_many_megabytes_goes_out_whole() -> None:
    async with serving(answering(reply(created("A")))) as url, client_of(url) as client:
        (answer,) = await client.create_jobs([job("A", textDispatcher="x" * 5_000_000)])
    assert answer is not None


async def test_closing_leaves_no_socket_and_no_task() -> None:
    gc.collect()
    before = psutil.Process().num_fds()
    async with serving(answering(reply(created("A")))) as url, client_of(url) as client:
        await asyncio.gather(*(client.create_jobs(ONE) for _ in range(8)))
        assert psutil.Process().num_fds() >= before + 16
    gc.collect()
    await asyncio.sleep(0.05)
    assert psutil.Process().num_fds() <= before
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_session_of_the_caller_stays_open() -> None:
    async with serving(answering(reply(created("A")))) as url, aiohttp.ClientSession() as session:
        async with HellotracksClient(base_url=url, api_key="k", session=session) as client:
            await client.create_jobs(ONE)
        assert not session.closed


async def test_a_client_that_is_not_open_says_so() -> None:
    client = client_of("http://127.0.0.1:9")
    with pytest.raises(RuntimeError, match="async with"):
        await client.get_accounts()
