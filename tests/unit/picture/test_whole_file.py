"""A picture's file is there as a whole or not at all."""

from __future__ import annotations

import os
import resource
import stat
from pathlib import Path

import pytest

from dispatcher.errors import ConfigError
from dispatcher.picture import replace_file, writable


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "plan.html"
    target.write_bytes(b"old")
    assert writable(str(target), flag="--map") == target
    assert target.read_bytes() == b"old"
    replace_file(target, b"new", flag="--map")
    assert target.read_bytes() == b"new"
    assert [each.name for each in tmp_path.iterdir()] == ["plan.html"]


def test_it_can_be_read_by_whom_the_umask_allows(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        replace_file(tmp_path / "plan.html", b"new", flag="--map")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "plan.html").stat().st_mode) == 0o644


@pytest.mark.parametrize("path", ["nowhere/plan.html", ".", "", "file/plan.html", "x" * 300])
def test_a_path_where_no_file_can_be_is_refused_before_the_work(
    tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("a file, no folder")
    with pytest.raises(ConfigError, match="--plot"):
        writable(path, flag="--plot")
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_a_file_that_cannot_be_finished_leaves_the_old_one(tmp_path: Path) -> None:
    """The limit of this process on a file's size stands for a disk that is full."""
    target = tmp_path / "plan.html"
    target.write_bytes(b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(ConfigError, match="cannot be written"):
            replace_file(target, b"x" * 1_000_000, flag="--map")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert target.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["plan.html"]
