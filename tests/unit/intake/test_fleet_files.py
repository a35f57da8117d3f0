"""Saved replies: members, day routes, company."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dispatcher.intake import InputError, load_company, load_members, load_routes


def write(path: Path, value: Any) -> Path:
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def test_members_are_a_reply_or_a_bare_list(tmp_path: Path) -> None:
    members = [{"username": "ann"}, {"username": "bob"}]
    assert load_members(write(tmp_path / "f", {"status": 0, "accounts": members})) == members
    assert load_members(write(tmp_path / "f", members)) == members
    assert load_members(write(tmp_path / "f", "\ufeff" + json.dumps(members))) == members


def test_routes_are_a_reply_or_a_bare_list(tmp_path: Path) -> None:
    jobs = [{"id": "1", "worker": "ann"}]
    assert load_routes(write(tmp_path / "f", {"status": "0", "jobs": jobs})) == jobs
    assert load_routes(write(tmp_path / "f", jobs)) == jobs


def test_the_company_is_a_reply_or_the_bare_object(tmp_path: Path) -> None:
    company = {"uid": "c", "teams_config": []}
    assert load_company(write(tmp_path / "f", {"company": company})) == company
    assert load_company(write(tmp_path / "f", company)) == company


def test_a_place_that_is_nan_is_left_to_the_engine(tmp_path: Path) -> None:
    (member,) = load_members(write(tmp_path / "f", '[{"username": "ann", "route_start_lat": NaN}]'))
    assert math.isnan(member["route_start_lat"])


@pytest.mark.parametrize(
    ("load", "content", "words"),
    [
        (load_members, {"jobs": []}, 'expected a getaccounts reply {"accounts": […]} or a list'),
        (load_members, {"accounts": {}}, "expected a getaccounts reply"),
        (load_members, [{}, 5], "element 1 of accounts must be an object"),
        (load_members, {"status": 7, "accounts": []}, "a call that failed: status 7"),
        (load_members, "", "is empty"),
        (load_members, "[\n{,}]", "f:2: not JSON at column 2"),
        (load_routes, {"data": {"jobs": []}}, 'expected a getjobs reply {"jobs": […]} or a list'),
        (load_company, [], 'expected a getcompany reply {"company": {…}}'),
        (load_company, {"accounts": []}, "expected a getcompany reply"),
        (load_company, {"company": None}, "expected a getcompany reply"),
        (load_company, 5, "expected a getcompany reply"),
    ],
)
def test_another_file_is_refused_with_what_was_expected(
    load: Callable[[Path], Any], content: Any, words: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as caught:
        load(write(tmp_path / "f", content))
    assert str(caught.value).startswith(f"{tmp_path}/f")
    assert words in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="missing cannot be read: No such file"):
        load_members(tmp_path / "missing")
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        load_company(tmp_path)
    (tmp_path / "latin").write_bytes(b'["\xfc"]')
    with pytest.raises(InputError, match="latin:1: not UTF-8 at byte 3"):
        load_routes(tmp_path / "latin")
