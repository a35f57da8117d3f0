"""A large file goes over into a database without loss, although the copy is killed on its way."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from pathlib import Path

import asyncpg
import msgspec
import pytest

from dispatcher.model.records import Receipt
from dispatcher.model.state import State
from dispatcher.spool import Filter, SpoolView, SqliteSpool
from dispatcher.spool.postgres import PostgresView
from tests import postgres
from tests.acceptance.command import COMMAND, environment, run
from tests.acceptance.test_postgres import until
from tests.conformance.world import job, jobs, path

ROWS = 100_000
BLOCK = 2000
VERSIONS = 50
ACCOUNTS = ("acme", "beta", "gamma")


async def fill(file: Path) -> None:
    """Rows of three accounts in every state, and a key with many versions."""
    spool = SqliteSpool(file)
    await spool.open(now=0.0)
    for number in range(ROWS // BLOCK):
        keys = (f"k{key}" for key in range(number * BLOCK, (number + 1) * BLOCK))
        rows = await spool.accept(ACCOUNTS[number % 3], jobs(keys), now=100.0 + number)
        await spool.apply(path([row.seq for row in rows], list(State)[number % 8]), now=200.0 + number)
    await spool.accept("acme", [job("k1", f"version {number}") for number in range(VERSIONS)], now=1e6)
    await spool.close()


def copied(dsn: str) -> int:
    """How many rows are there so far."""
    try:
        return int(postgres.aside(postgres.fetch(dsn, "SELECT count(*) FROM dispatcher.jobs"))[0][0])
    except asyncpg.UndefinedTableError:
        return 0


def expected(receipt: Receipt) -> Receipt:
    """A row of the file as it is to stand in the database: what was being sent is unknown there."""
    state = State.UNKNOWN if receipt.state is State.SENDING else receipt.state
    return msgspec.structs.replace(receipt, seq=0, state=state)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_hundred_thousand_jobs_in_all_states_are_copied_although_the_copy_was_killed(
    tmp_path: Path, dsn: str
) -> None:
    """Killed, run again, and run once more: every row is there once, with all that is known of it."""
    file = tmp_path / "spool.db"
    asyncio.run(fill(file))
    command = ("spool", "copy", "--spool", str(file), "--to", dsn, "--json")
    with subprocess.Popen([*COMMAND, *command], cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL) as first:
        until(lambda: copied(dsn) >= ROWS // 5)
        first.send_signal(signal.SIGKILL)
    there = copied(dsn)
    assert 0 < there < ROWS
    rows = ROWS + VERSIONS
    for known in (there, rows):
        document = run(*command, cwd=tmp_path).document
        assert (document["jobs"], document["known"], document["copied"]) == (rows, known, rows - known)
    with SpoolView(file) as old, PostgresView(dsn) as new:
        seen = 0
        for account in ACCOUNTS:
            pairs = zip(old.stream(account, Filter()), new.stream(account, Filter()), strict=True)
            for (before, body), (after, same) in pairs:
                assert (expected(before), body) == (msgspec.structs.replace(after, seq=0), same)
                seen += 1
        assert (seen, new.problems()) == (rows, [])
