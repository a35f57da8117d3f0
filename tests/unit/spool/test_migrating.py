"""A file of an older schema is brought to the newest one, or stays as it was."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dispatcher.errors import SpoolUnusable
from dispatcher.model.state import State
from dispatcher.spool import SqliteSpool, schema
from dispatcher.spool.lock import FileLock
from dispatcher.spool.migrating import migrate_file
from dispatcher.spool.statements import SQL
from tests.conformance.world import jobs

OLD = schema.VERSION
STEP = "ALTER TABLE jobs ADD COLUMN colour TEXT NOT NULL DEFAULT 'red';"


@pytest.fixture
async def file(tmp_path: Path) -> Path:
    """A spool as the version before would leave it."""
    spool = SqliteSpool(tmp_path / "a.db")
    await spool.open(now=1.0)
    await spool.accept("acme", jobs("abc"), now=1.0)
    await spool.close()
    return tmp_path / "a.db"


@pytest.fixture
def newer(file: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A program with two schema versions more than the one that made the file."""
    assert version(file) == OLD
    steps = ("colour", "shade")
    monkeypatch.setitem(SQL, "colour", STEP)
    monkeypatch.setitem(SQL, "shade", "CREATE TABLE shades (name TEXT) STRICT;\nINSERT INTO shades VALUES ('dark');")
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, *steps))
    monkeypatch.setattr(schema, "VERSION", OLD + 2)
    return monkeypatch


def version(file: Path) -> int:
    with closing(sqlite3.connect(file)) as connection:
        return schema.user_version(connection)


def test_nothing_is_done_to_the_newest(file: Path) -> None:
    done = migrate_file(file)
    assert (done.before, done.after, done.steps) == (OLD, OLD, ())


@pytest.mark.usefixtures("newer")
async def test_the_missing_steps_run_and_the_jobs_stay(file: Path) -> None:
    done = migrate_file(file)
    assert (done.before, done.after, done.steps) == (OLD, OLD + 2, ("colour", "shade"))
    assert version(file) == OLD + 2
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT colour FROM jobs").fetchall() == [("red",)] * 3
    spool = SqliteSpool(file)
    await spool.open(now=2.0)
    assert (await spool.counts("acme"))[State.ACCEPTED] == 3
    await spool.close()


@pytest.mark.usefixtures("newer")
def test_a_rehearsal_runs_every_step_and_leaves_the_file_as_it_was(file: Path) -> None:
    before = file.read_bytes()
    assert migrate_file(file, dry_run=True).steps == ("colour", "shade")
    assert version(file) == OLD
    assert file.read_bytes() == before
    with closing(sqlite3.connect(file)) as connection:
        assert "colour" not in [row[1] for row in connection.execute("PRAGMA table_info(jobs)")]


def test_a_step_that_fails_is_told_by_the_rehearsal_and_undone_whole(file: Path, newer: pytest.MonkeyPatch) -> None:
    newer.setitem(SQL, "shade", "CREATE TABLE shades (name TEXT) STRICT;\nINSERT INTO nowhere VALUES (1);")
    with pytest.raises(SpoolUnusable, match="cannot be migrated: no such table: nowhere"):
        migrate_file(file, dry_run=True)
    assert version(file) == OLD
    with pytest.raises(SpoolUnusable, match="nowhere"):
        migrate_file(file)
    assert version(file) == OLD + 1
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'shades'").fetchone() == (0,)


@pytest.mark.usefixtures("newer")
def test_a_file_in_use_is_not_migrated_under_its_owner(file: Path) -> None:
    """The lock is the same in every version, so an older program that runs is safe."""
    lock = FileLock(file)
    with pytest.raises(SpoolUnusable, match="in use by process"):
        migrate_file(file)
    lock.release()
    assert version(file) == OLD


async def test_a_program_that_knows_less_leaves_a_newer_file_alone(file: Path, newer: pytest.MonkeyPatch) -> None:
    migrate_file(file)
    newer.undo()
    with pytest.raises(SpoolUnusable, match=f"schema version {OLD + 2}"):
        await SqliteSpool(file).open(now=1.0)


def test_what_is_no_spool_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpoolUnusable, match="no such spool"):
        migrate_file(tmp_path / "none.db")
    (tmp_path / "x.db").write_text("a diary" * 100)
    with pytest.raises(SpoolUnusable, match="not an SQLite file"):
        migrate_file(tmp_path / "x.db")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["x.db"]
