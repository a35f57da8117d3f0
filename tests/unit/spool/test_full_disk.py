"""No room: nothing of the call is stored, nothing that was stored is lost, and later calls work again."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatcher.errors import SpoolError, SpoolFull
from dispatcher.model.records import Change, NewJob
from dispatcher.model.state import State
from dispatcher.spool import SqliteSpool
from dispatcher.spool.room import LOOK_EVERY_S, Room


def some(name: str, count: int, *, size: int = 300) -> list[NewJob]:
    return [NewJob(f"{name}{n}", b"x" * size, b"d" * 16) for n in range(count)]


async def fill(spool: SqliteSpool) -> int:
    """Accept until there is no room; how many were accepted."""
    accepted = 0
    for call in range(1000):
        try:
            accepted += len(await spool.accept("acme", some(f"fill{call}-", 20), now=1.0))
        except SpoolFull:
            return accepted
    raise AssertionError("the disk never filled")


async def test_a_full_file_refuses_new_jobs_and_keeps_the_old(tmp_path: Path) -> None:
    """Room made by pruning is room for new jobs."""
    spool = SqliteSpool(tmp_path / "a.db", max_file_bytes=400_000)
    await spool.open(now=0.0)
    accepted = await fill(spool)
    assert accepted > 100
    with pytest.raises(SpoolFull, match="full"):
        await spool.accept("acme", some("more", 200), now=2.0)
    assert (await spool.counts("acme"))[State.ACCEPTED] == accepted
    assert await spool.receipt("acme", "more0") is None
    taken = await spool.claim("acme", limit=accepted, now=3.0)
    assert len(taken) == accepted
    change = Change(seqs=[job.seq for job in taken], to=State.DEAD, expect=(State.ACCEPTED,))
    assert await spool.apply([change], now=3.0) == []
    assert await spool.prune(before=10.0, limit=accepted) == accepted - 1
    assert all(answer.fresh for answer in await spool.accept("acme", some("more", 100), now=11.0))
    await spool.close()


async def test_a_call_that_does_not_fit_spoils_nothing_of_those_beside_it(tmp_path: Path) -> None:
    """They would have shared one commit."""
    spool = SqliteSpool(tmp_path / "a.db", max_file_bytes=400_000)
    await spool.open(now=0.0)
    seqs = [answer.seq for answer in await spool.accept("acme", some("first", 3), now=1.0)]
    move = Change(seqs=seqs, to=State.DEAD, expect=(State.ACCEPTED,))
    small, huge, moved, again = await asyncio.gather(
        spool.accept("acme", some("small", 2), now=1.0),
        spool.accept("other", some("huge", 500, size=2000), now=1.0),
        spool.apply([move], now=1.0),
        spool.accept("acme", some("small", 3), now=1.0),
        return_exceptions=True,
    )
    assert isinstance(huge, SpoolFull)
    assert moved == []
    assert not isinstance(small, BaseException)
    assert not isinstance(again, BaseException)
    assert [answer.fresh for answer in (*small, *again)] == [True, True, False, False, True]
    assert sum((await spool.counts("other")).values()) == 0
    counts = await spool.counts("acme")
    assert (counts[State.ACCEPTED], counts[State.DEAD]) == (3, 3)
    assert len(await spool.receipts("acme")) == 6
    await spool.close()


async def test_a_change_that_finds_no_room_fails_whole_and_can_be_tried_again(tmp_path: Path) -> None:
    spool = SqliteSpool(tmp_path / "a.db", max_file_bytes=400_000)
    await spool.open(now=0.0)
    accepted = await fill(spool)
    taken = await spool.claim("acme", limit=accepted, now=1.0)
    seqs = [job.seq for job in taken]
    wordy = Change(seqs=seqs, to=State.ASSIGNED, expect=(State.ACCEPTED,), notes=["n" * 2000] * len(seqs))
    with pytest.raises(SpoolError, match="full") as error:
        await spool.apply([wordy], now=2.0)
    assert not isinstance(error.value, SpoolFull)
    assert (await spool.counts("acme"))[State.ACCEPTED] == accepted
    assert await spool.claim("acme", limit=1, now=3.0) == []
    assert await spool.apply([Change(seqs=seqs, to=State.DEAD, expect=(State.ACCEPTED,))], now=4.0) == []
    await spool.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real disk of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no right to mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


async def test_a_full_disk_fails_the_commit_and_nothing_else(small_disk: Path) -> None:
    """The commit itself has no room here; when there is room again, the spool goes on without being opened anew."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(300_000))
    spool = SqliteSpool(small_disk / "a.db")
    await spool.open(now=0.0)
    accepted = await fill(spool)
    answers = await asyncio.gather(
        *(spool.accept("acme", some(f"late{n}", 100), now=1.0) for n in range(5)), return_exceptions=True
    )
    assert all(isinstance(answer, SpoolFull) for answer in answers)
    assert (await spool.counts("acme"))[State.ACCEPTED] == accepted
    assert len(await spool.claim("acme", limit=10_000, now=1.0)) == accepted
    ballast.unlink()
    assert (await spool.accept("acme", some("late", 100), now=2.0))[0].fresh
    await spool.close()
    await spool.open(now=3.0)
    assert (await spool.counts("acme"))[State.ACCEPTED] == accepted + 100
    assert await spool.check() == []
    await spool.close()


async def test_the_floor_of_free_disk_refuses_before_the_disk_does(tmp_path: Path) -> None:
    spool = SqliteSpool(tmp_path / "a.db", min_free_bytes=1 << 60)
    await spool.open(now=0.0)
    with pytest.raises(SpoolFull, match="bytes free, the floor is"):
        await spool.accept("acme", some("a", 1), now=1.0)
    assert sum((await spool.counts("acme")).values()) == 0
    await spool.close()


def test_the_disk_is_asked_only_now_and_then(tmp_path: Path) -> None:
    asked = []
    now = 50.0

    def free_bytes(folder: Path) -> int:
        asked.append(folder)
        return 10 if len(asked) == 1 else 1000

    room = Room(tmp_path, min_free_bytes=100, clock=lambda: now, free_bytes=free_bytes)
    for _ in range(3):
        with pytest.raises(SpoolFull, match="10 bytes free, the floor is 100"):
            room.check("acme", 1)
    now += 2 * LOOK_EVERY_S
    room.check("acme", 1)
    assert asked == [tmp_path] * 2


async def test_a_log_that_takes_the_room_is_copied_into_the_file_and_cut(tmp_path: Path) -> None:
    """While there is room for that: the floor of free disk is above what the disk has but for the log."""
    spool = SqliteSpool(tmp_path / "a.db", min_free_bytes=1)
    await spool.open(now=0.0)
    await spool.accept("acme", some("k", 2000), now=1.0)
    log = tmp_path / "a.db-wal"
    assert log.stat().st_size > 500_000
    spool._room._free_bytes = lambda _: 500_000
    await asyncio.sleep(LOOK_EVERY_S)
    assert (await spool.accept("acme", some("more", 1), now=1.0))[0].fresh
    assert log.stat().st_size < 100_000
    assert (await spool.counts("acme"))[State.ACCEPTED] == 2001
    await spool.close()


@pytest.mark.parametrize(("log_bytes", "free", "tight"), [(0, 1000, False), (400, 1000, True), (400, 901, False)])
def test_the_log_is_expected_to_need_its_size_once_more(
    tmp_path: Path, log_bytes: int, free: int, *, tight: bool
) -> None:
    log = tmp_path / "a.db-wal"
    log.write_bytes(b"x" * log_bytes)
    floor = 601 if tight else 500
    room = Room(tmp_path, min_free_bytes=floor, log=log, free_bytes=lambda _: free)
    assert room.tight() is tight
    assert not Room(tmp_path, log=log, free_bytes=lambda _: 0).tight()
