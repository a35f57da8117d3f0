"""Files that are no spool are named and left as they are."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from dispatcher.errors import SpoolUnusable
from dispatcher.model.records import NewJob
from dispatcher.model.state import State
from dispatcher.spool import SqliteSpool
from dispatcher.spool.schema import APPLICATION_ID, PAGE_BYTES, VERSION


async def make_spool(path: Path, *, rows: int = 2000) -> None:
    """A spool with a few hundred pages, closed."""
    spool = SqliteSpool(path)
    await spool.open(now=1.0)
    await spool.accept("acme", [NewJob(f"k{n}", b"x" * 300, b"d" * 16) for n in range(rows)], now=1.0)
    await spool.close()


def text_file(path: Path) -> None:
    path.write_text("jobs,are,not,here\n" * 100)


def short_file(path: Path) -> None:
    path.write_bytes(b"SQLite")


def other_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE jobs (id)")


def newer_spool(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")


def spool_without_tables(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (text_file, "is not an SQLite file"),
        (short_file, "is not an SQLite file"),
        (other_database, "is the database of another program"),
        (newer_spool, f"has schema version {VERSION + 1}, this program knows versions up to {VERSION}"),
        (spool_without_tables, "no such table"),
    ],
)
async def test_a_foreign_file_is_named_and_left_alone(tmp_path: Path, make: Callable[[Path], None], words: str) -> None:
    file = tmp_path / "a.db"
    make(file)
    before = file.read_bytes()
    with pytest.raises(SpoolUnusable, match=words) as error:
        await SqliteSpool(file).open(now=1.0)
    assert str(file) in str(error.value)
    assert file.read_bytes() == before


async def test_a_truncated_file_is_named_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    await make_spool(file)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SpoolUnusable, match=f"is truncated: {len(whole) // 2} bytes of {len(whole)}"):
        await SqliteSpool(file).open(now=1.0)
    assert file.read_bytes() == whole[: len(whole) // 2]


async def test_damage_in_the_rows_is_named_and_left_alone(tmp_path: Path) -> None:
    """The table of states is read whole at open, so damage there shows before anything is written."""
    file = tmp_path / "a.db"
    await make_spool(file)
    with closing(sqlite3.connect(file)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'jobs'").fetchone()
    damaged = bytearray(file.read_bytes())
    damaged[(root - 1) * PAGE_BYTES : root * PAGE_BYTES] = os.urandom(PAGE_BYTES)
    file.write_bytes(damaged)
    with pytest.raises(SpoolUnusable, match="malformed"):
        await SqliteSpool(file).open(now=1.0)
    assert file.read_bytes() == damaged


async def test_damage_elsewhere_is_found_by_a_check(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    await make_spool(file)
    with closing(sqlite3.connect(file)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'contents_by_key'").fetchone()
    damaged = bytearray(file.read_bytes())
    damaged[(root - 1) * PAGE_BYTES : root * PAGE_BYTES] = bytes(PAGE_BYTES)
    file.write_bytes(damaged)
    spool = SqliteSpool(file)
    await spool.open(now=1.0)
    assert await spool.check() != []
    await spool.close()


async def test_a_sound_file_has_nothing_to_say(tmp_path: Path) -> None:
    await make_spool(tmp_path / "a.db")
    spool = SqliteSpool(tmp_path / "a.db")
    await spool.open(now=1.0)
    assert await spool.check() == []
    await spool.close()


@pytest.mark.parametrize(
    ("name", "words"),
    [("missing/a.db", "No such file or directory"), ("folder", "directory"), ("file/a.db", "directory")],
)
async def test_a_path_that_cannot_be_a_file_says_why(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolUnusable, match=words) as error:
        await SqliteSpool(tmp_path / name).open(now=1.0)
    assert str(tmp_path / name) in str(error.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
async def test_a_file_without_permission_says_so(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    await make_spool(file, rows=1)
    file.chmod(0)
    with pytest.raises(SpoolUnusable, match="Permission denied"):
        await SqliteSpool(file).open(now=1.0)


async def test_an_empty_file_becomes_a_spool(tmp_path: Path) -> None:
    (tmp_path / "a.db").touch()
    await make_spool(tmp_path / "a.db", rows=1)
    spool = SqliteSpool(tmp_path / "a.db")
    assert await spool.open(now=1.0) == 0
    assert (await spool.counts("acme"))[State.ACCEPTED] == 1
    await spool.close()


async def test_a_clean_end_leaves_the_file_and_its_lock_file_alone(tmp_path: Path) -> None:
    await make_spool(tmp_path / "a.db", rows=1)
    assert sorted(os.listdir(tmp_path)) == ["a.db", "a.db.lock"]  # noqa: PTH208


async def test_names_with_odd_characters_are_files_like_others(tmp_path: Path) -> None:
    await make_spool(tmp_path / "a ?mode=ro&%20#ü.db", rows=3)
    spool = SqliteSpool(tmp_path / "a ?mode=ro&%20#ü.db")
    await spool.open(now=1.0)
    assert (await spool.counts("acme"))[State.ACCEPTED] == 3
    await spool.close()
