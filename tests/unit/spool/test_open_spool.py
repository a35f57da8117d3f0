"""Which spool a setting means."""

from __future__ import annotations

from pathlib import Path

import pytest

from dispatcher.errors import ConfigError
from dispatcher.spool import MemorySpool, SqliteSpool, open_spool


@pytest.mark.parametrize("setting", ["memory:", ":memory:"])
def test_memory_is_a_spool_without_a_file(setting: str) -> None:
    assert isinstance(open_spool(setting), MemorySpool)


def test_anything_else_is_a_path_and_nothing_is_made_before_open(tmp_path: Path) -> None:
    assert isinstance(open_spool(tmp_path / "a.db"), SqliteSpool)
    assert isinstance(open_spool(str(tmp_path / "b.db")), SqliteSpool)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("postgresql://user:secret@host/db", "this build has no PostgreSQL adapter"),
        ("postgres://host/db", "this build has no PostgreSQL adapter"),
        ("redis://host", "unknown kind of spool redis://"),
        ("", "is empty"),
    ],
)
def test_what_no_adapter_speaks_is_a_wrong_setting(setting: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as error:
        open_spool(setting)
    assert "secret" not in str(error.value)
