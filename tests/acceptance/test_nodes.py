"""`dispatcher nodes`: who works on a database, as a person and a script see it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dispatcher.spool import SqliteSpool
from tests.acceptance.command import Ended, run, sandbox_process
from tests.acceptance.serving import Served, daemon_process, job


@pytest.fixture
def dsn(dsn: str) -> str:
    return f"{dsn}{'&' if '?' in dsn else '?'}lease_s=2"


@contextlib.contextmanager
def daemon(folder: Path, url: str, dsn: str, name: str, *flags: str) -> Iterator[Served]:
    """A daemon under that name."""
    own = folder / name
    own.mkdir(exist_ok=True)
    with daemon_process(own, url, "--spool", dsn, "--node", name, *flags) as served:
        yield served


def nodes(folder: Path, dsn: str, **wanted: str) -> dict[str, Any]:
    """The nodes by name, once their states are as wanted."""
    end = time.monotonic() + 20
    while True:
        document = run("nodes", "--json", "--spool", dsn, cwd=folder).document
        states = {one["name"]: one["state"] for one in document["nodes"]}
        if not wanted or states == wanted:
            return {one["name"]: one for one in document["nodes"]}
        assert time.monotonic() < end, states
        time.sleep(0.1)


def test_each_daemon_says_what_it_is_and_does(tmp_path: Path, dsn: str) -> None:
    with sandbox_process() as url, daemon(tmp_path, url, dsn, "north") as north, daemon(tmp_path, url, dsn, "south"):
        assert north.create(*(job(f"k{number}") for number in range(50))).status == 200
        time.sleep(1.0)
        found = nodes(tmp_path, dsn, north="alive", south="alive")
        line = found["north"]
        assert (line["address"], line["pid"]) == (north.url, north.process.pid)
        assert line["program"].startswith("hellotracks-dispatcher ")
        assert line["report"]["accepted_per_s"] > 1
        assert line["report"]["accounts"]["default"]["problem"] == ""
        assert line["since_s"] is None
        assert 0 < line["left_s"] <= 2
        assert found["south"]["report"]["accepted_per_s"] == 0
        shown = run("nodes", "--spool", dsn, cwd=tmp_path)
        assert shown.status == 0
        assert "2 nodes" in shown.out
        assert north.url in shown.out
        assert 'dispatcher_nodes{state="alive"} 2.0' in north.get("/metrics").body.decode()


def test_a_paused_daemon_is_silent_then_ended_and_one_that_was_stopped_has_left(tmp_path: Path, dsn: str) -> None:
    """A script sees from the exit status that nobody is there."""
    with sandbox_process() as url, daemon(tmp_path, url, dsn, "north") as north:
        with daemon(tmp_path, url, dsn, "south") as south:
            south.process.send_signal(signal.SIGSTOP)
            nodes(tmp_path, dsn, north="alive", south="silent")
            ended = nodes(tmp_path, dsn, north="alive", south="ended")["south"]
            assert ended["since_s"] < 10
            assert ended["left_s"] is None
            assert 'dispatcher_nodes{state="ended"} 1.0' in north.get("/metrics").body.decode()
        with daemon(tmp_path, url, dsn, "south"):  # under its name again: one row
            nodes(tmp_path, dsn, north="alive", south="alive")
        north.process.terminate()
        assert north.process.wait(timeout=20) == 0
    time.sleep(2.2)  # the killed one lives until its lease has run out
    end = run("nodes", "--spool", dsn, cwd=tmp_path)
    assert (end.status, "0 nodes" in end.out, "left" in end.out) == (1, True, True)
    nodes(tmp_path, dsn, north="left", south="silent")  # nobody is there to end it


async def test_a_file_has_one_owner(tmp_path: Path) -> None:
    """The same shape with one row, or none."""
    assert (await looked(tmp_path)).status == 2
    spool = SqliteSpool(tmp_path / "spool.db")
    await spool.open(now=0.0)
    try:
        document = (await looked(tmp_path, "--json")).document
        assert document["shared"] is False
        assert [(one["pid"] > 0, one["state"]) for one in document["nodes"]] == [(True, "alive")]
        said = await looked(tmp_path)
        assert (said.status, "one owner at a time; process" in said.out) == (0, True)
    finally:
        await spool.close()
    ended = await looked(tmp_path)
    assert (ended.status, "nobody is known to work on it" in ended.out) == (1, True)


async def looked(folder: Path, *flags: str) -> Ended:
    return await asyncio.to_thread(run, "nodes", "--spool", "spool.db", *flags, cwd=folder)


def test_what_cannot_be_looked_at_is_named(tmp_path: Path, dsn: str) -> None:
    memory = run("nodes", "--spool", "memory:", cwd=tmp_path)
    assert (memory.status, "nothing of it can be seen from here" in memory.err) == (2, True)
    empty = run("nodes", "--spool", dsn, cwd=tmp_path)
    assert (empty.status, "there is no such spool" in empty.err) == (2, True)
