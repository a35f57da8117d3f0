"""A file goes into a database without loss, and both ways to look at them say the same."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from dispatcher.errors import SpoolError, SpoolUnusable
from dispatcher.model.records import Change, Receipt
from dispatcher.model.state import State
from dispatcher.spool import Filter, SpoolView, SqliteSpool
from dispatcher.spool.postgres import PostgresSpool, PostgresView
from dispatcher.spool.postgres.copying import Copied, copy_file
from tests import postgres
from tests.conformance.world import job, jobs, path

ACCOUNTS = ("acme", "beta")


@pytest.fixture
async def file(tmp_path: Path) -> Path:
    """A file with rows in every state, several versions, two accounts and everything that a row can carry."""
    spool = SqliteSpool(tmp_path / "a.db")
    await spool.open(now=0.0)
    for state in State:
        seqs = [row.seq for row in await spool.accept("acme", jobs([f"{state}1", f"{state}2"]), now=100.25)]
        await spool.apply(path(seqs, state), now=110.5)
    await spool.accept("beta", [job("a", "1"), job("a", "2"), job("a", "3", worker="ann", switches=5)], now=120.0)
    first, second = [row.seq for row in await spool.accept("acme", [job("x"), job("y\u2713")], now=130.0)]
    decide = Change(
        seqs=[first], to=State.ASSIGNED, expect=(State.ACCEPTED,), workers=["bob"], notes=['{"n":1}'], autoassign=True
    )
    begin = Change(
        seqs=[first], to=State.SENDING, expect=(State.ASSIGNED,), add_attempts=2, sent_at=131.125, settle_by=150.5
    )
    lost = Change(
        seqs=[first], to=State.UNKNOWN, expect=(State.SENDING,), next_at=140.75, error="time-out \0", add_refusals=1
    )
    hold = Change(seqs=[second], to=State.HELD, expect=(State.ACCEPTED,), next_at=float("inf"), remote_ids=["77"])
    await spool.apply([decide, begin, lost, hold], now=132.5)
    await spool.close()
    return tmp_path / "a.db"


async def copied(file: Path, dsn: str) -> Copied:
    spool = PostgresSpool(dsn)
    await spool.open(now=500.0)
    try:
        return await copy_file(file, spool)
    finally:
        await spool.close()


def rows(view: SpoolView | PostgresView) -> list[tuple[Receipt, bytes]]:
    """All there is, without the numbers of the rows."""
    return [
        (msgspec.structs.replace(receipt, seq=0), body)
        for account in ACCOUNTS
        for receipt, body in view.stream(account, Filter())
    ]


def as_copied(receipt: Receipt) -> Receipt:
    """What becomes of a row on its way: what was being sent is unknown there, and text has no character 0."""
    if receipt.state is State.SENDING:
        receipt = msgspec.structs.replace(receipt, state=State.UNKNOWN)
    return msgspec.structs.replace(receipt, error=receipt.error.replace("\0", "\ufffd"))


def look(file: Path, dsn: str) -> None:
    """Compare the two, each question by itself."""
    with SpoolView(file) as there, PostgresView(dsn) as here:
        assert rows(here) == [(as_copied(receipt), body) for receipt, body in rows(there)]
        moved = {State.SENDING: 0, State.UNKNOWN: there.counts()["acme"][State.UNKNOWN] + 2}
        assert here.counts() == there.counts() | {"acme": there.counts()["acme"] | moved}
        assert here.oldest_waiting("acme") == there.oldest_waiting("acme") == 100.25
        assert here.oldest_waiting("nobody") is None
        assert here.prunable(before=111.0) == there.prunable(before=111.0) == 6
        assert here.problems() == there.problems() == []
        assert [row.version for row in here.versions("beta", "a")] == [1, 2, 3]
        assert set(here.accounts()) == set(there.accounts()) == set(ACCOUNTS)
        assert here.last_seq() == there.last_seq()
        for chosen in (
            Filter(states=(State.HELD, State.DEAD)),
            Filter(states=(State.CONFIRMED,)),
            Filter(keys=("x", "held1", "nothing")),
            Filter(worker="bob"),
            Filter(day=20261123, newest=True),
            Filter(day=1),
            Filter(since=132.5),
            Filter(error="TIME"),
            Filter(text="EL"),
            Filter(withdrawn=False),
        ):
            found = [row.key for row in here.listed("acme", chosen, limit=5, before=here.last_seq())]
            assert found == [row.key for row in there.listed("acme", chosen, limit=5, before=there.last_seq())], chosen


async def test_every_row_is_there_with_all_that_is_known_of_it(file: Path, dsn: str) -> None:
    done = await copied(file, dsn)
    assert (done.rows, done.new, done.known) == (21, 21, 0)
    await asyncio.to_thread(look, file, dsn)


async def test_a_second_copy_writes_nothing_and_an_interrupted_one_goes_on(
    file: Path, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatcher.spool.postgres.copying.ROWS_PER_PAGE", 4)
    spool = PostgresSpool(dsn)
    await spool.open(now=0.0)
    pages = 0

    def stop(done: Copied) -> None:
        nonlocal pages
        pages += 1
        if pages == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await copy_file(file, spool, tell=stop)
    await spool.close()
    done = await copied(file, dsn)
    assert (done.rows, done.new, done.known) == (21, 13, 8)
    assert (await copied(file, dsn)).new == 0
    await asyncio.to_thread(look, file, dsn)


async def test_a_file_in_use_is_not_copied(file: Path, dsn: str) -> None:
    owner = SqliteSpool(file)
    await owner.open(now=0.0)
    with pytest.raises(SpoolUnusable, match="in use by process"):
        await copied(file, dsn)
    await owner.close()
    with pytest.raises(SpoolUnusable, match="no such spool"):
        await copied(file.with_name("none.db"), dsn)


async def test_other_content_under_the_same_key_and_version_stops_the_copy(file: Path, dsn: str) -> None:
    spool = PostgresSpool(dsn)
    await spool.open(now=0.0)
    await spool.accept("beta", [job("a", "something else")], now=1.0)
    with pytest.raises(SpoolError, match="account beta, a: the database has a version 1 with other content"):
        await copy_file(file, spool)
    assert (await spool.counts("acme"))[State.CONFIRMED] == 0
    await spool.close()


async def test_the_copied_jobs_go_on_in_the_database(file: Path, dsn: str) -> None:
    """Versions wait for older ones, and a known job is known."""
    await copied(file, dsn)
    spool = PostgresSpool(dsn)
    await spool.open(now=200.0)
    assert [(one.key, one.version) for one in await spool.claim("beta", limit=9, now=200.0)] == [("a", 1)]
    (again,) = await spool.accept("acme", [job("confirmed1")], now=201.0)
    assert (again.fresh, again.state) == (False, State.CONFIRMED)
    unknown = await spool.claim("acme", limit=9, now=200.0, states=(State.UNKNOWN,))
    assert [one.key for one in unknown] == ["sending1", "sending2", "unknown1", "unknown2", "x"]
    await spool.close()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (
            "UPDATE dispatcher.contents SET body = '{}' WHERE key = 'x'",
            "1 rows hold a job that is not that of their key",
        ),
        ("DELETE FROM dispatcher.contents WHERE key = 'x'", "1 rows have no content"),
        ("UPDATE dispatcher.jobs SET state = 3 WHERE version > 1", "1 rows are under way although an older version"),
        ("UPDATE dispatcher.jobs SET state = 2 WHERE state = 5", "2 rows are being sent by nobody"),
        ("UPDATE dispatcher.tallies SET rows = rows + 1 WHERE state = 7", "dead: 2 rows there, the counter says 3"),
    ],
)
async def test_what_is_wrong_is_named(file: Path, dsn: str, damage: str, words: str) -> None:
    await copied(file, dsn)
    await postgres.execute(dsn, damage)

    def problems() -> list[str]:
        with PostgresView(dsn) as view:
            return view.problems()

    found = await asyncio.to_thread(problems)
    assert any(words in line for line in found), found


def test_a_database_without_a_spool_is_named(dsn: str) -> None:
    with pytest.raises(SpoolUnusable, match=r"spool_\w+: there is no such spool"):
        PostgresView(dsn)
