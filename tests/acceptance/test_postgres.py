"""Dispatchers and commands on a PostgreSQL database that they share."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg
import orjson

from dispatcher import Dispatcher, State
from dispatcher.sandbox import Sandbox, SandboxSettings, generated_jobs
from dispatcher.settings import load_settings
from tests import postgres
from tests.acceptance.command import COMMAND, Ended, environment, run, sandbox_process, write_lines
from tests.acceptance.serving import daemon_process, job

DAY = 20310106
PLAIN = ("--policy", "none")


async def test_what_a_backend_enqueues_is_delivered_by_one_of_two_dispatchers(dsn: str) -> None:
    """Without a word to either of them: the hint wakes them at once."""
    async with Sandbox(SandboxSettings(api_key="right", fleet_size=5)) as sandbox:
        settings = load_settings(
            overrides={"base_url": sandbox.url, "api_key": "right", "policy": "none", "spool": dsn}
        )
        async with Dispatcher(settings, node="one") as one, Dispatcher(settings, node="two") as two:
            jobs = [{**job, "uidSecondary": f"k{n}"} for n, job in enumerate(generated_jobs(200, seed=5, day=DAY))]
            jobs[7] = {"uidSecondary": "bad", "day": 20311399}
            await postgres.fetch(dsn, "SELECT dispatcher.enqueue('default', $1)", orjson.dumps(jobs).decode())
            async with asyncio.timeout(20):
                while (await one.counts())[State.CONFIRMED] < 199:  # noqa: ASYNC110 - it is looked at from outside
                    await asyncio.sleep(0.02)
            assert all(sandbox.created(f"k{n}") == 1 for n in range(200) if n != 7)
            assert sandbox.stats()["overlaps"] == 0
            assert await two.counts() == await one.counts()
            bad = await two.receipt("bad")
            assert bad is not None
            assert bad.state is State.REJECTED
            assert bad.error.startswith("refused here: day: ")


async def test_two_dispatchers_share_the_work_and_send_every_job_once(dsn: str) -> None:
    async with Sandbox(SandboxSettings(api_key="right", fleet_size=5, latency_s=0.02)) as sandbox:
        own = {"base_url": sandbox.url, "api_key": "right", "policy": "none", "spool": dsn, "max_batch_jobs": 20}
        settings = load_settings(overrides=own)
        async with Dispatcher(settings, node="one") as one, Dispatcher(settings, node="two") as two:
            jobs = [{**job, "uidSecondary": f"k{n}"} for n, job in enumerate(generated_jobs(1000, seed=6, day=DAY))]
            receipts = await asyncio.gather(one.submit(jobs[:600]), two.submit(jobs[400:]))
            async with asyncio.timeout(60):
                while (await one.counts())[State.CONFIRMED] < 1000:  # noqa: ASYNC110 - it is looked at from outside
                    await asyncio.sleep(0.05)
            assert sum(map(len, receipts)) == 1200
            stats = sandbox.stats()
            assert (stats["overlaps"], stats["repeats"], stats["updates"]) == (0, 0, 0)
            assert all(sandbox.created(f"k{n}") == 1 for n in range(1000))


def test_a_command_that_was_killed_goes_on_where_it_was_and_the_others_look_at_it(tmp_path: Path, dsn: str) -> None:
    """Submit, kill, look, take care, submit again: all on the database, beside one another."""

    def here(*arguments: str) -> Ended:
        return run(*arguments, cwd=tmp_path, DISPATCHER_SPOOL=dsn, DISPATCHER_NODE="here")

    jobs = [{**job, "uidSecondary": f"k{n}"} for n, job in enumerate(generated_jobs(400, seed=4, day=DAY))]
    file = write_lines(tmp_path / "jobs.jsonl", jobs)
    with sandbox_process("--latency", "0.1") as url:
        flags = (*PLAIN, "--base-url", url, "--max-batch-jobs", "10", "--max-concurrency", "2")
        with subprocess.Popen(
            [*COMMAND, "submit", str(file), *flags],
            cwd=tmp_path,
            env=environment(DISPATCHER_SPOOL=dsn, DISPATCHER_NODE="here"),
            stderr=subprocess.DEVNULL,
        ) as process:
            until(lambda: states(dsn).get(5, 0) >= 20)
            stats = here("spool", "stats", "--json").document
            assert [node["name"] for node in stats["nodes"]] == ["here"]
            assert stats["owner"] is None
            process.send_signal(signal.SIGKILL)
        left = here("spool", "stats", "--json").document["accounts"]["default"]["states"]
        assert 20 <= left["confirmed"] < 400
        assert sum(left.values()) == 400
        assert here("jobs", "delete", "k399", "--json").document["withdrawn"][0]["key"] == "k399"
        ended = here("submit", str(file), "--json", *flags)
        assert (ended.status, ended.document["confirmed"], ended.document["dead"]) == (1, 399, 1), ended.err
    shown = here("jobs", "show", "k1", "--json").document
    assert [one["state"] for one in shown["versions"]] == ["confirmed"]
    assert here("jobs", "list", "--state", "dead", "--json").document["jobs"][0]["key"] == "k399"
    assert len(here("spool", "export").out.splitlines()) == 400
    check = here("spool", "check", "--json")
    assert (check.status, check.document["problems"]) == (0, []), check.out
    migrated = here("spool", "migrate", "--dry-run", "--json").document
    assert (migrated["before"], migrated["steps"]) == (migrated["after"], [])
    assert here("spool", "vacuum", "--json").status == 0
    assert here("spool", "prune", "--older-than", "0s", "--json").document["pruned"] >= 399


def test_a_file_is_copied_into_the_database_and_delivery_goes_on_there(tmp_path: Path, dsn: str) -> None:
    file = write_lines(tmp_path / "jobs.jsonl", [{**job} for job in generated_jobs(50, seed=4, day=DAY)])
    nowhere = ("--base-url", "http://127.0.0.1:9", "--set", "give_up_after_s=0.5")
    assert run("submit", str(file), *PLAIN, *nowhere, cwd=tmp_path).status == 1
    shown = run("spool", "migrate", "--show-sql", cwd=tmp_path, DISPATCHER_SPOOL=dsn)
    assert "CREATE FUNCTION dispatcher.enqueue" in shown.out
    for expected in ({"jobs": 50, "copied": 50, "known": 0}, {"jobs": 50, "copied": 0, "known": 50}):
        copied = run("spool", "copy", "--to", dsn, "--json", cwd=tmp_path)
        assert {name: copied.document[name] for name in expected} == expected, copied.err
    with sandbox_process() as url:
        ended = run("submit", str(file), "--json", *PLAIN, "--base-url", url, cwd=tmp_path, DISPATCHER_SPOOL=dsn)
        assert (ended.status, ended.document["confirmed"]) == (0, 50), ended.err
    refused = run("spool", "copy", "--to", "elsewhere.db", cwd=tmp_path)
    assert (refused.status, "expected postgresql://" in refused.err) == (2, True)


def test_a_daemon_on_the_database_is_ready_measured_and_looked_at_like_any_other(tmp_path: Path, dsn: str) -> None:
    with (
        sandbox_process() as url,
        daemon_process(tmp_path, url, "--spool", dsn, "--node", "north") as served,
    ):
        assert served.get("/readyz").document["status"] == "ready"
        assert len(served.create(job("a"), job("b")).document["jobs"]) == 2
        assert served.get("/jobs/a").document["state"] == "confirmed"
        assert [row["key"] for row in served.get("/page/jobs").document["jobs"]] == ["b", "a"]
        assert "_commit_seconds_count" in served.get("/metrics").body.decode()
        served.process.terminate()
        assert served.process.wait(timeout=20) == 0
        stats = run("spool", "stats", cwd=tmp_path, DISPATCHER_SPOOL=dsn).out
        assert "0 nodes work on it" in stats
        assert "bytes in the tables" in stats


def states(dsn: str) -> dict[int, int]:
    """Rows by state's number."""
    sql = "SELECT state, sum(rows)::integer FROM dispatcher.tallies GROUP BY state"
    try:
        return dict(postgres.aside(postgres.fetch(dsn, sql)))
    except asyncpg.UndefinedTableError:
        return {}


def until(true: Callable[[], bool]) -> None:
    """Wait for something that must come."""
    for _ in range(600):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("it never came")
