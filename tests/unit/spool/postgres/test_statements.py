"""Every statement finds its rows by an index when there are many, so that settled rows weigh nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest

from dispatcher.spool.postgres import schema
from dispatcher.spool.postgres.statements import SQL
from tests import postgres

ROWS = 50_000
OPEN = 500
FILL = f"""
INSERT INTO dispatcher.accounts (name) VALUES ('acme'), ('beta');
INSERT INTO dispatcher.contents
SELECT n, 1 + n % 2, 1, 0, 0, 5, 1e9 + n, NULL, md5(n::text), '\\x00', '\\x7b7d' FROM generate_series(1, {ROWS}) AS n;
INSERT INTO dispatcher.nodes (name, host, pid, knows_version, deadline, ended_at) VALUES
    ('one', 'here', 1, 1, clock_timestamp(), NULL), ('two', 'here', 2, 1, clock_timestamp(), clock_timestamp());
INSERT INTO dispatcher.jobs (seq, account, version, state, updated_at, next_at, owner)
SELECT n, 1 + n % 2, 1, CASE WHEN n % 100 = 7 THEN 6 WHEN n > {ROWS - OPEN} THEN n % 5 ELSE 5 END, 1e9 + n,
    CASE WHEN n > {ROWS - OPEN} AND n % 3 = 0 THEN 1e9 + n ELSE 0 END,
    CASE WHEN n > {ROWS - OPEN // 2} THEN 1 ELSE 0 END
FROM generate_series(1, {ROWS}) AS n;
INSERT INTO dispatcher.outbox (account, switches, job)
SELECT CASE WHEN n % 1000 = 0 THEN 'acme' ELSE 'beta' END, 0, '{{}}' FROM generate_series(1, 20000) AS n;
ANALYZE;
"""
SEQS = [ROWS - 3, ROWS - 2, ROWS - 1]
VALUES: dict[str, tuple[Any, ...]] = {
    "abandoned": (1.0,),
    "newest": (1, ["a", "b"]),
    "present": ([1, 1], ["a", "b"], [1, 1]),
    "move": (
        *(1, 1.0, 0.0, 0, 0, 0, None, None, None, None, [0], SEQS, [0, 0, 0], 1, False),
        *([None] * 3, [None] * 3, [None] * 3),
    ),
    "move_held": (
        *([1], [1.0], [0.0], [0], [0], [0], [None], [None], [None], [None], [0], [False], 1),
        *(SEQS, [1, 1, 1], [], ["a", "b", "c"], []),
    ),
    "still_held": (1, SEQS),
    "claim": (1, 1, [0, 1], 2e9, 200),
    "release": (1, SEQS),
    "release_others": (1, SEQS),
    "next_due": (1, [0, 1, 3, 4], 1e9),
    "spooled": (1, SEQS),
    "open_seqs": (1, [0, 1], 0, 100),
    "all_seqs": (1, [5], ROWS - 1000, 100),
    "seq_of": (1, "a", None),
    "receipts": (1, SEQS),
    "bodies": (1, SEQS),
    "through": (1, SEQS),
    "row_window": (ROWS - 1000, 100),
    "prune": (2e9, ROWS - 1000, 100, 1, ROWS - 500),
    "drop_contents": (SEQS,),
    "pulse": (["acme", "beta", "nobody"], [0, 1, 3, 4]),
    "outbox_waits": ("acme",),
    "outbox_page": ("acme", 100),
    "outbox_done": (SEQS,),
}
"""Values for each statement that touches a large table."""
LARGE = {"contents", "jobs", "outbox"}


@pytest.fixture(scope="module")
def filled() -> Iterator[str]:
    """A database with many settled rows and a few that are not."""
    if postgres.MISSING:
        pytest.skip(postgres.MISSING)
    dsn = postgres.borrow()

    async def fill() -> None:
        connection = await asyncpg.connect(dsn)
        await schema.migrate(connection)
        await connection.execute(FILL)
        await connection.close()

    asyncio.run(fill())
    yield dsn
    postgres.give_back()


@pytest.fixture
async def connection(filled: str) -> AsyncIterator[Any]:
    made = await asyncpg.connect(filled)
    yield made
    await made.close()


async def plan(connection: Any, name: str) -> list[dict[str, Any]]:
    """The nodes of a statement's plan."""
    text = await connection.fetchval(f"EXPLAIN (FORMAT JSON) {SQL[name]}", *VALUES[name])
    found: list[dict[str, Any]] = []

    def walk(one: dict[str, Any]) -> None:
        found.append(one)
        for child in one.get("Plans", ()):
            walk(child)

    walk(json.loads(text)[0]["Plan"])
    return found


def test_every_statement_over_a_large_table_is_looked_at() -> None:
    """A statement that is added must be added here, too."""
    touching = {
        name
        for name, sql in SQL.items()
        if not name.startswith(("schema_", "check_", "view_")) and any(f"dispatcher.{table}" in sql for table in LARGE)
    }
    assert touching == set(VALUES)


@pytest.mark.parametrize("name", VALUES)
async def test_no_statement_goes_over_a_whole_table(connection: Any, name: str) -> None:
    scans = [one for one in await plan(connection, name) if one["Node Type"] == "Seq Scan"]
    assert [one["Relation Name"] for one in scans if one["Relation Name"] in LARGE] == []


@pytest.mark.parametrize(
    ("name", "index", "condition"),
    [
        ("claim", "queues", "(queue = s.state) AND (next_at = '0'::double precision))"),
        ("claim", "queues", "(next_at > '0'::double precision) AND (next_at <= '2000000000'::double precision)"),
        ("next_due", "queues", "(queue = s.state) AND (next_at > '1000000000'::double precision)"),
        ("open_seqs", "queues", "(next_at = '0'::double precision) AND (seq > '0'::bigint)"),
        ("newest", "contents_by_key", "((account = 1) AND (key = k.key))"),
        ("seq_of", "contents_by_key", "((account = 1) AND (key = 'a'::text))"),
        ("move", "jobs_pkey", "(seq = "),
        ("move_held", "jobs_pkey", "(seq = v.seq)"),
        ("release", "jobs_pkey", "(seq = ANY"),
        ("release_others", "in_hand", "(owner = "),
        ("spooled", "jobs_pkey", "(seq = ANY"),
        ("through", "jobs_pkey", "(seq = ANY"),
        ("all_seqs", "jobs_pkey", f"(seq > '{ROWS - 1000}'::bigint)"),
        ("abandoned", "in_hand", "(owner = "),
        ("pulse", "queues", "((account = a.id) AND (queue = s.state))"),
        ("pulse", "outbox_by_account", "(account = n.name)"),
        ("outbox_page", "outbox_by_account", "(account = 'acme'::text)"),
    ],
)
async def test_the_hot_statements_use_the_index_made_for_them(
    connection: Any, name: str, index: str, condition: str
) -> None:
    used = [one for one in await plan(connection, name) if one.get("Index Name") == index]
    conditions = [one.get("Index Cond", "") for one in used]
    assert any(condition in one for one in conditions), conditions


async def test_what_is_planned_while_the_tables_are_nearly_empty_is_good_when_they_are_full(connection: Any) -> None:
    """Behind the fence no size of a table leads to a plan that goes over all of it."""
    number = await connection.fetchval("SELECT id FROM dispatcher.nodes WHERE name = 'one'")
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("TRUNCATE dispatcher.jobs")
    await connection.fetchval(SQL["fence"], number, 1, 5.0)
    used = [one for one in await plan(connection, "move_held") if one.get("Index Name")]
    await transaction.rollback()
    assert [one["Index Name"] for one in used] == ["jobs_pkey"]
    assert "seq = v.seq" in used[0]["Index Cond"]


async def test_what_a_claim_reads_does_not_grow_with_what_is_settled(connection: Any) -> None:
    """Counted in pages: as many as the rows that it takes need, among a hundred times as many."""
    explain = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {SQL['claim']}"
    text = await connection.fetchval(explain, 1, 1, [0], 2e9, 20)
    top = json.loads(text)[0]["Plan"]
    assert top["Shared Hit Blocks"] + top["Shared Read Blocks"] < 400
