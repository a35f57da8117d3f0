"""The daemon under abuse from the network: it answers clearly or hangs up, harms nobody else, and stays small."""

from __future__ import annotations

import contextlib
import re
import resource
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import psutil
import pytest

from tests.acceptance.command import get, sandbox_process
from tests.acceptance.serving import Served, daemon_process, job

AWAY = "http://127.0.0.1:9"
"""A server that is not there."""
MOST_CONNECTIONS = 10_000
BODY = orjson.dumps({"data": {"jobs": [job("A")]}})
HIDDEN_BODY = orjson.dumps({"data": {"jobs": [job("HIDDEN")]}})
HIDDEN = b"POST /api/createjobs HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(HIDDEN_BODY), HIDDEN_BODY)
"""A whole request that somebody tries to get in behind another one's back."""


@contextlib.contextmanager
def connected(daemon: Served) -> Iterator[socket.socket]:
    host, port = daemon.netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=20) as client:
        yield client


def replies(client: socket.socket) -> bytes:
    """Everything that comes until the daemon hangs up, or has nothing to say for a while."""
    said = b""
    with contextlib.suppress(TimeoutError, ConnectionError):
        while part := client.recv(65_536):
            said += part
            client.settimeout(0.5)
    return said


def talk(daemon: Served, *parts: bytes) -> bytes:
    """Say something, word for word; what is answered."""
    with connected(daemon) as client:
        with contextlib.suppress(ConnectionError):
            for part in parts:
                client.sendall(part)
        return replies(client)


def statuses(said: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", said)]


def is_well(daemon: Served) -> None:
    """It answers at once, and nothing went wrong inside."""
    began = time.monotonic()
    assert daemon.get("/livez").status == 200
    assert time.monotonic() - began < 1
    assert "Traceback" not in daemon.log.read_text()


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))


SMUGGLING = {
    "length and chunks": b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n",
    "two equal lengths": b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
    "a list of lengths": b"Content-Length: 0, 0\r\n\r\n",
    "a length with a sign": b"Content-Length: +0\r\n\r\n",
    "a negative length": b"Content-Length: -1\r\n\r\n",
    "a length in hexadecimal": b"Content-Length: 0x0\r\n\r\n",
    "a length in other digits": b"Content-Length: \xd9\xa0\r\n\r\n",
    "an immense length": b"Content-Length: 99999999999999999999999999\r\n\r\n",
    "an unknown coding": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked and more": b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "chunked twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a tab before chunked": b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "a blank before the colon": b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "a folded header": b"X-A: b\r\n Transfer-Encoding: chunked\r\n\r\n",
    "a bare line feed": b"X-A: b\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a bare carriage return": b"X-A: b\rTransfer-Encoding: chunked\r\n\r\n",
    "a NUL": b"X-A: b\x00c\r\n\r\n",
    "a chunk size that is none": b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
    "a chunk size with a sign": b"Transfer-Encoding: chunked\r\n\r\n+0\r\n\r\n",
    "a chunk longer than it says": b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
    "a header without a colon": b"X-A\r\n\r\n",
    "a header without a name": b": b\r\n\r\n",
}


def test_requests_with_two_readings_are_refused_and_hide_no_second_one(tmp_path: Path) -> None:
    """Whatever a proxy before the daemon made of them: 400, and nothing more on that connection is heard."""
    with daemon_process(tmp_path, AWAY, "--accept-timeout-s", "0.2") as daemon:
        for name, shape in SMUGGLING.items():
            said = talk(daemon, b"POST /api/createjobs HTTP/1.1\r\nHost: x\r\n" + shape + HIDDEN)
            assert statuses(said)[:1] == [400], (name, said)
            assert len(statuses(said)) == 1, (name, said)
            assert daemon.get("/jobs/HIDDEN").status == 404, name
        is_well(daemon)


def test_a_header_that_is_too_long_or_too_many_is_cut_off(tmp_path: Path) -> None:
    start = b"GET /livez HTTP/1.1\r\nHost: x\r\n"
    with daemon_process(tmp_path, AWAY) as daemon:
        memory = psutil.Process(daemon.process.pid).memory_info().rss
        assert statuses(talk(daemon, start + b"X-A: " + b"a" * 100_000 + b"\r\n\r\n")) == [400]
        assert statuses(talk(daemon, start + b"a" * 100_000 + b": x\r\n\r\n")) == [400]
        assert statuses(talk(daemon, b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"))[0] in {400, 414}
        assert statuses(talk(daemon, b"A" * 100_000)) == [400]
        with connected(daemon) as client:
            client.sendall(start)
            sent = 0
            with contextlib.suppress(ConnectionError):
                while sent < 100_000_000:
                    client.sendall(b"X-A: b\r\n" * 10_000)
                    sent += 80_000
            assert sent < 100_000_000
        assert psutil.Process(daemon.process.pid).memory_info().rss < memory + 100_000_000
        is_well(daemon)


def test_what_a_client_says_never_becomes_a_header_of_the_reply(tmp_path: Path) -> None:
    evil = "%0d%0aX-Evil:%20yes%0d%0a%0d%0a"
    requests = [
        f"GET /jobs/{evil} HTTP/1.1\r\nHost: x\r\n\r\n",
        f"GET /jobs/A?account={evil} HTTP/1.1\r\nHost: x\r\n\r\n",
        f"GET /jobs?state={evil} HTTP/1.1\r\nHost: x\r\n\r\n",
        f"GET /{evil} HTTP/1.1\r\nHost: x\r\n\r\n",
        f"DELETE /jobs/{evil} HTTP/1.1\r\nHost: {evil}\r\n\r\n",
        f"POST /api/createjobs HTTP/1.1\r\nHost: x\r\nPrefer: respond-async{evil}\r\nContent-Length: 2\r\n\r\n{{}}",
    ]
    with daemon_process(tmp_path, AWAY) as daemon:
        for request in requests:
            said = talk(daemon, request.encode())
            assert 400 <= statuses(said)[0] < 500, (request, said)
            assert b"\r\nX-Evil" not in said
        bad = daemon.create(job("A\r\nX-Evil: yes"))
        assert (bad.status, bad.document["errors"][0]["field"]) == (400, "uidSecondary")
        is_well(daemon)


def test_bytes_that_are_no_text_are_refused_wherever_they_stand(tmp_path: Path) -> None:
    host = b" HTTP/1.1\r\nHost: x\r\n"
    length = b"Content-Length: %d\r\n\r\n%b"
    body = b'{"data": {"jobs": [{"uidSecondary": "\xff\xfe", "destinationLat": 45, "destinationLng": 7}]}}'
    wish = b'{"keys": ["\xff"]}'
    requests = {
        b"GET /jobs/\xff\xfe" + host + b"\r\n": {400, 404},
        b"GET /jobs/%ff%fe" + host + b"\r\n": {400, 404},
        b"GET /jobs?state=%ff" + host + b"\r\n": {400},
        b"GET /jobs?account=%ff" + host + b"\r\n": {404},
        b"GET /jobs" + host + b"API-Key: \xff\xfe\r\n\r\n": {200, 400},
        b"POST /api/createjobs" + host + b"Prefer: \xff\r\n" + length % (len(body), body): {400},
        b"POST /plan" + host + length % (len(body), body): {400},
        b"POST /jobs/replay" + host + length % (len(wish), wish): {400},
        b"POST /api/getjobs" + host + length % (len(wish), wish): {400},
        b"POST /api/g\xc3\xbct" + host + length % (2, b"{}"): {400, 404},
        b"\xff\xfe /livez" + host + b"\r\n": {400},
    }
    with daemon_process(tmp_path, AWAY) as daemon:
        for request, expected in requests.items():
            assert set(statuses(talk(daemon, request))) <= expected, request
        is_well(daemon)


def test_nested_and_endless_documents_are_refused_on_every_path(tmp_path: Path) -> None:
    deep = b"[" * 300_000 + b"]" * 300_000
    bodies = (
        deep,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'{"data":' + deep + b"}",
        b'{"keys":' + deep + b"}",
        b"1e99999",
        b"9" * 100_000,
        b'"' + b"\\u0000" * 100_000 + b'"',
    )
    with daemon_process(tmp_path, AWAY) as daemon:
        for path in ("/api/createjobs", "/plan", "/jobs/replay", "/api/getjobs"):
            for body in bodies:
                assert daemon.ask("POST", path, body).status == 400, (path, body[:20])
        is_well(daemon)


def test_wrong_methods_are_told_which_are_right(tmp_path: Path) -> None:
    allowed = {
        "/api/createjobs": "POST",
        "/plan": "POST",
        "/jobs": "GET,HEAD",
        "/jobs/A": "DELETE,GET,HEAD",
        "/livez": "GET,HEAD",
        "/openapi.json": "GET,HEAD",
    }
    with daemon_process(tmp_path, AWAY, DISPATCHER_ACCEPT_KEY="right") as daemon:
        for path, methods in allowed.items():
            for method in {"PUT", "PATCH", "OPTIONS", "TRACE", "POST", "DELETE", "GET"} - set(methods.split(",")):
                answer = daemon.ask(method, path, headers={})
                assert (answer.status, answer.headers["Allow"]) == (405, methods), (method, path)
        assert 400 <= statuses(talk(daemon, b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n"))[0] < 500
        assert statuses(talk(daemon, b"NONSENSE /livez HTTP/1.1\r\nHost: x\r\n\r\n"))[0] in {400, 405}
        is_well(daemon)


def test_an_account_that_is_not_there_is_not_found_and_a_wrong_key_learns_nothing_of_it(tmp_path: Path) -> None:
    with daemon_process(tmp_path, AWAY, DISPATCHER_ACCEPT_KEY="right") as daemon:
        known = [daemon.ask("GET", path, headers={"API-Key": "right"}) for path in ("/jobs", "/jobs?account=default")]
        unknown = daemon.ask("GET", "/jobs?account=other", headers={"API-Key": "right"})
        strangers = [
            daemon.ask("GET", path, headers={"API-Key": key} if key else {})
            for path in ("/jobs?account=default", "/jobs?account=other", "/jobs/A?account=other", "/nowhere")
            for key in ("wrong", "", "righ", "rightt", "x" * 8000)
        ]
    assert [answer.status for answer in known] == [200, 200]
    assert (unknown.status, unknown.document["message"]) == (404, "no account other")
    assert {(answer.status, answer.body) for answer in strangers} == {(401, b'{"status":1,"message":"unauthorized"}')}
    assert "right" not in daemon.log.read_text()


def test_requests_in_one_piece_are_answered_one_by_one_in_their_order(tmp_path: Path) -> None:
    jobs = [orjson.dumps({"data": {"jobs": [job(f"K{n}")]}}) for n in range(100)]
    create = b"POST /api/createjobs HTTP/1.1\r\nHost: x\r\nPrefer: respond-async\r\nContent-Length: %d\r\n\r\n%b"
    with daemon_process(tmp_path, AWAY) as daemon:
        said = talk(daemon, b"".join(create % (len(body), body) for body in jobs))
        in_chunks = b"POST /api/createjobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        mixed = talk(
            daemon,
            in_chunks
            + chunked(b"[", b"]")
            + b"GET /jobs/K7 HTTP/1.1\r\nHost: x\r\n\r\n"
            + create % (len(jobs[0]), jobs[0]),
        )
    assert statuses(said) == [202] * 100
    assert [said.index(b'"K%d"' % n) for n in range(100)] == sorted(said.index(b'"K%d"' % n) for n in range(100))
    assert statuses(mixed) == [400, 200, 202]


def test_a_client_that_asks_without_end_and_never_reads_is_held_back(tmp_path: Path) -> None:
    """Its requests wait in its own buffers: the daemon grows by a few megabytes at most."""
    with daemon_process(tmp_path, AWAY) as daemon, connected(daemon) as client:
        daemon.create(*(job(f"K{n}", notes="x" * 1000) for n in range(1000)), at_once=True)
        process = psutil.Process(daemon.process.pid)
        memory = process.memory_info().rss
        client.settimeout(3)
        ask = b"GET /jobs?limit=1000 HTTP/1.1\r\nHost: x\r\n\r\n" * 1000
        with contextlib.suppress(TimeoutError):
            for _ in range(1000):
                client.sendall(ask)
        assert process.memory_info().rss < memory + 60_000_000
        is_well(daemon)


def test_clients_that_hang_up_in_the_middle_leave_nothing_half_done(tmp_path: Path) -> None:
    """After half of the request, or right after the whole of it, by an abrupt reset; then they come again."""
    jobs = {f"K{n}": orjson.dumps({"data": {"jobs": [job(f"K{n}"), job(f"L{n}")]}}) for n in range(60)}
    with sandbox_process("--latency", "0.05") as url, daemon_process(tmp_path, url) as daemon:
        for number, body in enumerate(jobs.values()):
            whole = b"POST /api/createjobs HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
            with connected(daemon) as client:
                client.sendall(whole if number % 3 else whole[: len(whole) // 2])
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        is_well(daemon)
        halves = [daemon.get(f"/jobs/{key}").status for number, key in enumerate(jobs) if number % 3 == 0]
        again = [daemon.ask("POST", "/api/createjobs", body).status for body in jobs.values()]
        keys = get(f"{url}/sandbox/keys?limit=1000")["keys"]
        is_well(daemon)
    assert set(halves) == {404}
    assert set(again) == {200}
    assert {counters["creates"] for counters in keys.values()} == {1}
    assert len(keys) == 120


@pytest.mark.slow
def test_thousands_of_idle_connections_take_little_and_delay_nobody(tmp_path: Path) -> None:
    """Some silent, some in the middle of a header or a body, some after an answer: as many as this machine allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = MOST_CONNECTIONS if hard == resource.RLIM_INFINITY else min(MOST_CONNECTIONS, hard - 512)
    starts = (
        b"",
        b"POST /api/createjobs HTTP/1.1\r\nHost: x\r\n",
        b"POST /api/createjobs HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
        b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n",
    )
    with contextlib.ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        url = stack.enter_context(sandbox_process())
        daemon = stack.enter_context(daemon_process(tmp_path, url, "--body-timeout-s", "60"))
        assert daemon.create(job("FIRST")).status == 200
        process = psutil.Process(daemon.process.pid)
        memory = process.memory_info().rss
        for number in range(count):
            idle = stack.enter_context(connected(daemon))
            if start := starts[number % len(starts)]:
                idle.sendall(start)
        took = []
        for number in range(20):
            began = time.monotonic()
            assert daemon.get("/livez").status == 200
            assert daemon.create(job(f"K{number}")).status == 200
            took.append(time.monotonic() - began)
        metrics = daemon.get("/metrics").body.decode()
        grown = process.memory_info().rss - memory
    (open_,) = [line for line in metrics.splitlines() if line.startswith("dispatcher_http_connections ")]
    assert float(open_.split()[1]) >= 0.99 * count
    assert max(took) < 1
    assert grown / count < 30_000
