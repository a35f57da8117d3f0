"""A backup made while the daemon runs, and what comes of going back to it: updates, and no job twice."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import time
import urllib.request
from pathlib import Path

import orjson

from tests.acceptance.command import get, run, sandbox_process
from tests.acceptance.serving import Served, daemon_process, job

SPOOL = "dispatcher.spool.db"


def back_up(folder: Path) -> Path:
    """As docs/operations.md says."""
    copy = folder / "backup.db"
    with contextlib.closing(sqlite3.connect(folder / SPOOL)) as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))
    return copy


def restore(folder: Path, copy: Path) -> None:
    for name in (f"{SPOOL}-wal", f"{SPOOL}-shm"):
        (folder / name).unlink(missing_ok=True)
    copy.replace(folder / SPOOL)


def set_away(sandbox: str, *, away: bool) -> None:
    with urllib.request.urlopen(f"{sandbox}/sandbox/outage", data=orjson.dumps({"down": away}), timeout=10):
        pass


def wait_for(daemon: Served, keys: list[str]) -> None:
    for key in keys:
        daemon.wait_until(f"/jobs/{key}", '"confirmed"', timeout_s=30)


def test_going_back_to_an_older_backup_creates_nothing_twice(tmp_path: Path) -> None:
    waiting = [f"W{n}" for n in range(20)]
    later = ["L1", "L2"]
    with sandbox_process() as url:
        with daemon_process(tmp_path, url) as daemon:
            assert daemon.create(job("DONE")).status == 200
            set_away(url, away=True)
            assert daemon.create(*map(job, waiting), at_once=True).status == 202
            copy = back_up(tmp_path)
            set_away(url, away=False)
            wait_for(daemon, waiting)
            assert daemon.create(*map(job, later)).status == 200
            daemon.process.send_signal(signal.SIGTERM)
            assert daemon.process.wait(timeout=11) == 0
        assert run("spool", "check", "--spool", str(copy), cwd=tmp_path).status == 0
        restore(tmp_path, copy)
        with daemon_process(tmp_path, url) as daemon:
            wait_for(daemon, ["DONE", *waiting])
            assert daemon.get("/jobs/L1").status == 404
            assert daemon.create(*map(job, later)).status == 200
        keys = get(f"{url}/sandbox/keys")["keys"]
        stats = get(f"{url}/sandbox/stats")
    assert sorted(keys) == sorted(["DONE", *waiting, *later])
    assert stats["creates"] == 1 + len(waiting) + len(later)


def test_a_backup_does_not_hold_up_acceptance(tmp_path: Path) -> None:
    with daemon_process(tmp_path, "http://127.0.0.1:9") as daemon:
        assert daemon.create(*(job(f"K{n}") for n in range(5_000)), at_once=True).status == 202
        with contextlib.closing(sqlite3.connect(tmp_path / SPOOL)) as reading:
            reading.execute("BEGIN")
            assert reading.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] > 0
            began = time.monotonic()
            assert daemon.create(job("MEANWHILE"), at_once=True).status == 202
            assert time.monotonic() - began < 5
        assert run("spool", "check", "--spool", str(back_up(tmp_path)), cwd=tmp_path).status == 0
