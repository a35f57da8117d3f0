"""The tables are brought to a newer version while older programs go on working."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import asyncpg
import pytest

from dispatcher.errors import SpoolUnusable
from dispatcher.model.state import State
from dispatcher.spool.postgres import PostgresSpool, schema
from dispatcher.spool.postgres.statements import SQL
from tests import postgres
from tests.conformance.world import jobs, path
from tests.unit.spool.postgres.conftest import Opened

STEP = schema.Step("colour", works_with=1)
SCRIPT = "ALTER TABLE dispatcher.jobs ADD COLUMN colour text NOT NULL DEFAULT 'red';"


@pytest.fixture
def newer(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A program with one more step than the one that made the tables."""
    monkeypatch.setitem(SQL, "colour", SCRIPT)
    monkeypatch.setattr(schema, "STEPS", (*schema.STEPS, STEP))
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    return monkeypatch


async def migrate(dsn: str, *, dry_run: bool = False) -> schema.Plan:
    connection = await asyncpg.connect(dsn)
    try:
        return await schema.migrate(connection, dry_run=dry_run)
    finally:
        await connection.close()


async def versions(dsn: str) -> list[int]:
    return [row[0] for row in await postgres.fetch(dsn, "SELECT version FROM dispatcher.schema_versions ORDER BY 1")]


async def test_an_empty_database_is_made_ready_by_whoever_comes_first(dsn: str) -> None:
    """Also by several at the same time."""
    spools = [PostgresSpool(dsn) for _ in range(4)]
    await asyncio.gather(*(spool.open(now=0.0) for spool in spools))
    await asyncio.gather(*(spool.close() for spool in spools))
    assert await versions(dsn) == [*range(1, schema.VERSION + 1)]
    done = await migrate(dsn)
    assert (done.before, done.after, done.steps, done.sql) == (schema.VERSION, schema.VERSION, [], "")


async def test_a_step_is_taken_while_an_older_node_works_and_it_goes_on(
    dsn: str, node: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole life of a job on tables that are newer than the program, and a restart of it."""
    old = await node("old")
    seqs = [answer.seq for answer in await old.accept("acme", jobs("abc"), now=1.0)]
    with monkeypatch.context() as patch:
        patch.setitem(SQL, "colour", SCRIPT)
        patch.setattr(schema, "STEPS", (*schema.STEPS, STEP))
        patch.setattr(schema, "VERSION", schema.VERSION + 1)
        done = await migrate(dsn)
    assert (done.before, done.after, done.steps) == (schema.VERSION, schema.VERSION + 1, ["colour"])
    assert [one.seq for one in await old.claim("acme", limit=9, now=2.0)] == seqs
    assert await old.apply(path(seqs, State.CONFIRMED), now=3.0) == []
    assert (await old.accept("acme", jobs("d"), now=4.0))[0].fresh
    await old.close()
    again = await node("old")
    assert (await again.counts("acme"))[State.CONFIRMED] == 3
    assert await postgres.fetch(dsn, "SELECT DISTINCT colour FROM dispatcher.jobs") == [("red",)]


async def test_a_rehearsal_says_what_it_would_do_and_leaves_everything_as_it_was(
    dsn: str, newer: pytest.MonkeyPatch
) -> None:
    done = await migrate(dsn, dry_run=True)
    assert (done.before, done.after, done.steps) == (0, schema.VERSION, [step.name for step in schema.STEPS])
    assert "CREATE TABLE dispatcher.jobs" in done.sql
    assert SCRIPT in done.sql
    assert await postgres.fetch(dsn, "SELECT to_regnamespace('dispatcher') IS NULL") == [(True,)]
    newer.setitem(SQL, "colour", "ALTER TABLE dispatcher.nowhere ADD COLUMN colour text;")
    with pytest.raises(asyncpg.UndefinedTableError, match="nowhere"):
        await migrate(dsn, dry_run=True)


async def test_a_step_that_fails_is_undone_whole_and_those_before_it_stand(dsn: str, newer: pytest.MonkeyPatch) -> None:
    newer.setitem(SQL, "colour", f"CREATE TABLE dispatcher.shades (name text); {SCRIPT.replace('jobs', 'nowhere')}")
    with pytest.raises(SpoolUnusable, match="nowhere"):
        await PostgresSpool(dsn).open(now=0.0)
    assert await versions(dsn) == [*range(1, schema.VERSION)]
    assert await postgres.fetch(dsn, "SELECT to_regclass('dispatcher.shades') IS NULL") == [(True,)]


async def test_a_program_that_is_too_old_for_the_tables_leaves_them_alone(dsn: str, newer: pytest.MonkeyPatch) -> None:
    newer.setattr(schema, "STEPS", (*schema.STEPS[:-1], replace(STEP, works_with=schema.VERSION)))
    newest = schema.VERSION
    await migrate(dsn)
    newer.undo()
    with pytest.raises(SpoolUnusable, match=f"have version {newest} and need a program that knows version {newest}"):
        await PostgresSpool(dsn).open(now=0.0)


async def test_a_schema_of_somebody_else_is_left_alone(dsn: str) -> None:
    await postgres.execute(dsn, "CREATE SCHEMA dispatcher", "CREATE TABLE dispatcher.diary (day date)")
    with pytest.raises(SpoolUnusable, match="a schema named dispatcher that is not ours"):
        await PostgresSpool(dsn).open(now=0.0)
