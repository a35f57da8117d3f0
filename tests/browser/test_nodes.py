"""Two daemons on one database, in a real browser: each page shows both, and says who assigns."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import postgres
from tests.acceptance.serving import DAY, Served, daemon_process, job
from tests.browser.browser import DESK, PHONE, Browser, browser, needs_chromium
from tests.browser.world import company

pytestmark = [
    needs_chromium,
    pytest.mark.slow,
    pytest.mark.skipif(bool(postgres.MISSING), reason=postgres.MISSING),
]
ROWS = "document.querySelectorAll('main tbody tr')"
PILLS = "[...document.querySelectorAll('main tbody .pill')].map((one) => one.dataset.hue)"


@contextmanager
def two_daemons(folder: Path) -> Iterator[tuple[Served, Served]]:
    """The first one leads: it is there before the other."""
    lent = postgres.borrow()
    dsn = f"{lent}{'&' if '?' in lent else '?'}lease_s=3"
    for name in ("north", "south"):
        (folder / name).mkdir()
    flags = ("--policy", "nearest", "--spool", dsn)
    with (
        company(folder) as url,
        daemon_process(folder / "north", url, *flags, "--node", "north") as north,
        daemon_process(folder / "south", url, *flags, "--node", "south") as south,
    ):
        yield north, south
    postgres.give_back(lent)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Served]]:
    """For those who stop neither."""
    with two_daemons(tmp_path_factory.mktemp("two")) as both:
        yield both


def cell(page: Browser, row: int, name: str) -> str:
    """What stands in a row under a heading."""
    return str(page.ask(f"{ROWS}[{row}].querySelector('[data-name=\"{name}\"]').innerText"))


def test_the_page_of_each_shows_both_and_marks_its_own(two: tuple[Served, Served]) -> None:
    north, south = two
    with browser(south.url) as page:
        south.create(*(job(f"k{number}", day=DAY) for number in range(20)))
        page.open()
        page.until("!document.querySelector('#nav [data-view=nodes]').hidden")
        page.driver.find_element("link text", "Nodes").click()
        page.until(f"{ROWS}.length === 2 && {PILLS}.join() === 'alive,alive'")
        page.until(f"{ROWS}[0].innerText.includes('default')")
        page.until(f"{ROWS}[1].querySelector('[data-name=Program]').innerText.startsWith('hellotracks-dispatcher ')")
        links = page.ask("[...document.querySelectorAll('main tbody a')].map((one) => [one.href, one.rel, one.target])")
        chosen = page.ask("document.querySelector('main tr.chosen').innerText")
        led = cell(page, 1, "Assigns for")
    assert links == [[f"{one.url}/", "noreferrer noopener", "_blank"] for one in (north, south)]
    assert "south this one" in " ".join(chosen.split())
    assert led == "–"


def test_a_node_that_does_not_lead_names_the_one_that_does_where_the_fleet_would_be(two: tuple[Served, Served]) -> None:
    north, south = two
    with browser(south.url) as page:
        south.create(job("why", day=DAY))
        for view, there in (("", ""), ("map", "#/map"), ("job/why", "#/job/why")):
            page.open(view)
            page.until("document.querySelector('main').innerText.includes('north assigns for this account')")
            assert page.ask("document.querySelector('main a[target=_blank]').href") == f"{north.url}/{there}"
        with browser(north.url) as leader:
            leader.open("map")
            leader.until("document.querySelector('[data-worker=\"able@acme.example\"]')")
            assert "assigns for this account" not in leader.text("main")


@pytest.mark.parametrize(("size", "dark"), [(DESK, False), (PHONE, True)])
def test_nothing_is_wider_than_the_window(two: tuple[Served, Served], size: tuple[int, int], *, dark: bool) -> None:
    with browser(two[1].url, size=size, dark=dark) as page:
        page.open("nodes")
        page.until(f"{ROWS}.length === 2 && {ROWS}[0].innerText.includes('default')")
        assert page.ask("document.documentElement.scrollWidth") <= size[0]
        assert page.ask("document.getElementById('nav').scrollWidth <= document.getElementById('nav').clientWidth + 1")


def test_a_node_that_stops_is_seen_silent_then_ended_and_another_one_assigns(tmp_path: Path) -> None:
    with two_daemons(tmp_path) as (north, south), browser(south.url) as page:
        page.open("nodes")
        page.until(f"{ROWS}.length === 2 && {ROWS}[0].innerText.includes('default')")
        north.process.send_signal(signal.SIGSTOP)
        page.until(f"{PILLS}.join() === 'silent,alive'")
        page.until(f"{PILLS}.join() === 'ended,alive'")
        page.until(f"{ROWS}[1].querySelector('[data-name=\"Assigns for\"]').innerText === 'default'")


@pytest.mark.skipif(postgres.VARIABLE in os.environ, reason="the database is somebody else's, and not taken away")
def test_the_page_says_that_the_database_is_away_and_goes_on_when_it_is_back(tmp_path: Path) -> None:
    banner = "document.getElementById('banner')"
    with two_daemons(tmp_path) as (_, south), browser(south.url) as page:
        page.open("nodes")
        page.until(f"{ROWS}.length === 2")
        with postgres.away():
            page.until(f"{banner}.innerText.includes('The database is away')")
            page.until("document.querySelector('.head p').innerText.includes('old')")
            assert page.ask("document.getElementById('live').dataset.is") == "live"
            assert page.ask(f"{ROWS}.length") == 2
        page.until(f"{banner}.hidden && {PILLS}.join() === 'alive,alive'")


def test_a_daemon_with_a_file_has_no_such_view(tmp_path: Path) -> None:
    with company(tmp_path) as url, daemon_process(tmp_path, url) as daemon, browser(daemon.url) as page:
        page.open()
        page.until("document.querySelector('.flow')")
        assert page.ask("document.querySelector('#nav [data-view=nodes]').hidden") is True
        page.open("nodes")
        page.until("document.querySelector('main').innerText.includes('this daemon')")
