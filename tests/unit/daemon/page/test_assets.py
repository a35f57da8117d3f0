"""The page's files: where they lie, how long they are kept, and what browsers may load."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from dispatcher.daemon.page.assets import FOLDER, PLOTLY, Assets
from tests.unit.daemon.page.daemons import visited

FOREIGN = re.compile(r"https?://(?!www\.w3\.org/2000/svg)|//[a-z0-9-]+\.[a-z]{2,}/")


async def test_the_page_names_its_files_by_their_digest_and_they_are_kept_for_ever(tmp_path: Path) -> None:
    async with visited(tmp_path) as (visitor, _, _):
        _, shell, page = await visitor.ask("GET", "/")
        paths = set(re.findall(rb'(?:src|href)="(/page/[^"]+)"', shell))
        replies = [(path, await visitor.ask("GET", path.decode())) for path in paths]
        old = await visitor.ask("GET", "/page/static/0000000000000000/main.js")
    assert len(paths) >= 4
    assert page.headers["Cache-Control"] == "no-cache"
    for path, (status, content, reply) in replies:
        assert status == 200, path
        assert content
        assert "immutable" in reply.headers["Cache-Control"]
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert old[0] == 404


async def test_plotly_comes_from_its_package_and_zipped(tmp_path: Path) -> None:
    assets = Assets()
    assert assets.has_plotly
    async with visited(tmp_path) as (visitor, _, _):
        path = f"{assets.base}/{PLOTLY}"
        visitor.http._auto_decompress = False
        _, zipped, reply = await visitor.ask("GET", path, headers={"Accept-Encoding": "gzip"})
        _, plain, _ = await visitor.ask("GET", path, headers={"Accept-Encoding": "identity"})
    assert reply.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(zipped) == plain
    assert len(zipped) < len(plain) / 2


@pytest.mark.parametrize("name", ["../entry.py", "..%2fentry.py", "%2e%2e/entry.py", "nothing.js", "", "%00"])
async def test_nothing_but_the_pages_files_is_served(tmp_path: Path, name: str) -> None:
    async with visited(tmp_path) as (visitor, _, _):
        assert (await visitor.ask("GET", f"{Assets().base}/{name}"))[0] == 404


async def test_the_content_policy_lets_in_the_daemon_alone(tmp_path: Path) -> None:
    async with visited(tmp_path) as (visitor, _, _):
        for path in ("/", "/page/settings", "/page/jobs", "/page/map", f"{Assets().base}/main.js"):
            _, _, reply = await visitor.ask("GET", path)
            policy = dict(part.strip().split(" ", 1) for part in reply.headers["Content-Security-Policy"].split(";"))
            assert policy["default-src"] == "'none'"
            assert policy["script-src"] == policy["connect-src"] == policy["form-action"] == "'self'"
            assert policy["img-src"] == "'self' data:"
            assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
            assert "unsafe" not in reply.headers["Content-Security-Policy"]
            assert reply.headers["Referrer-Policy"] == "no-referrer"


def test_map_images_add_their_host_and_nothing_else() -> None:
    policy = Assets(tile_url="https://tiles.example:8443/a/{z}/{x}/{y}.png?k=1").headers["Content-Security-Policy"]
    assert "img-src 'self' data: https://tiles.example:8443;" in policy
    assert policy.count("tiles.example") == 1


@pytest.mark.parametrize("file", sorted(FOLDER.iterdir()), ids=lambda file: file.name)
def test_no_file_names_another_host_or_writes_markup(file: Path) -> None:
    text = file.read_text()
    assert not FOREIGN.search(text)
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "srcdoc"):
        assert way not in text
    assert not re.search(r"<[^>]+\s(?:on[a-z]+|style)=", text) or file.suffix == ".js"
