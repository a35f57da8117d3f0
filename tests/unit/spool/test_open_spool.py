"""Which spool a setting means."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from dispatcher.errors import ConfigError
from dispatcher.spool import MemorySpool, SqliteSpool, open_spool
from dispatcher.spool.postgres import PostgresSpool


@pytest.mark.parametrize("setting", ["memory:", ":memory:"])
def test_memory_is_a_spool_without_a_file(setting: str) -> None:
    assert isinstance(open_spool(setting), MemorySpool)


def test_anything_else_is_a_path_and_nothing_is_made_before_open(tmp_path: Path) -> None:
    assert isinstance(open_spool(tmp_path / "a.db"), SqliteSpool)
    assert isinstance(open_spool(str(tmp_path / "b.db")), SqliteSpool)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("setting", ["postgresql://user@host/db", "postgres://host:5433/db?prepared=on"])
def test_a_database_is_named_by_its_address_and_not_reached_before_open(setting: str) -> None:
    spool = open_spool(setting, node="one")
    assert isinstance(spool, PostgresSpool)
    assert spool.node.name == "one"
    assert repr(spool) == f"<PostgresSpool {setting.removesuffix('?prepared=on')} closed>"


def test_without_the_extra_the_setting_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"hellotracks-dispatcher\[postgres\]"):
        open_spool("postgresql://host/db")


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("postgresql://user@host/db?prepared=maybe", "prepared=maybe: expected on or off"),
        ("postgresql://user@host/db?lease_s=0", "lease_s=0: expected seconds from 0.1 to 3600"),
        ("postgresql://user:secret@host/db", "carries a password"),
        ("postgresql://user@host/db?password=secret", "carries a password"),
        ("redis://host", "unknown kind of spool redis://"),
        ("", "is empty"),
    ],
)
def test_what_no_adapter_speaks_is_a_wrong_setting(setting: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as error:
        open_spool(setting)
    assert "secret" not in str(error.value)
