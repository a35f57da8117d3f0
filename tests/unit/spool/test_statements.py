"""Every statement finds its rows by an index, so that settled rows weigh nothing."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dispatcher.spool import schema
from dispatcher.spool.encoding import STATES
from dispatcher.spool.statements import SQL, for_rows

WHOLE_TABLE = {
    "all_accounts": "a handful of rows",
    "tally": "counters are rebuilt at open",
    "recover": "once at open, and only after a crash",
    "last_seq": "the end of the table is one step",
    "any_blocked": "EXISTS over an index that holds blocked rows alone",
    "oldest_unsettled": "asked by people; the index holds unsettled rows alone",
}
"""Statements that may go over a whole table or index, and why."""
TABLES = {"accounts", "contents", "jobs", "c", "j", "n", "o", "s", "mine", "older", "newer"}


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    schema.create(tmp_path / "a.db")
    with closing(schema.connect(tmp_path / "a.db")) as connection:
        yield connection


def plan(connection: sqlite3.Connection, name: str) -> list[str]:
    sql = for_rows(name, 2) if "/*rows*/" in SQL[name] else SQL[name]
    highest = max((int(number) for number in re.findall(r"\?(\d+)", sql)), default=0)
    plain = len(re.findall(r"\?(?!\d)", sql))
    rows = connection.execute(f"EXPLAIN QUERY PLAN {sql}", [1] * (highest + plain))
    return [str(row[3]) for row in rows]


@pytest.mark.parametrize("name", [name for name in SQL if not name.startswith("schema_") and name not in WHOLE_TABLE])
def test_no_statement_goes_over_a_whole_table(connection: sqlite3.Connection, name: str) -> None:
    scanned = [step for step in plan(connection, name) if step.split()[0] == "SCAN" and step.split()[1] in TABLES]
    assert [step for step in scanned if "VIRTUAL TABLE" not in step] == []


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("claimable", "COVERING INDEX unsettled (account=? AND state=? AND next_at=? AND blocked=? AND rowid>?)"),
        ("claimable", "COVERING INDEX unsettled (account=? AND state=? AND next_at>? AND next_at<?)"),
        ("open_seqs", "COVERING INDEX unsettled (account=? AND state=? AND next_at=? AND blocked=? AND rowid>?)"),
        ("next_due", "COVERING INDEX unsettled (account=? AND state=? AND next_at>?)"),
        ("failed_seqs", "COVERING INDEX failed (account=? AND state=? AND rowid>?)"),
        ("newest", "INDEX contents_by_key (account=? AND key=?)"),
        ("seq_of", "COVERING INDEX contents_by_key (account=? AND key=?)"),
        ("move", "jobs USING INTEGER PRIMARY KEY (rowid=?)"),
        ("move_rows", "jobs USING INTEGER PRIMARY KEY (rowid=?)"),
        ("spooled", "j USING INTEGER PRIMARY KEY (rowid=?)"),
    ],
)
def test_the_hot_statements_use_the_index_made_for_them(connection: sqlite3.Connection, name: str, step: str) -> None:
    assert any(step in line for line in plan(connection, name))


def test_the_numbers_of_the_states_never_change() -> None:
    """They stand in files."""
    names = ["accepted", "assigned", "sending", "unknown", "held", "confirmed", "rejected", "dead"]
    assert [state.value for state in STATES] == names


def test_a_list_of_rows_repeats_the_row_and_nothing_else() -> None:
    one, three = for_rows("add_contents", 1), for_rows("add_contents", 3)
    row = one[one.index("(?1") : -1]
    assert three == one.replace(row, ",".join([row] * 3))
    assert three.count("?") == 3 * 11
