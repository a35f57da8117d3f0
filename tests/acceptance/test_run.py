"""`dispatcher run` from outside: requests as Hellotracks takes them, outages, kills, stops and abuse."""

from __future__ import annotations

import contextlib
import http.client
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.acceptance.command import get, run, sandbox_process
from tests.acceptance.serving import DAY, Served, daemon_process, job


def post(url: str, document: dict[str, Any]) -> None:
    """Tell the sandbox something."""
    import urllib.request  # noqa: PLC0415 - only here

    with urllib.request.urlopen(url, data=orjson.dumps(document), timeout=10):
        pass


def test_every_field_of_the_servers_own_reply_is_in_ours_and_jobs_come_in_the_requests_order(tmp_path: Path) -> None:
    jobs = [job(f"K{n}", day=DAY, priority=n % 11, customFields=[{"key": "a", "val": "b"}]) for n in range(40)]
    with sandbox_process() as url, daemon_process(tmp_path, url) as daemon:
        ours = daemon.create(*jobs).document["jobs"]
        behind = Served(url, "", daemon.process, daemon.log)
        theirs = {one["uidSecondary"]: one for one in behind.create(*jobs).document["jobs"]}
    assert [one["uidSecondary"] for one in ours] == [f"K{n}" for n in range(40)]
    set_there = {"tsCreated", "tsSaved", "tsAssigned", "status"}
    for one in ours:
        same = {name: value for name, value in theirs[one["uidSecondary"]].items() if name not in set_there}
        assert {name: one[name] for name in same} == same


def test_bad_jobs_refuse_the_request_as_a_whole_and_each_problem_is_named(tmp_path: Path) -> None:
    with daemon_process(tmp_path, "http://127.0.0.1:9") as daemon:
        answer = daemon.create(job("A"), job("B", priority=11, day=20231301), job("C", destinationLat="x"))
        page = daemon.get("/jobs").document
    assert answer.status == 400
    named = sorted((one["index"], one["field"]) for one in answer.document["errors"])
    assert named == [(1, "day"), (1, "priority"), (2, "destinationLat")]
    assert all(set(one) == {"index", "field", "message"} for one in answer.document["errors"])
    assert page["jobs"] == []


def test_a_job_that_the_server_refuses_is_named_and_the_others_are_created(tmp_path: Path) -> None:
    with sandbox_process() as url, daemon_process(tmp_path, url) as daemon:
        answer = daemon.create(job("A"), job("BAD", destinationName="POISON"), job("C"))
        receipt = daemon.get("/jobs/BAD").document
    document = answer.document
    assert (answer.status, document["status"]) == (200, 1)
    assert [(one["index"], one["uidSecondary"], one["state"]) for one in document["errors"]] == [(1, "BAD", "rejected")]
    assert document["errors"][0]["message"] == receipt["error"]
    assert [one["uidSecondary"] for one in document["jobs"]] == ["A", "C"]


def test_respond_async_is_answered_after_the_commit_with_receipts_that_can_be_asked_for(tmp_path: Path) -> None:
    with sandbox_process("--latency", "0.3") as url, daemon_process(tmp_path, url) as daemon:
        answer = daemon.create(job("a/b ü?#"), job("B"), at_once=True)
        assert (answer.status, answer.headers["Preference-Applied"]) == (202, "respond-async")
        first, second = answer.document["jobs"]
        assert (first["uidSecondary"], second["receipt"]) == ("a/b ü?#", "/jobs/B")
        done = daemon.wait_until(first["receipt"], '"confirmed"', timeout_s=20)
        listed = daemon.get("/jobs?state=confirmed&limit=1").document
        rest = daemon.get(f"/jobs?state=confirmed&after={listed['next']}").document
    assert (done["uidSecondary"], done["attempts"]) == ("a/b ü?#", 1)
    assert [one["uidSecondary"] for one in (*listed["jobs"], *rest["jobs"])] == ["a/b ü?#", "B"]


def test_what_is_not_settled_in_time_is_answered_with_where_it_is(tmp_path: Path) -> None:
    with daemon_process(tmp_path, "http://127.0.0.1:9", "--accept-timeout-s", "0.5") as daemon:
        answer = daemon.create(job("A"))
        waits = daemon.ask("DELETE", "/jobs/A")
        again = daemon.get("/jobs/A").document
    assert (answer.status, answer.document["status"]) == (202, 0)
    assert answer.document["jobs"][0]["receipt"] == "/jobs/A"
    assert waits.status == 200, waits.body
    assert again["state"] == "dead"


def test_jobs_that_cannot_be_found_or_taken_back_say_so(tmp_path: Path) -> None:
    with sandbox_process() as url, daemon_process(tmp_path, url) as daemon:
        daemon.create(job("A"))
        assert daemon.get("/jobs/NONE").status == 404
        assert daemon.ask("DELETE", "/jobs/NONE").status == 404
        assert daemon.ask("DELETE", "/jobs/A").status == 409
        assert daemon.get("/jobs?state=lost").status == 400
        assert daemon.get("/jobs?limit=0").status == 400
        unknown, wrong = daemon.get("/nowhere"), daemon.get("/api/createjobs")
    assert (unknown.status, wrong.status, wrong.headers["Allow"]) == (404, 405, "POST")
    assert unknown.document["message"]


def test_a_wrong_key_gets_401_and_no_detail_and_watchers_need_none(tmp_path: Path) -> None:
    with daemon_process(tmp_path, "http://127.0.0.1:9", DISPATCHER_ACCEPT_KEY="right") as daemon:
        body = orjson.dumps({"data": {"jobs": [job("A")]}})
        in_body = orjson.dumps({"auth": {"key": "wrong"}, "data": {"jobs": [job("A")]}})
        for content, headers in ((body, {"API-Key": "wrong"}), (body, {}), (in_body, {}), (body, {"API-Key": "ü"})):
            sent = {name: value.encode() for name, value in headers.items()}
            answer = daemon.ask("POST", "/api/createjobs", content, headers=sent)  # type: ignore[arg-type]
            assert (answer.status, answer.document) == (401, {"status": 1, "message": "unauthorized"})
        assert daemon.get("/jobs").status == 401
        assert daemon.get("/livez").status == 200
        assert b"dispatcher_jobs" in daemon.get("/metrics").body


def test_a_foreign_web_page_cannot_use_a_daemon_that_asks_for_no_key(tmp_path: Path) -> None:
    with daemon_process(tmp_path, "http://127.0.0.1:9") as daemon:
        body = orjson.dumps({"data": {"jobs": [job("A")]}})
        foreign = daemon.ask("POST", "/api/createjobs", body, headers={"Origin": "https://evil.example"})
        own = daemon.ask("GET", "/jobs", headers={"Origin": daemon.url})
    assert (foreign.status, own.status) == (403, 200)


def test_bodies_that_are_no_request_are_refused(tmp_path: Path) -> None:
    deep = b'{"data":{"jobs":[{"uidSecondary":"A","x":' + b"[" * 200_000 + b"]" * 200_000 + b"}]}}"
    bad = (b"", b"nonsense", b"{}", b"[]", b'{"data":3}', b'{"data":{"jobs":3}}', b"[" * 100_000, deep, b"\xff\xfe")
    half = b'{"data":{"jobs":[{"uidSecondary":"\\ud800","destinationLat":45,"destinationLng":7}]}}'
    nan = b'{"data":{"jobs":[{"uidSecondary":"A","destinationLat":NaN,"destinationLng":7}]}}'
    with daemon_process(tmp_path, "http://127.0.0.1:9") as daemon:
        for body in (*bad, half):
            answer = daemon.ask("POST", "/api/createjobs", body)
            assert (answer.status, bool(answer.document["message"])) == (400, True), body[:50]
        assert daemon.ask("POST", "/api/createjobs", nan).document["errors"][0]["field"] == "destinationLat"
        empty = daemon.create()
    assert (empty.status, empty.document) == (200, {"status": 0, "jobs": []})


def test_a_body_that_is_too_large_is_refused_without_being_read_whole(tmp_path: Path) -> None:
    with daemon_process(tmp_path, "http://127.0.0.1:9", "--max-body-bytes", "20000") as daemon:
        assert daemon.ask("POST", "/api/createjobs", b" " * 20_001).status == 413
        with socket.create_connection(daemon.netloc.split(":"), timeout=20) as client:  # type: ignore[arg-type]
            client.sendall(b"POST /api/createjobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            sent = 0
            with contextlib.suppress(ConnectionError):  # it ends while we still write
                while sent < 50_000_000:
                    client.sendall(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
                    sent += 65_536
                    if b"413" in _there(client):
                        break
        assert sent < 50_000_000
        assert daemon.create(job("A"), at_once=True).status == 202


def test_a_body_that_drips_is_cut_and_a_large_one_on_a_slow_line_is_not(tmp_path: Path) -> None:
    with daemon_process(tmp_path, "http://127.0.0.1:9", "--body-timeout-s", "0.6") as daemon:
        with socket.create_connection(daemon.netloc.split(":"), timeout=20) as client:  # type: ignore[arg-type]
            client.sendall(b"POST /api/createjobs HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
            reply, began = b"", time.monotonic()
            while not reply and time.monotonic() < began + 10:
                client.sendall(b" ")
                time.sleep(0.1)
                reply = _there(client)
        assert b"408" in reply.split(b"\r\n", 1)[0]
        many = orjson.dumps({"data": {"jobs": [job(f"K{n}") for n in range(1000)]}})
        with socket.create_connection(daemon.netloc.split(":"), timeout=20) as client:  # type: ignore[arg-type]
            client.sendall(
                b"POST /api/createjobs HTTP/1.1\r\nHost: x\r\nPrefer: respond-async\r\nContent-Length: %d\r\n\r\n"
                % len(many)
            )
            for start in range(0, len(many), 20_000):
                client.sendall(many[start : start + 20_000])
                time.sleep(0.2)
            assert b"202" in client.recv(65_536).split(b"\r\n", 1)[0]


def test_idle_connections_and_garbage_do_not_stop_it(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(sandbox_process())
        daemon = stack.enter_context(daemon_process(tmp_path, url))
        address = tuple(daemon.netloc.split(":"))
        for number in range(1000):
            idle = stack.enter_context(socket.create_connection(address, timeout=10))  # type: ignore[arg-type]
            if number % 3 == 1:
                idle.sendall(b"POST /api/createjobs HTTP/1.1\r\nHost: x\r\n")
            elif number % 3 == 2:
                idle.sendall(b"\x16\x03\x01 what is this\r\n\r\n")
        assert daemon.create(job("A")).status == 200
        assert daemon.get("/readyz").status == 200


def test_after_an_outage_sending_resumes_within_fifteen_seconds(tmp_path: Path) -> None:
    with sandbox_process() as url, daemon_process(tmp_path, url) as daemon:
        assert daemon.create(job("BEFORE")).status == 200
        post(f"{url}/sandbox/outage", {"down": True})
        for n in range(50):
            assert daemon.create(job(f"K{n}"), at_once=True).status == 202
        time.sleep(6)
        post(f"{url}/sandbox/outage", {"down": False})
        back = time.monotonic()
        while get(f"{url}/sandbox/stats")["creates"] < 51:
            assert time.monotonic() - back < 15
            time.sleep(0.1)
        stats = get(f"{url}/sandbox/stats")
    assert (stats["creates"], stats["repeats"]) == (51, 0)
    assert stats["outage_refused"] < 6 * 10


class Load:
    """Clients that ask in threads until the daemon is gone; what was acknowledged is remembered."""

    def __init__(self, daemon: Served, *, name: str, clients: int = 6) -> None:
        self.acknowledged: set[str] = set()
        self.statuses: set[int] = set()
        self._daemon = daemon
        self._threads = [
            threading.Thread(target=self._ask, args=(f"{name}-{number}",), daemon=True) for number in range(clients)
        ]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(timeout=30)
            assert not thread.is_alive()

    def _ask(self, name: str) -> None:
        connection = http.client.HTTPConnection(self._daemon.netloc, timeout=30)
        number = 0
        with contextlib.suppress(OSError, http.client.HTTPException):
            while True:
                number += 1
                keys = [f"{name}-{number}-{one}" for one in range(1 + number % 3)]
                headers = {"Prefer": "respond-async"} if number % 2 else {}
                body = orjson.dumps({"data": {"jobs": [job(key) for key in keys]}})
                connection.request("POST", "/api/createjobs", body=body, headers=headers)
                reply = connection.getresponse()
                reply.read()
                self.statuses.add(reply.status)
                if reply.status not in {200, 202}:
                    break
                self.acknowledged.update(keys)
        connection.close()


def test_sigterm_under_load_answers_everybody_and_exits_in_time(tmp_path: Path) -> None:
    with sandbox_process("--latency", "0.3") as url, daemon_process(tmp_path, url, "--shutdown-grace-s", "5") as daemon:
        load = Load(daemon, name="load")
        time.sleep(1.5)
        began = time.monotonic()
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.process.wait(timeout=10) == 0
        assert time.monotonic() - began < 5.5
        load.join()
        assert load.statuses <= {200, 202, 503}
        with daemon_process(tmp_path, url) as again:
            wait_for_rest(again)
        created = all_keys(url)
    assert load.acknowledged <= created.keys()
    assert {counters["creates"] for counters in created.values()} == {1}
    assert "Traceback" not in daemon.log.read_text()


def test_who_waits_when_it_stops_is_answered_with_the_keys(tmp_path: Path) -> None:
    with daemon_process(tmp_path, "http://127.0.0.1:9") as daemon:
        answers: list[Any] = []
        waiting = threading.Thread(target=lambda: answers.append(daemon.create(job("A"))))
        waiting.start()
        daemon.wait_until("/jobs", '"uidSecondary":"A"', timeout_s=10)
        daemon.process.send_signal(signal.SIGTERM)
        waiting.join(timeout=10)
        assert daemon.process.wait(timeout=11) == 0
    assert [(answer.status, answer.document["jobs"][0]["uidSecondary"]) for answer in answers] == [(202, "A")]


def test_while_it_stops_open_connections_are_told_to_go_elsewhere(tmp_path: Path) -> None:
    with sandbox_process("--latency", "2") as url, daemon_process(tmp_path, url) as daemon:
        lines = [http.client.HTTPConnection(daemon.netloc, timeout=20) for _ in range(3)]
        for line in lines:
            line.request("GET", "/livez")
            assert line.getresponse().read()
        daemon.create(job("A"), at_once=True)
        daemon.wait_until("/jobs/A", '"sending"', timeout_s=10)
        daemon.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        body = orjson.dumps({"data": {"jobs": [job("B")]}})
        for line, (method, path) in zip(
            lines, (("POST", "/api/createjobs"), ("GET", "/jobs/A"), ("GET", "/readyz")), strict=True
        ):
            line.request(method, path, body=body if method == "POST" else None)
            reply = line.getresponse()
            assert (reply.status, b"stopping" in reply.read()) == (503, True)
            if path != "/readyz":
                assert (reply.headers["Connection"], reply.headers["Retry-After"]) == ("close", "5")
            line.close()
        with pytest.raises(ConnectionRefusedError):
            daemon.get("/livez")
        assert daemon.process.wait(timeout=11) == 0
        keys = get(f"{url}/sandbox/keys")["keys"]
    assert list(keys) == ["A"]


def test_clients_that_hang_do_not_hold_up_the_stop(tmp_path: Path) -> None:
    with (
        daemon_process(tmp_path, "http://127.0.0.1:9", "--shutdown-grace-s", "3") as daemon,
        socket.create_connection(daemon.netloc.split(":"), timeout=20),  # type: ignore[arg-type]
        socket.create_connection(daemon.netloc.split(":"), timeout=20) as drips,  # type: ignore[arg-type]
    ):
        drips.sendall(b"POST /api/createjobs HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
        assert daemon.get("/livez").status == 200
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.process.wait(timeout=3.5) == 0
    assert daemon.log.read_text().rstrip().endswith("stopped")


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    with sandbox_process("--latency", "8") as url, daemon_process(tmp_path, url) as daemon:
        daemon.create(job("A"), at_once=True)
        daemon.wait_until("/jobs/A", '"sending"', timeout_s=10)
        daemon.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert daemon.process.poll() is None
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.process.wait(timeout=3) == 1


def test_it_does_not_start_on_a_spool_or_an_address_in_use_or_open_to_all(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with daemon_process(tmp_path, "http://127.0.0.1:9") as daemon:
        shared = run("run", "--listen", "127.0.0.1:0", "--base-url", "http://127.0.0.1:9", cwd=tmp_path)
        taken = run("run", "--listen", daemon.netloc, "--base-url", "http://127.0.0.1:9", cwd=tmp_path / "other")
    open_to_all = run("run", "--listen", "0.0.0.0:0", cwd=tmp_path)
    assert [ended.status for ended in (shared, taken, open_to_all)] == [2, 2, 2]
    assert "dispatcher.spool.db" in shared.err
    assert "listen" in taken.err
    assert "accept_key" in open_to_all.err
    assert "Traceback" not in shared.err + taken.err + open_to_all.err


def test_every_other_call_is_passed_on_with_the_accounts_own_key(tmp_path: Path) -> None:
    with (
        sandbox_process("--api-key", "test-key") as url,
        daemon_process(tmp_path, url, DISPATCHER_ACCEPT_KEY="ours") as daemon,
    ):
        daemon.keys = {"API-Key": "ours"}
        daemon.create(job("A", day=DAY))
        found = daemon.ask("POST", "/api/getjobs", orjson.dumps({"data": {"day": DAY, "worker": "*"}}))
        by_body = daemon.ask("POST", "/api/getaccounts", b'{"auth": {"key": "ours"}, "data": {}}', headers={})
        unknown = daemon.ask("POST", "/api/nothing", b"{}")
        refused = daemon.ask("POST", "/api/getjobs", b'{"data": {"day": "soon"}}')
        damaged = daemon.ask("POST", "/api/getjobs", b"[")
        stranger = daemon.ask("POST", "/api/getaccounts", b"{}", headers={})
        ready = daemon.get("/readyz")
    assert [one["uidSecondary"] for one in found.document["jobs"]] == ["A"]
    assert (by_body.status, bool(by_body.document["accounts"])) == (200, True)
    assert (unknown.status, damaged.status, stranger.status) == (404, 400, 401)
    assert refused.document["status"] != 0
    assert ready.status == 200


def test_a_call_that_cannot_be_passed_on_says_so(tmp_path: Path) -> None:
    with daemon_process(tmp_path, "http://127.0.0.1:9", "--accept-timeout-s", "1") as daemon:
        answers = [daemon.ask("POST", "/api/getaccounts", b"{}") for _ in range(3)]
    assert {answer.status for answer in answers} <= {502, 503}
    assert all(answer.document["message"] for answer in answers)


def test_a_full_spool_says_when_to_come_again_and_is_not_ready(tmp_path: Path) -> None:
    with daemon_process(tmp_path, "http://127.0.0.1:9", "--spool-max-rows", "3") as daemon:
        assert daemon.create(*(job(f"K{n}") for n in range(3)), at_once=True).status == 202
        full = daemon.create(job("L"), at_once=True)
        ready = daemon.get("/readyz")
        assert daemon.get("/livez").status == 200
        assert daemon.get("/jobs/L").status == 404
    assert (full.status, int(full.headers["Retry-After"]) >= 1) == (503, True)
    assert (ready.status, "full" in ready.document["reason"]) == (503, True)


def test_a_denied_key_keeps_taking_jobs_in_and_says_so(tmp_path: Path) -> None:
    with sandbox_process("--api-key", "another") as url, daemon_process(tmp_path, url) as daemon:
        assert daemon.create(job("A"), at_once=True).status == 202
        reason = daemon.wait_until("/readyz", "denied", timeout_s=10)["reason"]
        began = time.monotonic()
        assert daemon.create(job("B")).status == 202
        assert time.monotonic() - began < 5  # nobody waits for what is not sent
        states = {one["state"] for one in daemon.get("/jobs").document["jobs"]}
    assert "Hellotracks" in reason
    assert states <= {"accepted", "assigned"}
    assert "test-key" not in daemon.log.read_text()


def test_the_log_is_json_on_request(tmp_path: Path) -> None:
    with daemon_process(tmp_path, "http://127.0.0.1:9", "--log-format", "json") as daemon:
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.process.wait(timeout=11) == 0
    lines = [orjson.loads(line) for line in daemon.log.read_bytes().splitlines()]
    assert [line["message"] for line in lines][-1] == "stopped"
    assert {"at", "level", "logger", "message"} <= set(lines[0])


def _there(client: socket.socket) -> bytes:
    """What has come so far, without waiting for it."""
    client.setblocking(False)
    try:
        return client.recv(65_536)
    except BlockingIOError:
        return b""
    finally:
        client.settimeout(20)


def wait_for_rest(daemon: Served) -> None:
    """Until every job in the spool is confirmed."""
    until = time.monotonic() + 40
    while True:
        text = daemon.get("/metrics").body.decode()
        lines = [line.rpartition(" ") for line in text.splitlines() if line.startswith("dispatcher_jobs{")]
        if not sum(float(count) for name, _, count in lines if "confirmed" not in name):
            return
        assert time.monotonic() < until, lines
        time.sleep(0.1)


def all_keys(url: str) -> dict[str, dict[str, int]]:
    """Everything that the sandbox has counted, by key."""
    keys: dict[str, dict[str, int]] = get(f"{url}/sandbox/keys?limit=100000")["keys"]
    return keys
