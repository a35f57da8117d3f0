"""Looking into the spool and acting on it: from the command line, beside a running delivery, and embedded."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from dispatcher import Dispatcher, State
from dispatcher.sandbox import Sandbox, SandboxSettings, generated_jobs
from tests.acceptance.command import COMMAND, Ended, environment, get, run, sandbox_process, write_lines

DAY = 20310106
NOWHERE = "http://127.0.0.1:9"
PLAIN = ("--policy", "none")


def job(key: str, **fields: Any) -> dict[str, Any]:
    return {"uidSecondary": key, "destinationLat": 45.07, "destinationLng": 7.69, "day": DAY} | fields


def wait_in_spool(tmp_path: Path, *jobs: dict[str, Any]) -> None:
    """Accept jobs while no server is there: they stay unsent."""
    file = write_lines(tmp_path / "waiting.jsonl", jobs)
    ended = run("submit", str(file), *PLAIN, "--base-url", NOWHERE, "--set", "give_up_after_s=0.5", cwd=tmp_path)
    assert ended.status == 1, ended.err


def deliver(tmp_path: Path, url: str, *jobs: dict[str, Any]) -> Ended:
    """Run a delivery on the spool as it is; without jobs of its own it needs one to have something to wait for."""
    file = write_lines(tmp_path / "more.jsonl", jobs or [job("LAST")])
    return run("submit", str(file), "--json", *PLAIN, "--base-url", url, cwd=tmp_path)


def states(tmp_path: Path) -> dict[str, list[str]]:
    """States of all versions by key, as `spool export` tells them."""
    found: dict[str, list[str]] = {}
    for line in run("spool", "export", cwd=tmp_path).out.splitlines():
        row = orjson.loads(line)
        found.setdefault(row["key"], []).append(row["state"])
    return found


@contextlib.contextmanager
def delivery(tmp_path: Path, url: str, count: int, *flags: str) -> Iterator[subprocess.Popen[bytes]]:
    """A delivery that is under way; ended in order at the end."""
    file = write_lines(tmp_path / "many.jsonl", list(generated_jobs(count, seed=3, day=DAY)))
    command = [*COMMAND, "submit", str(file), *PLAIN, "--base-url", url, *flags]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            while get(f"{url}/sandbox/stats")["creates"] == 0:
                time.sleep(0.05)
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)


@pytest.mark.parametrize("group", ["jobs", "dead", "spool"])
def test_help_lists_the_commands_without_loading_the_heavy_parts(tmp_path: Path, group: str) -> None:
    code = (
        "import sys, dispatcher.cli as c\nsys.argv = ['dispatcher', %r, '--help']\ntry: c.main()\n"
        "except SystemExit: pass\nprint([m for m in ('numba', 'numpy', 'aiohttp', 'rich') if m in sys.modules])"
    )
    helped = subprocess.run(
        [sys.executable, "-c", code % group],
        check=True,
        capture_output=True,
        text=True,
        env=environment(),
        cwd=tmp_path,
    )
    assert "Commands:" in helped.stdout
    assert helped.stdout.rstrip().endswith("[]")


# -- jobs -------------------------------------------------------------------------------------------------------------


def test_jobs_are_listed_shown_and_explained(tmp_path: Path) -> None:
    wait_in_spool(tmp_path, job("A", worker="ann@acme.com"), job("B", day=20310107))
    listed = run("jobs", "list", "--json", cwd=tmp_path)
    assert (listed.status, [row["key"] for row in listed.document["jobs"]]) == (0, ["B", "A"])
    table = run("jobs", "list", "--worker", "ann@acme.com", cwd=tmp_path)
    assert "ann@acme.com" in table.out
    assert "B" not in table.out.split()
    by_day = run("jobs", "list", "--day", "20310107", "--state", "assigned", "--since", "1h", "--json", cwd=tmp_path)
    assert [row["key"] for row in by_day.document["jobs"]] == ["B"]
    assert run("jobs", "list", "--state", "dead", cwd=tmp_path).status == 1
    shown = run("jobs", "show", "A", "--json", cwd=tmp_path).document
    assert [one["job"]["worker"] for one in shown["versions"]] == ["ann@acme.com"]
    explained = run("jobs", "explain", "A", "--json", cwd=tmp_path).document
    assert (explained["waits_for"], explained["owner"], explained["receipt"]["state"]) == ("process", 0, "assigned")
    assert any("cannot connect" in line for line in explained["happened"])
    assert "No process works on this spool" in run("jobs", "explain", "A", cwd=tmp_path).out
    for command in ("show", "explain", "delete"):
        unknown = run("jobs", command, "NOBODY", cwd=tmp_path)
        assert (unknown.status, "NOBODY" in unknown.err) == (1, True)


def test_a_deleted_job_is_never_sent_and_an_edited_one_only_as_it_is_now(tmp_path: Path) -> None:
    wait_in_spool(tmp_path, job("GO"), job("GONE"), job("CHANGED", priority=1))
    assert run("jobs", "delete", "GONE", "--dry-run", cwd=tmp_path).status == 0
    assert (
        run("jobs", "edit", "CHANGED", "priority=9", "--dry-run", "--json", cwd=tmp_path).document["job"]["priority"]
        == 9
    )
    assert states(tmp_path)["GONE"] == ["assigned"]
    bad = run("jobs", "edit", "CHANGED", "priority=11", cwd=tmp_path)
    assert (bad.status, "priority: must be from 0 to 10" in bad.err) == (2, True)
    assert run("jobs", "delete", "GONE", cwd=tmp_path).status == 0
    edited = run("jobs", "edit", "CHANGED", "priority=9", "notes=by hand", "--json", cwd=tmp_path)
    assert (edited.status, edited.document["new"]["version"]) == (0, 2)
    with sandbox_process() as url:
        assert deliver(tmp_path, url, job("GONE"), job("GO")).document["confirmed"] == 1
        assert deliver(tmp_path, url).status == 0
        stats = get(f"{url}/sandbox/stats")
    assert (stats["creates"], stats["updates"]) == (3, 0)
    assert states(tmp_path) == {
        "GO": ["confirmed"],
        "GONE": ["dead"],
        "CHANGED": ["dead", "confirmed"],
        "LAST": ["confirmed"],
    }
    late = run("jobs", "edit", "GO", "priority=2", cwd=tmp_path)
    assert (late.status, "submit it anew" in late.err) == (1, True)
    assert run("jobs", "delete", "GO", cwd=tmp_path).status == 1


# -- dead letters -----------------------------------------------------------------------------------------------------


def test_dead_letters_are_kept_apart_replayed_exported_and_edited(tmp_path: Path) -> None:
    poison = [job(key, destinationName="POISON") for key in ("P1", "P2", "P3")]
    with sandbox_process() as url:
        assert deliver(tmp_path, url, *poison, job("GOOD")).document["rejected"] == 3
        dead = run("dead", "list", "--json", cwd=tmp_path)
        assert {state: [row["key"] for row in rows] for state, rows in dead.document.items()} == {
            "rejected": ["P3", "P2", "P1"],
            "dead": [],
            "unknown": [],
        }
        words = dead.document["rejected"][0]["error"]
        assert words
        assert run("dead", "list", "--error", words[:10].upper(), cwd=tmp_path).status == 0
        assert run("dead", "list", "--error", "no such words", cwd=tmp_path).status == 1
        assert run("dead", "list", "--state", "dead", cwd=tmp_path).status == 1

        lines = run("dead", "export", "--jobs", cwd=tmp_path).out.splitlines()
        assert [orjson.loads(line) for line in lines] == poison
        full = [orjson.loads(line) for line in run("dead", "export", "--key", "P2", cwd=tmp_path).out.splitlines()]
        assert [(row["key"], row["state"], row["job"]) for row in full] == [("P2", "rejected", poison[1])]

        fixed = run("dead", "edit", "P1", "destinationName=Fine", "--json", cwd=tmp_path)
        assert (fixed.status, fixed.document["new"]["version"]) == (0, 2)
        assert run("dead", "edit", "GOOD", "destinationName=x", cwd=tmp_path).status == 1
        dry = run("dead", "replay", "--dry-run", "--json", cwd=tmp_path)
        assert [row["key"] for row in dry.document["replayed"]] == ["P3", "P2"]
        assert states(tmp_path)["P2"] == ["rejected"]
        again = run("dead", "replay", "--key", "P2", "--json", cwd=tmp_path)
        assert [row["key"] for row in again.document["replayed"]] == ["P2"]
        assert states(tmp_path)["P2"] == ["accepted"]
        assert run("dead", "replay", "--key", "GOOD", cwd=tmp_path).status == 1
        assert run("dead", "replay", "--state", "unknown", cwd=tmp_path).status == 2
        deliver(tmp_path, url, poison[1], job("LAST"))
    assert states(tmp_path) == {
        "P1": ["rejected", "confirmed"],
        "P2": ["rejected"],
        "P3": ["rejected"],
        "GOOD": ["confirmed"],
        "LAST": ["confirmed"],
    }
    assert [row["key"] for row in run("dead", "list", "--json", cwd=tmp_path).document["rejected"]] == ["P3", "P2"]


# -- the file ---------------------------------------------------------------------------------------------------------


def test_the_file_is_measured_checked_pruned_and_shrunk(tmp_path: Path) -> None:
    with sandbox_process() as url:
        assert deliver(tmp_path, url, *generated_jobs(3000, seed=3, day=DAY)).status == 0
    stats = run("spool", "stats", "--json", cwd=tmp_path).document
    assert stats["accounts"]["default"]["states"]["confirmed"] == 3000
    assert (stats["accounts"]["default"]["oldest_waiting_s"], stats["owner"]) == (None, 0)
    assert "3,000" in run("spool", "stats", cwd=tmp_path).out
    assert run("spool", "check", "--json", cwd=tmp_path).document == {
        "spool": "dispatcher.spool.db",
        "sound": True,
        "problems": [],
    }
    assert run("spool", "prune", cwd=tmp_path).status == 1
    assert run("spool", "prune", "--set", "retain_days=0", cwd=tmp_path).status == 2
    dry = run("spool", "prune", "--older-than", "0s", "--dry-run", "--json", cwd=tmp_path)
    assert dry.document["pruned"] == 2999
    assert run("spool", "prune", "--older-than", "0s", "--json", cwd=tmp_path).document["pruned"] == 2999
    shrunk = run("spool", "vacuum", "--json", cwd=tmp_path).document
    assert shrunk["after_bytes"] < shrunk["before_bytes"] / 5
    assert run("spool", "check", cwd=tmp_path).status == 0
    assert len(states(tmp_path)) == 1
    same = run("spool", "migrate", "--dry-run", "--json", cwd=tmp_path)
    assert (same.status, same.document["steps"]) == (0, [])


def test_a_broken_rule_is_named_with_status_1_and_a_foreign_file_with_status_2(tmp_path: Path) -> None:
    wait_in_spool(tmp_path, job("A"))
    with contextlib.closing(sqlite3.connect(tmp_path / "dispatcher.spool.db", isolation_level=None)) as connection:
        connection.execute("UPDATE contents SET key = 'X'")
    broken = run("spool", "check", cwd=tmp_path)
    assert (broken.status, "not that of their key: 1" in broken.err) == (1, True)
    (tmp_path / "diary.db").write_text("not a database" * 100)
    for command in (("spool", "check"), ("spool", "stats"), ("jobs", "list"), ("dead", "replay"), ("spool", "migrate")):
        foreign = run(*command, "--spool", "diary.db", cwd=tmp_path)
        assert (foreign.status, "diary.db" in foreign.err, "Traceback" in foreign.err) == (2, True, False)
        missing = run(*command, "--spool", "none.db", cwd=tmp_path)
        assert (missing.status, "no such spool" in missing.err) == (2, True)
    assert (tmp_path / "diary.db").read_text() == "not a database" * 100
    assert not (tmp_path / "none.db").exists()


def test_looking_works_beside_a_delivery_and_acting_says_who_has_the_spool(tmp_path: Path) -> None:
    with (
        sandbox_process("--latency", "0.3") as url,
        delivery(tmp_path, url, 2000, "--max-batch-jobs", "10", "--max-concurrency", "2") as process,
    ):
        for look in (("jobs", "list"), ("spool", "stats"), ("spool", "export")):
            looked = run(*look, cwd=tmp_path)
            assert looked.status == 0, looked.err
        stats = run("spool", "stats", "--json", cwd=tmp_path).document
        assert stats["owner"] == process.pid
        counted = stats["accounts"]["default"]
        assert sum(counted["states"].values()) == 2000
        assert counted["oldest_waiting_s"] > 0
        waiting = run("jobs", "list", "--state", "assigned", "--limit", "1", "--json", cwd=tmp_path).document["jobs"][0]
        explained = run("jobs", "explain", waiting["key"], "--json", cwd=tmp_path).document
        assert (explained["owner"], explained["waits_for"]) == (process.pid, "turn")
        commands: tuple[tuple[str, ...], ...] = (
            ("jobs", "delete", waiting["key"]),
            ("jobs", "edit", waiting["key"], "notes=x"),
            ("spool", "check"),
            ("spool", "vacuum"),
            ("spool", "prune", "--older-than", "0s"),
            ("spool", "migrate"),
        )
        for command in commands:
            refused = run(*command, cwd=tmp_path)
            assert (refused.status, f"in use by process {process.pid}" in refused.err) == (2, True), (command, refused)
        assert process.poll() is None
    assert run("spool", "check", cwd=tmp_path).status == 0


# -- embedded ---------------------------------------------------------------------------------------------------------


def dispatcher(url: str, tmp_path: Path, **settings: Any) -> Dispatcher:
    plain: dict[str, Any] = {"base_url": url, "api_key": "key", "spool": str(tmp_path / "spool.db")}
    return Dispatcher(**(plain | settings))


async def test_a_running_dispatcher_explains_with_what_only_it_knows(tmp_path: Path) -> None:
    """The rate limit is known to the process alone; so are the engine's reasons for a held job."""
    async with (
        Sandbox(SandboxSettings(members=[])) as sandbox,
        dispatcher(sandbox.url, tmp_path, policy="none", limits="1/min", max_batch_jobs=1) as d,
    ):
        await d.submit([job(f"K{n}") for n in range(3)])
        async with asyncio.timeout(10):
            while (told := await d.explain("K2")) is None or told.waits_for != "limit":  # noqa: ASYNC110 - it is asked
                await asyncio.sleep(0.05)
        assert told.next_at is not None
        assert "1/min" in told.why
        assert await d.explain("nobody") is None
    member = {"uid": "u", "username": "ann@x", "role": "worker", "location": {"lat": 45.07, "lng": 7.68, "ts": 0}}
    async with (
        Sandbox(SandboxSettings(members=[member])) as sandbox,
        dispatcher(sandbox.url, tmp_path, fallback="hold", account="held") as d,
    ):
        await d.wait(await d.submit([job("H", teamId=9)]), timeout_s=20)
        held = await d.explain("H")
        assert held is not None
        assert (held.waits_for, held.reasons) == ("member", {"team_mismatch": (1, "ann@x")})


async def test_a_running_dispatcher_takes_back_changes_and_replays_jobs(tmp_path: Path) -> None:
    async with (
        Sandbox(SandboxSettings(members=[])) as sandbox,
        dispatcher(sandbox.url, tmp_path, fallback="hold", policy="nearest") as d,
    ):
        receipts = await d.submit([job("GONE"), job("CHANGED")])
        await d.wait(receipts, timeout_s=20)
        done = await d.care.delete("GONE")
        assert [row.state for row in done.withdrawn] == [State.DEAD]
        new = await d.care.edit("CHANGED", {"worker": "ann@x"})
        assert new is not None
        assert (await d.wait([new], timeout_s=20))[0].state is State.CONFIRMED
        (bad,) = await d.wait(await d.submit([job("BAD", worker="ann@x", destinationName="POISON")]), timeout_s=30)
        assert bad.state is State.REJECTED
        assert len(await d.care.replay([bad])) == 1
        assert (await d.wait([bad], timeout_s=30))[0].state is State.REJECTED
        assert [sandbox.created(key) for key in ("GONE", "CHANGED", "BAD")] == [0, 1, 0]
        assert sandbox.jobs["CHANGED"]["worker"] == "ann@x"


async def test_whoever_waits_for_a_job_hears_that_it_was_taken_back(tmp_path: Path) -> None:
    async with (
        Sandbox(SandboxSettings(members=[])) as sandbox,
        dispatcher(sandbox.url, tmp_path, policy="none", limits="1/min", max_batch_jobs=1) as d,
    ):
        receipts = await d.submit([job("A"), job("B")])
        waiter = asyncio.create_task(d.wait(receipts[1:], timeout_s=20))
        await asyncio.sleep(0.3)
        await d.care.delete("B")
        assert (await waiter)[0].withdrawn
        assert sandbox.created("B") == 0


async def test_old_jobs_are_forgotten_while_it_runs(tmp_path: Path) -> None:
    async with Sandbox(SandboxSettings(members=[])) as sandbox:
        async with dispatcher(sandbox.url, tmp_path, policy="none") as d:
            await d.wait(await d.submit([job(f"K{n}") for n in range(50)]), timeout_s=20)
        await asyncio.sleep(0.2)
        async with dispatcher(sandbox.url, tmp_path, policy="none", retain_days=1e-6) as d, asyncio.timeout(10):
            while (await d.counts())[State.CONFIRMED] > 1:  # noqa: ASYNC110 - forgetting tells nobody
                await asyncio.sleep(0.05)


# -- a full disk ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def small_disk(folder: Path, mib: int) -> Iterator[Path]:
    """A disk of its own, as small as it is said."""
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def enlarge(folder: Path, mib: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={mib}m", folder], check=True)


@pytest.mark.slow
def test_below_the_floor_of_free_disk_jobs_are_refused_clearly_and_a_later_run_goes_on(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "jobs.jsonl", list(generated_jobs(20_000, seed=3, day=DAY)))
    with sandbox_process() as url, small_disk(tmp_path / "disk", 16) as disk:
        flags = ["--json", *PLAIN, "--base-url", url, "--spool", str(disk / "spool.db")]
        flags += ["--set", f"spool_min_free_bytes={11 << 20}"]
        full = run("submit", str(file), *flags, cwd=tmp_path, timeout_s=100)
        before = get(f"{url}/sandbox/stats")
        assert (full.status, "Traceback" in full.err) == (2, False), full
        assert "bytes free, the floor is" in full.err
        assert 0 < before["creates"] < 20_000
        held = run("spool", "stats", "--json", "--spool", str(disk / "spool.db"), cwd=tmp_path).document
        accepted = sum(held["accounts"]["default"]["states"].values())
        assert held["accounts"]["default"]["states"]["confirmed"] == accepted == before["creates"]
        enlarge(disk, 128)
        ended = run("submit", str(file), *flags, cwd=tmp_path, timeout_s=100)
        after = get(f"{url}/sandbox/stats")
    assert (ended.status, ended.document["confirmed"]) == (0, 20_000), ended.err
    assert (after["creates"], after["repeats"]) == (20_000, 0)


@pytest.mark.slow
def test_a_disk_that_runs_full_under_a_delivery_loses_nothing(tmp_path: Path) -> None:
    """Without a floor the disk itself says no, to acceptances and to outcomes alike."""
    file = write_lines(tmp_path / "jobs.jsonl", list(generated_jobs(20_000, seed=3, day=DAY)))
    with sandbox_process() as url, small_disk(tmp_path / "disk", 6) as disk:
        flags = ["--json", *PLAIN, "--base-url", url, "--spool", str(disk / "spool.db")]
        flags += ["--set", "spool_min_free_bytes=0", "--set", "shutdown_grace_s=1", "--set", "unknown_grace_s=1"]
        flags += ["--set", "request_timeout_s=2"]
        with subprocess.Popen(
            [*COMMAND, "submit", str(file), *flags],
            cwd=tmp_path,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            try:
                _, err = process.communicate(timeout=8)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGINT)
                _, err = process.communicate(timeout=40)
        assert process.returncode in {1, 2}, err.decode()
        assert "no room" in err.decode() or "could not write" in err.decode() or "is full" in err.decode()
        enlarge(disk, 128)
        assert run("spool", "check", "--spool", str(disk / "spool.db"), cwd=tmp_path).status == 0
        ended = run("submit", str(file), *flags, cwd=tmp_path, timeout_s=100)
        after = get(f"{url}/sandbox/stats")
    assert (ended.status, ended.document["confirmed"]) == (0, 20_000), ended.err
    assert (after["creates"], after["repeats"]) == (20_000, 0)
