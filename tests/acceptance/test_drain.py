"""SIGTERM with everything open that can be open: streams, kept connections, half a request, requests under way."""

from __future__ import annotations

import contextlib
import http.client
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from tests.acceptance.command import get, sandbox_process
from tests.acceptance.serving import Answer, Served, daemon_process, job

STREAM = b"GET /page/events HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\nSec-Fetch-Site: same-origin\r\n\r\n"


@contextlib.contextmanager
def stream(daemon: Served, *, reads: bool) -> Iterator[socket.socket]:
    """An open event stream; its reader takes what comes, or nothing ever."""
    with socket.create_connection(tuple(daemon.netloc.split(":")), timeout=20) as client:  # type: ignore[arg-type]
        if not reads:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(STREAM % daemon.netloc.encode())
        if reads:
            assert client.recv(15).startswith(b"HTTP/1.1 200")
        yield client


@contextlib.contextmanager
def kept(daemon: Served) -> Iterator[http.client.HTTPConnection]:
    """A connection that a watcher keeps."""
    connection = http.client.HTTPConnection(daemon.netloc, timeout=20)
    connection.request("GET", "/metrics")
    assert connection.getresponse().read()
    yield connection
    connection.close()


def rest_of(client: socket.socket) -> bytes:
    """What is still there until the other side closes."""
    text = b""
    with contextlib.suppress(ConnectionError):
        while found := client.recv(65_536):
            text += found
    return text


@pytest.mark.slow
def test_open_streams_and_connections_do_not_hold_up_the_end(tmp_path: Path) -> None:
    answers: list[Answer] = []
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(sandbox_process("--latency", "1.5"))
        daemon = stack.enter_context(daemon_process(tmp_path, url, "--shutdown-grace-s", "8"))
        readers = [stack.enter_context(stream(daemon, reads=True)) for _ in range(10)]
        for _ in range(10):
            stack.enter_context(stream(daemon, reads=False))
            stack.enter_context(kept(daemon))
        half = stack.enter_context(socket.create_connection(tuple(daemon.netloc.split(":")), timeout=20))  # type: ignore[arg-type]
        body = orjson.dumps({"data": {"jobs": [job("HALF")]}})
        half.sendall(b"POST /api/createjobs HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body))
        half.sendall(body[:20])
        waiting = threading.Thread(target=lambda: answers.append(daemon.create(job("A"))))
        waiting.start()
        daemon.wait_until("/jobs/A", '"sending"', timeout_s=10)

        began = time.monotonic()
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.process.wait(timeout=9) == 0
        took_s = time.monotonic() - began
        waiting.join(timeout=10)
        streamed = [rest_of(reader) for reader in readers]
        keys = get(f"{url}/sandbox/keys")["keys"]
    assert took_s < 5, "the request under way takes 1.5 s, and nothing else should be waited for"
    assert [answer.status for answer in answers] == [202]
    assert list(keys) == ["A"]
    assert all(b"data:" in text and text.endswith(b"0\r\n\r\n") for text in streamed)
    log = daemon.log.read_text()
    assert log.rstrip().endswith("stopped")
    assert "not everything ended" not in log
    assert "Traceback" not in log


def test_while_it_stops_it_says_so_to_those_who_route_requests(tmp_path: Path) -> None:
    with sandbox_process("--latency", "3") as url, daemon_process(tmp_path, url) as daemon, kept(daemon) as watcher:
        assert daemon.create(job("A"), at_once=True).status == 202
        daemon.wait_until("/jobs/A", '"sending"', timeout_s=10)
        daemon.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        watcher.request("GET", "/readyz")
        ready = watcher.getresponse()
        assert (ready.status, b"stopping" in ready.read()) == (503, True)
        with pytest.raises(OSError, match="refused"):
            daemon.get("/livez")
        assert daemon.process.wait(timeout=11) == 0
