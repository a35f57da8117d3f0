"""The page in a real browser: a quiet console, nobody else asked, and an operator gets to the reason of things."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from tests.acceptance.serving import DAY, Served, daemon_process, job
from tests.browser.browser import DESK, PHONE, Browser, browser, needs_chromium
from tests.browser.world import HOSTILE, SPOILED, company, served, under_load

pytestmark = [needs_chromium, pytest.mark.slow]
VIEWS = ("", "map", "jobs", "job/A", "dead", "accounts")
SHOWN = "document.querySelector('main h1')"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One for all that do not stop it; each test has jobs of its own."""
    with served(tmp_path_factory.mktemp("daemon")) as running:
        yield running


def place(daemon: Served, *keys: str) -> None:
    """Jobs for the day that everybody works on, confirmed."""
    answer = daemon.create(*(job(key, day=DAY) for key in keys))
    assert answer.status == 200, answer.body


def test_under_load_the_flow_moves_and_the_charts_are_drawn(tmp_path: Path) -> None:
    with served(tmp_path) as daemon, under_load(daemon), browser(daemon.url) as page:
        page.open()
        confirmed = "Number(document.querySelector('.flow.wide [href$=confirmed] .count').textContent.replace(',', ''))"
        before = page.until(confirmed)
        page.until(f"{confirmed} > {before + 100}")
        page.until("document.querySelectorAll('.chart .main-svg').length >= 4")
        page.until(
            "[...document.querySelectorAll('.chart .js-line')].some((line) => line.getAttribute('d')?.length > 40)"
        )
        page.until("document.getElementById('spoken').textContent.includes('confirmed')")
        page.until("document.querySelector('.fleet-bar')")
        moved = page.ask("document.querySelectorAll('.flow.wide .pulse[data-moves]').length")
        labels = page.ask("[...document.querySelectorAll('.flow.wide a')].map((one) => one.getAttribute('aria-label'))")
    assert moved >= 1
    assert len(labels) == 8
    assert all("job" in label for label in labels)


def test_a_job_is_followed_from_the_table_to_why_it_has_this_member(daemon: Served) -> None:
    with browser(daemon.url) as page:
        place(daemon, "WHY-A", "WHY-B", "OTHER")
        page.open("jobs")
        page.until("document.querySelectorAll('tbody tr').length >= 3")
        page.driver.find_element("css selector", "input[name=q]").send_keys("why-a", Keys.ENTER)
        page.until("document.querySelectorAll('tbody tr').length === 1")
        page.driver.find_element("link text", "WHY-A").click()
        page.until("document.getElementById('why')")
        why = page.text("#why")
        timeline = page.text(".timeline")
    assert "able@acme.example is the nearest member whom the job fits. One who is nearer was passed over." in why
    passed = next(line for line in why.splitlines() if line.startswith("near@acme.example"))
    assert "off shift" in why[why.index(passed) :]
    assert "At the server as" in timeline


def test_a_dead_letter_is_replayed(daemon: Served) -> None:
    with browser(daemon.url) as page:
        daemon.create(job("BAD", destinationName="POISON", day=DAY))
        before = daemon.get("/jobs/BAD").document
        assert before["state"] == "rejected"
        page.open("dead")
        page.until("document.querySelector('#nav .badge')")
        page.until("document.querySelector('[aria-label=\"Replay BAD\"]')").click()
        page.until("document.getElementById('toast').textContent.includes('BAD is sent once more')")
        after = daemon.wait_until("/jobs/BAD", '"rejected"', timeout_s=20)
        page.until("document.querySelector('[aria-label=\"Replay BAD\"]')")
    assert after["updated_at"] > before["updated_at"]


def test_a_job_that_waits_is_withdrawn_after_a_question(tmp_path: Path) -> None:
    with (
        daemon_process(tmp_path, "http://127.0.0.1:9", "--policy", "none") as daemon,
        browser(daemon.url) as page,
    ):
        daemon.create(job("A"), at_once=True)
        page.open("job/A")
        page.until("document.querySelector('button.danger')").click()
        page.until("document.querySelector('dialog[open] .main')").click()
        page.until("document.querySelector('.head .pill')?.textContent === 'withdrawn'")
        assert daemon.get("/jobs/A").document["state"] == "dead"


def test_it_is_used_by_keyboard_alone(daemon: Served) -> None:
    with browser(daemon.url) as page:
        place(daemon, "KEYS")
        page.open()
        page.press(Keys.TAB)
        assert page.ask("document.activeElement.className") == "skip"
        page.press(Keys.ENTER)
        assert page.ask("document.activeElement.id") == "content"
        page.driver.execute_script("document.activeElement.blur()")
        page.tab_to("it.dataset.view === 'jobs'")
        page.press(Keys.ENTER)
        page.until(f"{SHOWN}?.textContent === 'Jobs' && document.activeElement === {SHOWN}")
        page.tab_to("it.name === 'q'")
        page.press("KEYS", Keys.ENTER)
        page.until("location.hash.includes('q=KEYS') && document.querySelector('tbody a')")
        page.tab_to("it.textContent === 'KEYS'")
        page.press(Keys.ENTER)
        page.until(f"{SHOWN}?.textContent === 'KEYS' && document.activeElement === {SHOWN}")
        page.tab_to("it.dataset.view === 'map'")
        page.press(Keys.ENTER)
        page.until("document.querySelector('[data-worker=\"able@acme.example\"]')")
        page.tab_to("it.dataset.worker === 'able@acme.example'")
        page.press(Keys.ENTER)
        page.until("document.querySelector('main').innerText.includes('All members')")


def test_a_members_day_route_is_shown_in_order_and_drawn(daemon: Served) -> None:
    with browser(daemon.url) as page:
        place(daemon, "DAY-A", "DAY-B")
        page.open("map")
        page.until("document.querySelector('[data-worker=\"able@acme.example\"]')").click()
        page.until("document.querySelector('select[aria-label=Day]')")
        page.driver.execute_script(
            "const days = document.querySelector('select[aria-label=Day]');"
            f"days.value = '{DAY}'; days.dispatchEvent(new Event('change'))"
        )
        page.until("document.querySelectorAll('.split tbody tr').length >= 2")
        rows = page.ask("[...document.querySelectorAll('.split tbody tr')].map((row) => row.cells[1].innerText)")
        page.until(f"document.querySelectorAll('.map .textpoint').length === {len(rows)}")
    route = daemon.get(f"/page/route?worker=able@acme.example&day={DAY}").document
    assert {"DAY-A", "DAY-B"} <= set(rows)
    assert rows == [stop["key"] for stop in route["stops"]]


def test_names_that_are_markup_stay_text_in_every_view(daemon: Served) -> None:
    key = f"K{HOSTILE}"
    with browser(daemon.url) as page:
        daemon.create(
            job(key, day=DAY, destinationLat=45.3, destinationName=SPOILED, textDispatcher=SPOILED),
            job(f"BAD{HOSTILE}", destinationName=f"POISON {SPOILED}", destinationLat=45.3, day=DAY),
        )
        page.open()
        page.go("jobs?q=onerror")
        page.until("document.querySelectorAll('tbody tr').length === 2")
        assert key in page.text("main")
        assert SPOILED in page.text("main").replace("\n", "")
        page.driver.find_element("link text", key).click()
        page.until("document.getElementById('why')")
        page.driver.find_element("css selector", "details summary").click()
        assert HOSTILE in page.text("main")
        page.go("map")
        page.until("document.querySelectorAll('.members tbody tr').length === 4")
        buttons = page.driver.find_elements("css selector", ".members button")
        next(one for one in buttons if SPOILED in one.text.replace("\n", "")).click()
        page.until("document.querySelector('select[aria-label=Day]')")
        page.until("document.querySelector('.map .points path')")
        page.go("dead")
        page.until("document.querySelector('tbody tr')")
        assert page.ask("document.title") == "Dead letters · dispatcher"
        assert page.ask("document.querySelectorAll('main img, main script').length") == 0


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_is_wider_than_the_window_in_any_view(daemon: Served, size: tuple[int, int], dark: bool) -> None:
    with browser(daemon.url, size=size, dark=dark) as page:
        place(daemon, "A", "A-key-as-long-as-keys-get-in-the-systems-of-large-companies-0000000000000000000001")
        daemon.create(job("BAD", destinationName="POISON", day=DAY))
        page.open()
        for view in VIEWS:
            page.go(view)
            page.until(
                "document.querySelector('main h1') && !document.querySelector('main').innerText.includes('Looking')"
            )
            assert page.ask("document.documentElement.scrollWidth") <= size[0], view


def test_light_and_dark_follow_the_system_until_a_person_chooses(daemon: Served) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    with browser(daemon.url, dark=True) as page:
        page.open()
        button = page.driver.find_element("id", "theme")
        grounds, words = [page.ask(ground)], [button.text]
        for _ in range(3):
            button.click()
            grounds.append(page.ask(ground))
            words.append(button.text)
    assert words == ["Auto", "Light", "Dark", "Auto"]
    assert grounds[0] == grounds[2] == grounds[3] != grounds[1]


def test_reading_and_acting_ask_for_a_token_each(tmp_path: Path) -> None:
    with served(tmp_path, DISPATCHER_READ_TOKEN="see.me", DISPATCHER_ACT_TOKEN="touch.me") as daemon:
        daemon.create(job("BAD", destinationName="POISON", day=DAY))
        page = Browser(daemon.url, size=DESK, dark=False)
        try:
            page.driver.get(f"{daemon.url}/#/dead")
            page.until("document.querySelector('dialog[open] input')")
            assert "BAD" not in page.ask("document.documentElement.outerHTML")
            page.press("wrong", Keys.ENTER)
            page.until("document.querySelector('.wrong').textContent === 'that is not the token'")
            page.press("see.me", Keys.ENTER)
            page.until("document.querySelector('[aria-label=\"Replay BAD\"]')").click()
            page.until("document.querySelector('dialog[open]')?.innerText.includes('Act token')")
            page.press("touch.me", Keys.ENTER)
            page.until("document.getElementById('toast').textContent.includes('sent once more')")
            assert page.ask("document.cookie") == ""
            page.driver.find_element("id", "leave").click()
            page.until("document.querySelector('dialog[open] input')")
        finally:
            page.driver.quit()


def test_after_the_daemon_was_away_the_page_goes_on_with_all_that_is_known(tmp_path: Path) -> None:
    with company(tmp_path) as url:
        with daemon_process(tmp_path, url, "--policy", "nearest") as daemon:
            place(daemon, "A")
            page = Browser(daemon.url, size=DESK, dark=False)
            page.open()
        try:
            page.until("document.getElementById('live').dataset.is === 'lost'")
            with daemon_process(tmp_path, url, "--policy", "nearest", "--listen", daemon.netloc):
                page.until("document.getElementById('live').dataset.is === 'live'")
                page.until("document.querySelector('.flow.wide [href$=confirmed] .count').textContent === '1'")
        finally:
            page.driver.quit()


def test_one_of_several_accounts_is_chosen_and_stays_chosen(tmp_path: Path) -> None:
    file = tmp_path / "two.toml"
    table = '[accounts.{0}]\napi_key = "{0}-key"\naccept_key = "client-{0}"\n'
    file.write_text(table.format("acme") + table.format("beta"))
    with company(tmp_path) as url, daemon_process(tmp_path, url, "--config", str(file)) as daemon:
        daemon.keys["API-Key"] = "client-beta"
        place(daemon, "OF-BETA")
        with browser(daemon.url) as page:
            page.open("accounts")
            page.until("document.querySelectorAll('tbody tr').length === 2")
            page.until("document.querySelector('[data-account=beta]')").click()
            page.until("document.querySelector('[data-account=beta]')?.getAttribute('aria-pressed') === 'true'")
            page.go("jobs")
            page.until("document.querySelector('main').innerText.includes('OF-BETA')")
            page.driver.refresh()
            page.until("document.querySelector('main').innerText.includes('OF-BETA')")
            assert page.ask("document.getElementById('account').value") == "beta"
            page.driver.execute_script(
                "const it = document.getElementById('account');it.value = 'acme'; it.dispatchEvent(new Event('change'))"
            )
            page.until("document.querySelector('main').innerText.includes('No job is like that')")


def test_without_plotly_the_numbers_are_there_as_tables(tmp_path: Path) -> None:
    """A `find_spec` that knows no plotly stands for an installation without it."""
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *more: None if name == 'plotly' else find(name, *more)\n"
    )
    with served(tmp_path, PYTHONPATH=str(tmp_path)) as daemon, browser(daemon.url) as page:
        page.open()
        page.until("document.querySelectorAll('details[open] tbody tr').length >= 4")
        assert page.text("main").count("needs the Python package plotly") == 4
        page.go("map")
        page.until("document.querySelectorAll('.members tbody tr').length === 4")
        page.until("document.querySelector('.map').innerText.includes('needs the Python package plotly')")
