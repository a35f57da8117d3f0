"""Looking at a spool's file from outside: beside its owner, by filter, without a trace."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from dispatcher.errors import SpoolError, SpoolUnusable
from dispatcher.model.records import WITHDRAWN, Change, NewJob
from dispatcher.model.state import State
from dispatcher.spool import Filter, SpoolView, SqliteSpool, schema
from dispatcher.spool.view import VIEW_SQL
from tests.conformance.world import PATHS, job


@pytest.fixture
async def spool(tmp_path: Path) -> AsyncIterator[SqliteSpool]:
    """An open spool with one job in each state, changed at 10, 20, … in the order of the states."""
    opened = SqliteSpool(tmp_path / "a.db")
    await opened.open(now=1.0)
    for place, state in enumerate(State, start=1):
        (row,) = await opened.accept("acme", [job(state.value, worker=f"w{place % 2}")], now=1.0)
        for before, after in pairwise((State.ACCEPTED, *PATHS[state])):
            change = Change(seqs=[row.seq], to=after, expect=(before,), error=f"Error {place}")
            await opened.apply([change], now=10.0 * place)
    yield opened
    await opened.close()


@pytest.fixture
def path(spool: SqliteSpool, tmp_path: Path) -> Path:
    return tmp_path / "a.db"


def listed(path: Path, limit: int = 0, **fields: object) -> list[str]:
    with SpoolView(path) as view:
        return [row.key for row in view.listed("acme", Filter(**fields), limit=limit)]  # type: ignore[arg-type]


def test_the_latest_come_first_up_to_the_limit(path: Path) -> None:
    assert listed(path) == [state.value for state in State][::-1]
    assert listed(path, limit=2) == ["dead", "rejected"]


@pytest.mark.parametrize(
    "states", [(state,) for state in State] + [(State.HELD, State.DEAD), (State.SENDING, State.CONFIRMED)]
)
def test_each_state_is_found_whatever_index_leads_to_it(path: Path, states: tuple[State, ...]) -> None:
    assert listed(path, states=states) == [state.value for state in reversed(State) if state in states]


def test_filters_join(path: Path) -> None:
    assert listed(path, since=60.0) == ["dead", "rejected", "confirmed"]
    assert listed(path, worker="w0", since=60.0) == ["dead", "confirmed"]
    assert listed(path, error="ERROR 7") == ["rejected"]
    assert listed(path, day=20261123, states=(State.HELD,)) == ["held"]
    assert listed(path, day=0) == []
    assert listed(path, keys=("dead", "held", "nobody", "dead")) == ["dead", "held"]
    assert listed(path, keys=("dead", "held"), states=(State.HELD,)) == ["held"]


async def test_only_the_newest_version_and_nothing_that_was_withdrawn(spool: SqliteSpool, path: Path) -> None:
    await spool.accept("acme", [job("dead", "newer")], now=90.0)
    (gone,) = await spool.accept("acme", [job("gone")], now=90.0)
    withdraw = Change(seqs=[gone.seq], to=State.DEAD, expect=(State.ACCEPTED,), error=f"{WITHDRAWN}by hand")
    await spool.apply([withdraw], now=91.0)
    assert listed(path, states=(State.DEAD,)) == ["gone", "dead"]
    assert listed(path, states=(State.DEAD,), newest=True) == ["gone"]
    assert listed(path, states=(State.DEAD,), newest=True, withdrawn=False) == []
    with SpoolView(path) as view:
        assert [row.version for row in view.versions("acme", "dead")] == [1, 2]
        assert [row.withdrawn for row in view.versions("acme", "gone")] == [True]
        assert view.versions("acme", "nobody") == []


async def test_a_stream_passes_page_ends_and_carries_the_jobs(tmp_path: Path) -> None:
    many = SqliteSpool(tmp_path / "many.db")
    await many.open(now=1.0)
    await many.accept("acme", [NewJob(f"k{n}", b"%d" % n, b"d" * 16) for n in range(2500)], now=1.0)
    await many.close()
    with SpoolView(tmp_path / "many.db") as view:
        found = [(row.key, body) for row, body in view.stream("acme", Filter())]
        assert found == [(f"k{n}", b"%d" % n) for n in range(2500)]
        assert list(view.stream("other", Filter())) == []


async def test_counts_and_ages_are_read_beside_the_owner(spool: SqliteSpool, path: Path) -> None:
    with SpoolView(path) as view:
        assert view.counts() == {"acme": dict.fromkeys(State, 1)}
        assert view.counts()["acme"] == await spool.counts("acme")
        assert view.oldest_waiting("acme") == 1.0
        assert view.oldest_waiting("nobody") is None
        assert view.prunable(before=75.0) == 2
        assert view.stats().log_bytes > 0
        await spool.accept("acme", [job("more")], now=5.0)
        assert view.counts()["acme"][State.ACCEPTED] == 2
    assert await spool.prune(before=75.0) == 2


def test_a_view_cannot_write(path: Path) -> None:
    with SpoolView(path) as view, pytest.raises(sqlite3.OperationalError, match="readonly"):
        view._connection.execute("DELETE FROM jobs")


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(SpoolUnusable, match="no such spool"):
        SpoolView(tmp_path / "none.db")
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_an_older_schema_is_named_with_the_way_out(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    with pytest.raises(SpoolUnusable, match="dispatcher spool migrate"):
        SpoolView(path)


async def test_damage_is_an_error_of_the_spool(spool: SqliteSpool, path: Path) -> None:
    await spool.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE contents")
    with SpoolView(path) as view, pytest.raises(SpoolError, match=r"a\.db: cannot be read"):
        view.versions("acme", "dead")


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("from_unsettled", "INDEX unsettled (account=? AND state=?)"),
        ("from_failed", "INDEX failed (account=? AND state=? AND rowid>? AND rowid<?)"),
        ("from_all", "INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        ("from_keys", "INDEX contents_by_key (account=? AND key=?)"),
    ],
)
def test_listings_use_the_index_of_their_source(path: Path, name: str, step: str) -> None:
    text = VIEW_SQL["listed"].replace("/*from*/", VIEW_SQL[name]).replace("/*order*/", "DESC")
    names = (
        "account",
        "states",
        "keys",
        "after",
        "before",
        "worker",
        "day",
        "since",
        "error",
        "text",
        "prefix",
        "newest",
        "limit",
    )
    with closing(schema.connect(path)) as connection:
        rows = connection.execute(f"EXPLAIN QUERY PLAN {text}", dict.fromkeys((*names, "state"), 1)).fetchall()
    assert any(step in str(row[3]) for row in rows), rows
