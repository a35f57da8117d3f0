"""The page as a file: what a browser would run, load and read of it."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import Any

import orjson
import pytest

from dispatcher.picture import Scene, Tiles, page
from dispatcher.picture.columns import columns
from tests.unit.picture.plans import job, member, planned

HOSTILE = (
    "</script><img src=x onerror=alert(1)>",
    "<!--<script>",
    "' onmouseover='alert(1)",
    "\u2028\u2029 %{x} <a href='javascript:alert(1)'>x</a>",
    "]]></title><svg/onload=alert(1)>",
)


class Reader(HTMLParser):
    """What a browser makes of the file: elements, scripts and their text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self._open: dict[str, str | None] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag == "script":
            self._open = dict(attrs)
            self.scripts.append((self._open, ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._open = None

    def handle_data(self, data: str) -> None:
        if self._open is not None:
            self.scripts[-1] = (self._open, self.scripts[-1][1] + data)

    def block(self, name: str) -> Any:
        return next(orjson.loads(text) for attrs, text in self.scripts if attrs.get("id") == name)

    @property
    def policy(self) -> str:
        return next(value for name, value in self.attributes if name == "content" and "default-src" in value)


def read(scene: Scene, tiles: Tiles | None = None) -> Reader:
    reader = Reader()
    reader.feed(page(scene, tiles=tiles).decode())
    reader.close()
    return reader


@pytest.fixture(scope="module")
def hostile() -> Scene:
    members = [member(f"m{n}", 45.0 + n / 100, username=name, name=name) for n, name in enumerate(HOSTILE)]
    jobs = [job(f"K{n}{name}", 45.0 + n / 100, destinationName=name) for n, name in enumerate(HOSTILE)]
    return planned(members, [*jobs, job("NONE", 45.0, teamId=9)])


def test_no_name_can_become_a_tag_or_a_script(hostile: Scene) -> None:
    plain = read(planned([member("ann", 45.0)], [job("A", 45.0)]))
    reader = read(hostile)
    assert reader.tags == plain.tags
    names = reader.block("plan")["members"]["name"]
    assert tuple(names) == HOSTILE
    assert tuple(reader.block("plan")["spots"]["title"][:5]) == tuple(name.strip() for name in HOSTILE)


def test_the_policy_names_exactly_the_two_scripts_that_are_in_the_file(hostile: Scene) -> None:
    reader = read(hostile)
    runs = [text for attrs, text in reader.scripts if attrs.get("type") is None]
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in runs]
    assert re.findall(r"'sha256-([^']+)'", reader.policy) == digests
    assert len(runs) == 2
    assert "unsafe-inline" not in reader.policy.partition("script-src")[2].partition(";")[0]


def test_nothing_is_loaded_from_anywhere(hostile: Scene) -> None:
    reader = read(hostile)
    assert "default-src 'none'" in reader.policy
    assert "img-src data: blob:;" in reader.policy
    assert {name for name, _ in reader.attributes} & {"src", "srcset", "action", "background"} == set()
    assert [value for name, value in reader.attributes if name == "href"] == ["#tables"]
    assert not {"link", "iframe", "img", "object", "embed", "base"} & set(reader.tags)


def test_with_a_tile_server_only_its_origin_may_be_loaded_and_only_pictures() -> None:
    reader = read(planned([], []), Tiles("https://tiles.example/{z}/{x}/{y}.png"))
    assert "img-src data: blob: https://tiles.example;" in reader.policy
    assert reader.policy.count("https:") == 1
    assert reader.block("tiles") == {"url": "https://tiles.example/{z}/{x}/{y}.png", "credit": "map: tiles.example"}


def test_without_javascript_the_sums_are_there() -> None:
    text = page(planned([member("ann", 45.0)], [job("A", 45.0), job("B", 0.0, 0.0)])).decode()
    assert "<noscript><p>2 jobs: 1 with a member, 1 without." in text


def test_the_same_scene_gives_the_same_file(hostile: Scene) -> None:
    assert page(hostile) == page(hostile)


def test_columns_are_aligned_and_short() -> None:
    saved = [job("OLD", 45.0123456789) | {"worker": "ann@acme.com"}]
    document = columns(planned([member("ann", 45.0)], [job("A", 45.00000049), job("B", 45.0, teamId=2)], saved=saved))
    assert document["spots"]["lat"] == [45.0, 45.0, 45.01235]
    assert document["jobs"]["member"] == [0, -1]
    assert document["jobs"]["reasons"] == {"1": [[document["codes"].index("team_mismatch"), 1, 0]]}
    assert document["spots"]["closes"] == [None, None, None]
    assert (document["routes"]["first"], document["routes"]["count"]) == ([0], [2])
    assert sorted(document["calls"]["spot"]) == [0, 2]
    assert {len(column) for column in document["calls"].values()} == {2}


def test_a_job_whose_member_is_not_in_the_fleet_keeps_the_name() -> None:
    document = columns(planned([], [job("A", 45.0, worker="ghost@acme.com")]))
    assert document["jobs"]["worker"] == {"0": "ghost@acme.com"}
    assert document["jobs"]["named"] == [0]
