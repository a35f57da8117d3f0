"""Starting, stopping, outages, and the process of its own."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
import orjson
import pytest

from dispatcher.sandbox import Sandbox, SandboxSettings
from tests.unit.sandbox.talk import Open, Talk, job, until

ROOT = Path(__file__).parents[3]


async def test_stopping_ends_slow_requests_at_once_and_leaves_no_task_behind() -> None:
    others = asyncio.all_tasks()
    sandbox = Sandbox(SandboxSettings(slow_s=60.0))
    url = await sandbox.start()
    sandbox.set_faults(next=["slow", "slow-before"])
    async with aiohttp.ClientSession(headers={"API-Key": "k"}) as session:
        sending = [
            asyncio.create_task(session.post(f"{url}/api/createjobs", json={"data": {"jobs": [job(key)]}}))
            for key in ("A", "B")
        ]
        await until(lambda: sandbox.stats()["in_flight"] == 2)
        before = time.monotonic()
        await sandbox.stop()
        assert time.monotonic() - before < 2.0
        await asyncio.gather(*sending, return_exceptions=True)
    assert asyncio.all_tasks() == others
    assert sandbox.created("A") + sandbox.created("B") == 1
    with pytest.raises(OSError, match=r"."):
        await asyncio.open_connection("127.0.0.1", sandbox.port)


async def test_stopping_is_prompt_with_idle_and_half_sent_connections() -> None:
    sandbox = Sandbox()
    await sandbox.start()
    _, idle = await asyncio.open_connection("127.0.0.1", sandbox.port)
    _, halfway = await asyncio.open_connection("127.0.0.1", sandbox.port)
    halfway.write(b"POST /api/createjobs HTTP/1.1\r\nHost: x\r\nAPI-Key: k\r\nContent-Length: 100\r\n\r\n{")
    await until(lambda: sandbox.stats()["in_flight"] == 1)

    before = time.monotonic()
    await sandbox.stop()

    assert time.monotonic() - before < 3.0
    assert sandbox.stats()["in_flight"] == 0
    for writer in (idle, halfway):
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def test_started_again_it_has_its_jobs_on_the_same_port() -> None:
    sandbox = Sandbox()
    async with aiohttp.ClientSession() as session:
        first = await sandbox.start()
        await Talk(sandbox, session).create(job("A"))
        await sandbox.stop()
        await sandbox.stop()
        assert await sandbox.start() == first
        assert len((await Talk(sandbox, session).call("getjobs", day=20261130))["jobs"]) == 1
        with pytest.raises(RuntimeError):
            await sandbox.start()
        await sandbox.stop()


async def test_a_port_in_use_is_an_error_and_leaves_nothing_open() -> None:
    async with Sandbox() as first:
        second = Sandbox(SandboxSettings(port=first.port))
        with pytest.raises(OSError, match="in use"):
            await second.start()
        await second.stop()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", 70_000),
        ("api_key", ""),
        ("fleet_size", -1),
        ("latency_s", float("nan")),
        ("city", "Atlantis"),
        ("limits", "many"),
        ("faults", "explode:1"),
        ("members", ["ann"]),
    ],
)
def test_a_setting_that_cannot_be_used_is_an_error_that_begins_with_its_name(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^{name}: "):
        SandboxSettings(**{name: value})  # type: ignore[arg-type]


def test_a_saved_job_that_cannot_be_used_is_named() -> None:
    with pytest.raises(ValueError, match=r"^jobs: element 1 "):
        Sandbox(SandboxSettings(jobs=[job("A"), job("B", day="someday")]))


async def test_latency_holds_the_reply_back_but_not_the_deed(open_sandbox: Open) -> None:
    talk = await open_sandbox(latency_s=0.2, latency_jitter_s=0.05)
    before = time.monotonic()

    sending = asyncio.create_task(talk.create(job("A")))
    await until(lambda: talk.sandbox.created("A") == 1)
    assert time.monotonic() - before < 0.2
    await sending

    assert 0.2 <= time.monotonic() - before < 2.0


async def test_during_an_outage_every_connection_is_closed_until_it_is_over(open_sandbox: Open) -> None:
    talk = await open_sandbox()
    await talk.create(job("A"))

    assert (await talk.post("/sandbox/outage", {"down": True})).json["down"] is True
    for _ in range(2):
        with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
            await talk.post("/api/createjobs", {"data": {"jobs": [job("B")]}})
    assert talk.sandbox.stats()["outage_refused"] == 2
    assert talk.sandbox.stats()["requests"]["/api/createjobs"] == 3
    await talk.post("/sandbox/outage", {"down": False})
    await talk.create(job("B"))

    assert talk.sandbox.created("B") == 1


async def test_an_outage_cuts_requests_that_are_on_their_way(open_sandbox: Open) -> None:
    talk = await open_sandbox(faults="slow:1", slow_s=60.0)
    sending = asyncio.create_task(talk.create(job("A")))
    await until(lambda: talk.sandbox.created("A") == 1)

    talk.sandbox.set_outage(seconds=0.2)

    with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
        await sending
    assert talk.sandbox.down


async def test_an_outage_of_some_seconds_ends_by_itself_and_can_answer_503(open_sandbox: Open) -> None:
    talk = await open_sandbox()

    await talk.post("/sandbox/outage", {"seconds": 0.2, "mode": "503"})
    assert (await talk.post("/api/getcompany", {"data": {}})).status == 503
    assert (await talk.get("/v1/jobs")).status == 503
    await until(lambda: not talk.sandbox.down)

    assert (await talk.post("/api/getcompany", {"data": {}})).status == 200


@pytest.mark.parametrize(
    "wish",
    [
        {},
        {"seconds": 1, "down": True},
        {"down": "yes"},
        {"seconds": -1},
        {"seconds": True},
        {"down": True, "mode": "x"},
    ],
)
async def test_an_outage_that_makes_no_sense_is_refused(open_sandbox: Open, wish: dict[str, object]) -> None:
    talk = await open_sandbox()

    assert (await talk.post("/sandbox/outage", wish)).status == 400
    assert not talk.sandbox.down


async def test_the_statistics_can_be_asked_for_over_http(open_sandbox: Open) -> None:
    talk = await open_sandbox(limits="100/s", members=[])
    await talk.create(job("A"), job("B"))
    await talk.create(job("A", priority=1), job("B"), sendRouteChange=True)
    await talk.post("/api/nothing", {})

    stats = (await talk.get("/sandbox/stats", key="")).json

    assert stats == orjson.loads(orjson.dumps(talk.sandbox.stats()))
    expected = {
        "jobs": 2,
        "creates": 2,
        "updates": 1,
        "repeats": 1,
        "requests": {"/api/createjobs": 2, "other": 1},
        "http_statuses": {"200": 2, "404": 1},
        "route_change_requests": 1,
        "limit_violations": 0,
        "peaks": {"100/s": 3},
    }
    assert {name: stats[name] for name in expected} == expected


async def test_the_counters_of_all_keys_can_be_asked_for_page_by_page(open_sandbox: Open) -> None:
    talk = await open_sandbox()
    await talk.create(*[job(f"k{i}") for i in range(5)])
    await talk.create(job("k1", priority=1))

    first = (await talk.get("/sandbox/keys", limit=3)).json
    second = (await talk.get("/sandbox/keys", limit=3, after=first["next"])).json

    assert list(first["keys"]) + list(second["keys"]) == [f"k{i}" for i in range(5)]
    assert first["keys"]["k1"] == {"creates": 1, "sends": 2, "updates": 1}
    assert (first["next"], second["next"]) == ("k2", None)
    assert (await talk.get("/sandbox/keys", limit="all")).status == 400


async def test_faults_can_be_changed_while_it_runs_and_a_bad_change_changes_nothing(open_sandbox: Open) -> None:
    talk = await open_sandbox(faults="503:1")
    assert (await talk.post("/api/createjobs", {"data": {"jobs": []}})).status == 503

    wishes: tuple[object, ...] = (
        {"faults": "explode:1"},
        {"slow_s": -1},
        {"next": ["explode"]},
        {"wish": 1},
        {"faults_on": 5},
        [],
    )
    for wish in wishes:
        assert (await talk.post("/sandbox/faults", wish)).status == 400
    assert (await talk.get("/sandbox/faults")).json["faults"] == "503:1"
    changed = await talk.post("/sandbox/faults", {"faults": "", "slow_s": 1.5, "next": ["429"]})

    assert (changed.status, changed.json["slow_s"]) == (200, 1.5)
    assert [(await talk.post("/api/createjobs", {"data": {"jobs": []}})).status for _ in range(2)] == [429, 200]
    assert talk.sandbox.stats()["faults"] == {"503": 1, "429": 1}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_as_a_process_it_says_where_it_is_and_ends_cleanly_on_a_signal(number: signal.Signals) -> None:
    program = (
        "from dispatcher.sandbox import SandboxSettings, run_sandbox\n"
        "run_sandbox(SandboxSettings(), on_ready=lambda url: print(url, flush=True))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=5) as idle:
            idle.sendall(b"GET /sandbox/stats HTTP/1.1\r\nHost: x\r\n\r\n")
            assert idle.recv(15) == b"HTTP/1.1 200 OK"
            process.send_signal(number)
            _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (0, "")
