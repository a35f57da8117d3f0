"""`spool check` finds what must not be, and nothing else."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from dispatcher.model.state import State
from dispatcher.spool import SqliteSpool
from dispatcher.spool.invariants import problems
from tests.conformance.world import job, path


@pytest.fixture
async def file(tmp_path: Path) -> Path:
    """A closed spool: rows 1 to 3 are versions of `a` (confirmed, unknown, waiting), row 4 is a rejected `b`."""
    spool = SqliteSpool(tmp_path / "a.db")
    await spool.open(now=1.0)
    rows = await spool.accept("acme", [job("a", content) for content in "xyz"] + [job("b")], now=1.0)
    await spool.apply(path([rows[0].seq], State.CONFIRMED), now=2.0)
    await spool.apply(path([rows[1].seq], State.UNKNOWN), now=3.0)
    await spool.apply(path([rows[3].seq], State.REJECTED), now=4.0)
    await spool.close()
    return tmp_path / "a.db"


def after(file: Path, *statements: str) -> list[str]:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
    return problems(file)


def test_a_sound_file_has_no_problems(file: Path) -> None:
    assert problems(file) == []


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("DELETE FROM contents WHERE seq = 4", "1 rows have no content, or that of another account: 4"),
        ("UPDATE jobs SET account = 7 WHERE seq = 4", "1 rows have no content, or that of another account: 4"),
        ("DELETE FROM jobs WHERE seq = 4", "1 rows have no state, or one that does not exist: 4"),
        ("UPDATE jobs SET state = 9 WHERE seq = 4", "1 rows have no state, or one that does not exist: 4"),
        (
            'UPDATE contents SET body = \'{"uidSecondary":"c"}\' WHERE seq = 4',
            "hold a job that is not that of their key: 4",
        ),
        ("UPDATE contents SET body = x'00ff' WHERE seq = 4", "hold a job that is not that of their key: 4"),
        (
            "UPDATE contents SET version = 4 WHERE seq = 1",
            "1 rows hold a version that was accepted before an older one of its key: 1",
        ),
        ("UPDATE jobs SET state = 2 WHERE seq = 3", "are under way although an older version of their key is, too: 3"),
        ("UPDATE jobs SET blocked = 0 WHERE seq = 3", "wait for an older version, or do not, although"),
    ],
)
def test_each_broken_rule_is_named_with_its_rows(file: Path, statement: str, words: str) -> None:
    statement = statement.replace("body = '", "body = CAST('").replace("}' WHERE", "}' AS BLOB) WHERE")
    found = after(file, statement)
    assert any(words in line for line in found), found


def test_an_index_that_lost_rows_is_found(file: Path) -> None:
    """The schema's text is put back after the index was made of fewer rows, as damage would leave it."""
    (line, *_) = after(
        file,
        "DROP INDEX failed",
        "CREATE INDEX failed ON jobs (account, state) WHERE state IN (7)",
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_schema SET sql = replace(sql, 'IN (7)', 'IN (6, 7)') WHERE name = 'failed'",
    )
    assert "failed" in line


def test_a_damaged_page_is_reported_not_raised(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[8192 * 3 : 8192 * 3 + 4000] = b"\xff" * 4000
    file.write_bytes(content)
    assert problems(file)


def test_checking_leaves_no_trace(file: Path) -> None:
    before = file.read_bytes()
    problems(file)
    assert file.read_bytes() == before
    assert orjson.dumps(problems(file)) == b"[]"
