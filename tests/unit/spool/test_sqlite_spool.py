"""What only the SQLite spool has: threads, groups, a file to look after."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from dispatcher.errors import SpoolError, SpoolUnusable
from dispatcher.model.records import Change, NewJob, SpooledJob
from dispatcher.model.state import State
from dispatcher.spool import SqliteSpool, reading


def some(*keys: str, content: bytes = b"a") -> list[NewJob]:
    return [NewJob(key, b'{"name":"' + content + b'"}', content.ljust(16)) for key in keys]


@pytest.fixture
async def spool(tmp_path: Path) -> AsyncIterator[SqliteSpool]:
    made = SqliteSpool(tmp_path / "a.db")
    await made.open(now=0.0)
    yield made
    await made.close()


def seen_by(spool: SqliteSpool) -> list[str]:
    """Collects every statement that the writer runs from now on."""
    statements: list[str] = []
    assert spool._opened is not None
    spool._opened.writer.set_trace_callback(statements.append)
    return statements


async def test_those_who_wait_at_the_same_time_share_commits(spool: SqliteSpool) -> None:
    """The first goes alone, all others come in while it is written."""
    statements = seen_by(spool)
    await asyncio.gather(*(spool.accept("acme", some(f"k{n}"), now=1.0) for n in range(200)))
    assert 1 <= statements.count("COMMIT") <= 10
    assert (await spool.counts("acme"))[State.ACCEPTED] == 200


async def test_a_thousand_jobs_are_stored_by_a_handful_of_statements(spool: SqliteSpool) -> None:
    """Each step of a statement gives the interpreter lock away; with a busy loop it is a long way back to it."""
    await spool.accept("acme", some("first"), now=1.0)
    statements = seen_by(spool)
    await spool.accept("acme", some(*(f"k{n}" for n in range(1000))), now=1.0)
    assert len(statements) <= 6
    taken = await spool.claim("acme", limit=200, now=1.0)
    statements.clear()
    seqs = [job.seq for job in taken]
    await spool.apply([Change(seqs=seqs, to=State.ASSIGNED, expect=(State.ACCEPTED,), workers=["a"] * 200)], now=1.0)
    assert len(statements) == 3


async def test_a_row_that_moves_while_a_claim_reads_is_not_handed_out(
    spool: SqliteSpool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seqs = [answer.seq for answer in await spool.accept("acme", some("a", "b", "c"), now=1.0)]
    has_read, may_go_on = threading.Event(), threading.Event()
    spooled = reading.spooled

    def slow(connection: sqlite3.Connection, account: int, wanted: Sequence[int]) -> list[SpooledJob]:
        jobs = spooled(connection, account, wanted)
        has_read.set()
        may_go_on.wait(10)
        return jobs

    monkeypatch.setattr(reading, "spooled", slow)
    claim = asyncio.create_task(spool.claim("acme", limit=2, now=1.0))
    await asyncio.to_thread(has_read.wait, 10)
    await spool.apply([Change(seqs=[seqs[0]], to=State.DEAD, expect=(State.ACCEPTED,))], now=2.0)
    await spool.apply([Change(seqs=[seqs[1]], to=State.ASSIGNED, expect=(State.ACCEPTED,))], now=2.0)
    may_go_on.set()
    assert await claim == []
    monkeypatch.undo()
    assert [(job.key, job.state) for job in await spool.claim("acme", limit=9, now=3.0)] == [
        ("b", State.ASSIGNED),
        ("c", State.ACCEPTED),
    ]


async def test_reads_do_not_wait_for_the_writer(spool: SqliteSpool, tmp_path: Path) -> None:
    """Even while somebody keeps the writer out of the file."""
    await spool.accept("acme", some("a"), now=1.0)
    with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        write = asyncio.create_task(spool.accept("acme", some("b"), now=1.0))
        await asyncio.sleep(0.05)
        assert len(await spool.claim("acme", limit=9, now=1.0)) == 1
        assert await spool.receipt("acme", "b") is None
        assert not write.done()
        other.execute("ROLLBACK")
    assert (await write)[0].fresh


async def test_a_write_error_is_told_to_each_caller_and_the_next_call_works(spool: SqliteSpool) -> None:
    """A job that is no job cannot be stored; it takes nobody with it."""
    bad = NewJob("bad", "not bytes", b"d" * 16)  # type: ignore[arg-type]
    answers = await asyncio.gather(
        spool.accept("acme", some("a"), now=1.0),
        spool.accept("acme", [*some("b"), bad], now=1.0),
        spool.accept("acme", some("c"), now=1.0),
        return_exceptions=True,
    )
    assert isinstance(answers[1], SpoolError)
    assert isinstance(answers[1].__cause__, sqlite3.Error)
    assert [receipt.key for receipt in await spool.receipts("acme")] == ["a", "c"]
    assert (await spool.counts("acme"))[State.ACCEPTED] == 2
    assert (await spool.accept("acme", some("b"), now=1.0))[0].fresh


async def test_a_new_account_of_a_call_that_failed_is_forgotten_with_it(spool: SqliteSpool) -> None:
    bad = NewJob("bad", "not bytes", b"d" * 16)  # type: ignore[arg-type]
    with pytest.raises(SpoolError):
        await spool.accept("new", [bad], now=1.0)
    assert (await spool.accept("new", some("a"), now=1.0))[0].fresh
    assert len(await spool.claim("new", limit=9, now=1.0)) == 1


async def test_settled_versions_leave_nothing_blocked(spool: SqliteSpool) -> None:
    """The mark goes with the row that carries it, so that the ordinary case stays free of look-ups."""
    await spool.accept("acme", [job for n in range(4) for job in some("a", content=b"v%d" % n)], now=1.0)
    seqs = [receipt.seq for receipt in await spool.receipts("acme")]
    await spool.apply([Change(seqs=seqs[1:], to=State.DEAD, expect=(State.ACCEPTED,))], now=2.0)
    statements = seen_by(spool)
    await spool.apply([Change(seqs=seqs[:1], to=State.DEAD, expect=(State.ACCEPTED,))], now=2.0)
    assert len(statements) == 3


async def test_times_keep_their_microseconds(spool: SqliteSpool) -> None:
    (answer,) = await spool.accept("acme", some("a"), now=1_700_000_000.123457)
    wait = Change(seqs=[answer.seq], to=State.HELD, expect=(State.ACCEPTED,), next_at=1_700_000_060.654321)
    await spool.apply([wait], now=1_700_000_001.000001)
    receipt = await spool.receipt("acme", "a")
    assert receipt is not None
    assert (receipt.accepted_at, receipt.next_at) == (1_700_000_000.123457, 1_700_000_060.654321)
    assert await spool.claim("acme", limit=1, now=1_700_000_060.65432, states=(State.HELD,)) == []
    assert len(await spool.claim("acme", limit=1, now=1_700_000_060.654321, states=(State.HELD,))) == 1


async def test_nothing_is_left_behind_by_spools_opened_closed_and_cancelled(tmp_path: Path) -> None:
    """No thread, no file handle, no lock."""
    threads, handles = threading.active_count(), len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for turn in range(12):
        spool = SqliteSpool(tmp_path / "a.db")
        opening = asyncio.create_task(spool.open(now=1.0))
        for _ in range(turn % 4):
            await asyncio.sleep(0.001 * turn)
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        work = asyncio.gather(
            *(spool.accept("acme", some(f"{turn}"), now=1.0) for _ in range(3)), return_exceptions=True
        )
        await asyncio.sleep(0)
        closing_ = asyncio.create_task(spool.close())
        await asyncio.sleep(0)
        closing_.cancel()
        await asyncio.gather(closing_, work, return_exceptions=True)
        await spool.close()
        async with asyncio.timeout(10):
            while threading.active_count() > threads:  # noqa: ASYNC110 - threads set no event when they end
                await asyncio.sleep(0.005)
    assert len(os.listdir("/proc/self/fd")) == handles  # noqa: PTH208
    again = SqliteSpool(tmp_path / "a.db")
    await again.open(now=2.0)
    await again.close()


async def test_a_spool_that_could_not_be_opened_can_be_opened_later(tmp_path: Path) -> None:
    spool = SqliteSpool(tmp_path / "folder" / "a.db")
    with pytest.raises(SpoolUnusable):
        await spool.open(now=1.0)
    (tmp_path / "folder").mkdir()
    await spool.open(now=1.0)
    with pytest.raises(SpoolError, match="is open already"):
        await spool.open(now=1.0)
    await spool.close()


FORGETTING = """
import asyncio, sys
from dispatcher.model.records import NewJob
from dispatcher.spool import SqliteSpool

async def main():
    spool = SqliteSpool(sys.argv[1])
    await spool.open(now=1.0)
    await spool.accept("acme", [NewJob("a", b"{}", b"d" * 16)], now=1.0)
    asyncio.create_task(spool.accept("acme", [NewJob("b", b"{}", b"d" * 16)], now=1.0))
    await asyncio.sleep(0)

asyncio.run(main())
"""


async def test_a_program_that_forgets_to_close_ends_all_the_same(tmp_path: Path) -> None:
    """And what was acknowledged to it is safe."""
    file = tmp_path / "a.db"
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", FORGETTING, str(file)], capture_output=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    spool = SqliteSpool(file)
    await spool.open(now=2.0)
    assert await spool.receipt("acme", "a") is not None
    await spool.close()


async def test_its_repr_is_a_state_report(spool: SqliteSpool, tmp_path: Path) -> None:
    await spool.accept("acme", some("a", "b"), now=1.0)
    await spool.claim("acme", limit=1, now=1.0)
    assert repr(spool) == f"<SqliteSpool {tmp_path / 'a.db'} 2 rows, 1 claimed>"
    await spool.close()
    assert repr(spool) == f"<SqliteSpool {tmp_path / 'a.db'} closed>"


# -- care -------------------------------------------------------------------------------------------------------------


async def settle(spool: SqliteSpool, keys: Sequence[str], *, now: float) -> list[int]:
    seqs = [answer.seq for answer in await spool.accept("acme", some(*keys), now=now)]
    await spool.apply([Change(seqs=seqs, to=State.DEAD, expect=(State.ACCEPTED,))], now=now)
    return seqs


async def test_prune_takes_old_settled_rows_and_nothing_else(spool: SqliteSpool) -> None:
    await settle(spool, ["old1", "old2"], now=10.0)
    await spool.accept("acme", some("waits"), now=10.0)
    await settle(spool, ["new"], now=20.0)
    await settle(spool, ["last"], now=10.0)
    assert await spool.prune(before=15.0) == 2
    assert await spool.prune(before=15.0) == 0
    assert [receipt.key for receipt in await spool.receipts("acme")] == ["waits", "new", "last"]
    counts = await spool.counts("acme")
    assert (counts[State.DEAD], counts[State.ACCEPTED]) == (2, 1)
    assert await spool.bodies("acme", [1, 2, 3]) == {3: some("waits")[0].body}


async def test_prune_goes_on_where_the_last_call_ended(spool: SqliteSpool) -> None:
    await settle(spool, [f"k{n}" for n in range(25)], now=1.0)
    assert [await spool.prune(before=5.0, limit=10) for _ in range(4)] == [10, 10, 4, 0]


async def test_numbers_are_not_used_again_after_a_prune(spool: SqliteSpool) -> None:
    (seq,) = await settle(spool, ["a"], now=1.0)
    await spool.prune(before=5.0)
    await spool.close()
    await spool.open(now=6.0)
    assert (await spool.accept("acme", some("b"), now=6.0))[0].seq > seq


async def test_a_version_stays_while_an_older_one_does(spool: SqliteSpool) -> None:
    """Otherwise the older one would count as the newest again."""
    answers = await spool.accept("acme", some("a", content=b"1") + some("a", content=b"2"), now=1.0)
    await settle(spool, ["end"], now=1.0)
    await spool.apply([Change(seqs=[answers[1].seq], to=State.DEAD, expect=(State.ACCEPTED,))], now=1.0)
    assert await spool.prune(before=5.0) == 0
    await spool.apply([Change(seqs=[answers[0].seq], to=State.DEAD, expect=(State.ACCEPTED,))], now=1.0)
    assert await spool.prune(before=5.0) == 2


async def test_vacuum_gives_back_what_prune_made_free(spool: SqliteSpool) -> None:
    jobs = [NewJob(f"k{n}", b"x" * 1000, b"d" * 16) for n in range(2000)]
    seqs = [answer.seq for answer in await spool.accept("acme", jobs, now=1.0)]
    before = await spool.stats()
    assert before.oldest_unsettled_at == 1.0
    assert before.log_bytes > 0
    assert before.disk_free_bytes > 0
    await spool.apply([Change(seqs=seqs, to=State.DEAD, expect=(State.ACCEPTED,))], now=2.0)
    assert await spool.prune(before=5.0, limit=5000) == 1999
    assert (await spool.stats()).unused_bytes > 1_000_000
    await spool.vacuum()
    after = await spool.stats()
    assert (after.unused_bytes, after.log_bytes, after.oldest_unsettled_at) == (0, 0, None)
    assert after.file_bytes < 200_000
    assert (await spool.accept("acme", some("more"), now=6.0))[0].fresh
    assert await spool.check() == []
