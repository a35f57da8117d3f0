"""`dispatcher plan --map` and `--plot`: the files as a user makes them, and the page as a browser shows it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from dispatcher.sandbox import generated_fleet, generated_jobs
from tests.acceptance.command import run
from tests.acceptance.test_plan import NOW, job, member
from tests.unit.picture.plans import DAY

ITALY = Path(__file__).resolve().parents[3] / "shared" / "data" / "italy"
pytestmark = pytest.mark.slow

HOSTILE = "</script><img src=x onerror=document.title='pwned'>"
MOST_SECONDS = 100
"""For the large plan, with the engine and a busy machine."""


def files(folder: Path, members: list[dict[str, Any]], jobs: list[dict[str, Any]]) -> tuple[str, ...]:
    (folder / "members.json").write_bytes(orjson.dumps({"accounts": members}))
    (folder / "jobs.json").write_bytes(orjson.dumps(jobs))
    return ("plan", "--members", "members.json", "--jobs", "jobs.json", "--now", NOW, "--set", "timezone=Europe/Rome")


@pytest.fixture
def small(tmp_path: Path) -> tuple[str, ...]:
    return files(tmp_path, [member("ann", 45.0), member("bob", 45.1)], [job("A", 45.01), job("B", 45.0, teamId=9)])


def test_pictures_leave_the_printed_document_as_it_is_byte_for_byte(tmp_path: Path, small: tuple[str, ...]) -> None:
    plain = run(*small, "--json", cwd=tmp_path)
    drawn = run(*small, "--json", "--map", "plan.html", "--plot", "plan.png", cwd=tmp_path)
    assert (drawn.status, drawn.out, drawn.err) == (0, plain.out, plain.err)
    assert (tmp_path / "plan.html").read_bytes().startswith(b"<!doctype html>")
    assert (tmp_path / "plan.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["jobs.json", "members.json", "plan.html", "plan.png"]


@pytest.mark.parametrize(("name", "begin"), [("plan.svg", b"<?xml"), ("PLAN.PDF", b"%PDF-")])
def test_the_end_of_the_name_says_what_is_drawn(
    tmp_path: Path, small: tuple[str, ...], name: str, begin: bytes
) -> None:
    ended = run(*small, "--plot", name, cwd=tmp_path)
    assert (ended.status, ended.err) == (0, f"wrote {name}\n")
    assert (tmp_path / name).read_bytes().startswith(begin)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--map", "nowhere/plan.html"), "--map nowhere/plan.html: cannot be written"),
        (("--map", "."), "--map .: is a folder"),
        (("--plot", "plan.gif"), ".png, .svg or .pdf"),
        (("--plot", "png"), ".png, .svg or .pdf"),
        (("--map", "plan.html", "--tile-url", "https://tiles.example/{z}/{x}.png"), "{y}"),
        (("--map", "plan.html", "--tile-url", "javascript:alert({z}{x}{y})"), "tile_url"),
    ],
)
def test_a_picture_that_cannot_be_made_is_refused_before_the_work(
    tmp_path: Path, small: tuple[str, ...], flags: tuple[str, ...], words: str
) -> None:
    ended = run(*small, "--json", *flags, cwd=tmp_path)
    assert (ended.status, ended.out) == (2, "")
    assert words in ended.err
    assert "Traceback" not in ended.err
    assert sorted(each.name for each in tmp_path.iterdir()) == ["jobs.json", "members.json"]


def test_without_matplotlib_it_is_said_what_to_install(tmp_path: Path, small: tuple[str, ...]) -> None:
    """A finder that knows no matplotlib stands for an installation without the extra."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Without:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] == 'matplotlib':\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Without())\n"
    )
    ended = run(*small, "--plot", "plan.png", cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert ended.status == 2
    assert "pip install 'hellotracks-dispatcher[plot]'" in ended.err


def test_jobs_that_cannot_be_read_are_reported_and_the_others_are_drawn(tmp_path: Path) -> None:
    ended = run(*files(tmp_path, [member("ann", 45.0)], [job("A", 45.01), job("B", 45.0, priority=11)]),
                "--map", "plan.html", cwd=tmp_path)  # fmt: skip
    assert ended.status == 2
    assert document_of(tmp_path / "plan.html")["spots"]["key"] == ["A"]


def document_of(page: Path) -> Any:
    """The plan's columns in a page."""
    text = page.read_bytes().partition(b'<script type="application/json" id="plan">')[2]
    return orjson.loads(text.partition(b"</script>")[0])


@pytest.mark.skipif(not ITALY.is_dir(), reason=f"the visits of four Italian cities are not at {ITALY}")
def test_the_four_cities_are_drawn_with_every_job_and_every_route(tmp_path: Path) -> None:
    for city in ("milan", "udine", "rome", "venice"):
        parts = [
            f for part in ("members", "jobs", "company") for f in (f"--{part}", str(ITALY / city / f"{part}.json"))
        ]
        ended = run("plan", *parts, "--now", "2026-11-29T08:00:00+01:00", "--json", "--map", "plan.html",
                    "--plot", "plan.png", cwd=tmp_path)  # fmt: skip
        assert ended.status == 0, ended.err
        drawn, printed = document_of(tmp_path / "plan.html"), ended.document
        assert drawn["spots"]["key"] == [each["key"] for each in printed["jobs"]]
        workers = [drawn["members"]["name"][m] if m >= 0 else None for m in drawn["jobs"]["member"]]
        assert workers == [each["worker"] for each in printed["jobs"]]
        on_routes = sorted(drawn["calls"]["spot"])
        assert on_routes == [n for n, each in enumerate(printed["jobs"]) if each["worker"]]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a plan for 500 members and 20 000 jobs, drawn as both."""
    folder = tmp_path_factory.mktemp("large")
    accounts, _ = generated_fleet(500, seed=1, now=1_795_000_000)
    flags = files(folder, accounts, list(generated_jobs(20_000, seed=1, day=DAY)))
    ended = run(*flags, "--json", "--map", "plan.html", "--plot", "plan.png", cwd=folder, timeout_s=MOST_SECONDS)
    assert ended.status == 0, ended.err
    return folder


def test_500_members_and_20_000_jobs_make_a_page_that_can_be_sent_around(large: Path) -> None:
    """The page's script weighs 4.9 MB; the plan itself adds less than 200 bytes a job."""
    assert (large / "plan.html").stat().st_size < 4_900_000 + 20_000 * 200
    assert (large / "plan.png").stat().st_size < 3_000_000


# ---- in a browser

CHROMIUM = shutil.which("chromium")
DRIVER = shutil.which("chromedriver")
in_a_browser = pytest.mark.skipif(not CHROMIUM or not DRIVER, reason="there is no chromium with its driver here")


class Browser:
    """A headless Chromium with one page of ours open, which notes what it complains of and whom it asks."""

    def __init__(self, page: Path, *, width: int, height: int, dark: bool = False) -> None:
        webdriver = pytest.importorskip("selenium.webdriver")
        service = pytest.importorskip("selenium.webdriver.chrome.service").Service(DRIVER)
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
            options.add_argument(flag)
        options.add_argument(f"--window-size={width},{height}")
        if width < 600:
            metrics = {"width": width, "height": height, "pixelRatio": 2, "touch": True}
            options.add_experimental_option("mobileEmulation", {"deviceMetrics": metrics})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=service)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
        self.driver.get(page.as_uri())
        self.until("document.documentElement.dataset.ready === 'true'")

    def ask(self, expression: str) -> Any:
        return self.driver.execute_script(f"return {expression}")

    def do(self, statement: str) -> None:
        self.driver.execute_script(statement)

    def until(self, condition: str, *, timeout_s: float = 30) -> None:
        end = time.monotonic() + timeout_s
        while not self.ask(condition):
            assert time.monotonic() < end, (condition, self.complaints())
            time.sleep(0.05)

    def complaints(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def asked(self) -> set[str]:
        """Addresses that were asked for, other than the page's own and those within it."""
        sent = [orjson.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        urls = {one["params"]["request"]["url"] for one in sent if one["method"] == "Network.requestWillBeSent"}
        return {url for url in urls if not url.startswith(("data:", "blob:"))}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plan with hostile names: ann has two stops, of which one was there before; two jobs have no member."""
    folder = tmp_path_factory.mktemp("hostile")
    jobs = [
        job("A", 45.01, destinationName=HOSTILE),
        job(f"B{HOSTILE}", 45.0, teamId=9),
        job("C", 0.0, destinationLng=0.0),
    ]
    members = [member("ann", 45.0) | {"name": f"Ann {HOSTILE}"}, member("bob", 45.1, working_hours={"monday": {}})]
    saved = {"jobs": [job("OLD", 45.02) | {"worker": "ann@acme.com"}]}
    (folder / "routes.json").write_bytes(orjson.dumps(saved))
    ended = run(*files(folder, members, jobs), "--routes", "routes.json", "--map", "plan.html", cwd=folder)
    assert ended.status == 0, ended.err
    return folder / "plan.html"


@pytest.fixture
def browser(request: pytest.FixtureRequest, hostile: Path) -> Iterator[Browser]:
    """The plan in a window; at the end nothing was complained of, and nobody else was asked for anything."""
    width, height, dark = getattr(request, "param", (1440, 1000, False))
    opened = Browser(hostile, width=width, height=height, dark=dark)
    try:
        yield opened
        assert opened.complaints() == []
        assert opened.asked() == {hostile.as_uri()}
    finally:
        opened.driver.quit()


@in_a_browser
@pytest.mark.parametrize(
    "browser", [(1440, 1000, False), (1440, 1000, True), (360, 740, False), (360, 740, True)], indirect=True
)
def test_it_shows_the_plan_in_light_and_dark_on_desk_and_phone(browser: Browser) -> None:
    """No error, no other host, nothing wider than the window, and no name that became a tag."""
    figures = browser.ask("document.getElementById('figures').innerText")
    assert "3" in figures
    assert browser.ask("document.documentElement.scrollWidth <= window.innerWidth")
    assert browser.ask("document.querySelectorAll('img').length") == 0
    assert browser.ask("document.title") == "Plan"
    assert HOSTILE in browser.ask("document.getElementById('members').textContent")
    assert browser.ask("document.querySelectorAll('#map .points path').length") > 2


@in_a_browser
def test_a_member_is_found_chosen_and_let_go_by_keyboard_and_the_route_is_told(browser: Browser) -> None:
    from selenium.webdriver.common.keys import Keys  # noqa: PLC0415 - the import costs those who have none

    search = browser.driver.find_element("id", "search")
    search.send_keys("ann")
    browser.until("document.querySelectorAll('#members button').length === 1")
    for _ in range(4):
        browser.driver.switch_to.active_element.send_keys(Keys.TAB)
        if browser.ask("document.activeElement.dataset.member") is not None:
            break
    browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
    browser.until("document.querySelector('#members button').getAttribute('aria-pressed') === 'true'")
    assert browser.ask("document.activeElement.dataset.member") == "0"
    detail = browser.ask("document.getElementById('detail').innerText")
    assert "2 stops" in detail
    assert "was there before" in detail
    assert HOSTILE in detail
    assert "is shown" in browser.ask("document.getElementById('said').textContent")
    browser.until("document.querySelectorAll('#map .textpoint').length === 2")
    browser.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    browser.until("document.getElementById('detail').hidden")


@in_a_browser
def test_hovering_a_job_tells_who_when_and_where_and_a_click_chooses_its_member(browser: Browser) -> None:
    from selenium.webdriver.common.action_chains import ActionChains  # noqa: PLC0415

    x, y = browser.ask(
        "(() => { const map = document.getElementById('map'), layout = map._fullLayout;"
        " const box = map.getBoundingClientRect(); const dots = map.data.find((trace) => trace.name === 'jobs');"
        " return [box.x + layout.xaxis.l2p(dots.x[0]), box.y + layout.yaxis.l2p(dots.y[0])]; })()"
    )
    ActionChains(browser.driver).move_by_offset(int(x), int(y)).perform()
    browser.until("!document.getElementById('tip').hidden")
    card = browser.ask("document.getElementById('tip').innerText")
    assert card.startswith(HOSTILE)
    assert f"Ann {HOSTILE}" in card
    assert "arrives 08:0" in card
    assert "1.1 km from the member’s start" in card
    ActionChains(browser.driver).click().perform()
    browser.until("document.querySelectorAll('#members button[aria-pressed=true]').length === 1")


@in_a_browser
def test_unassigned_jobs_are_filtered_by_reason(browser: Browser) -> None:
    browser.do("document.querySelector('[data-reason=team_mismatch]').click()")
    browser.until("document.querySelector('[data-reason=team_mismatch]').getAttribute('aria-pressed') === 'true'")
    reasons = browser.ask("document.getElementById('none-card').innerText")
    assert "Without a member: 2" in reasons
    assert "no usable coordinates" in reasons


@in_a_browser
def test_everything_is_in_tables_too(browser: Browser) -> None:
    browser.do("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    browser.until("document.querySelectorAll('details table').length === 3")
    rows = "[...document.querySelectorAll('details[data-table={}] tbody tr')].map((row) => row.innerText)"
    assert len(browser.ask(rows.format("jobs"))) == 3
    assert any("ann@acme.com" in row and "08:00 to 17:00" in row for row in browser.ask(rows.format("members")))
    assert all("off" in row or "08:00" in row for row in browser.ask(rows.format("members")))
    assert any("not in the team: 2" in row for row in browser.ask(rows.format("none")))


@in_a_browser
def test_the_theme_can_be_switched_and_the_picture_follows(browser: Browser) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    light = browser.ask(ground)
    browser.do("document.getElementById('theme').click()")
    assert browser.ask("document.documentElement.dataset.theme") == "dark"
    assert browser.ask(ground) != light
    browser.until("document.getElementById('map')._fullLayout.plot_bgcolor === '#121922'")


@in_a_browser
def test_a_large_plan_is_on_the_screen_in_seconds_and_reacts_at_once(large: Path) -> None:
    """Far out towns are bubbles; close up dots are thinned, so that the browser never draws 20 000 of them."""
    began = time.monotonic()
    opened = Browser(large / "plan.html", width=1440, height=1000)
    try:
        assert time.monotonic() - began < 30
        assert opened.ask("document.querySelectorAll('#map .textpoint').length") == 5
        opened.do("document.querySelector('#members button').click()")
        opened.until("document.querySelectorAll('#map .textpoint').length > 5")
        opened.do("for (let n = 0; n < 3; n += 1) document.getElementById('zoom-out').click()")
        opened.until("document.getElementById('map')._fullLayout.xaxis.range[1] > 0")
        assert opened.ask("document.querySelectorAll('#map .points path').length") < 6_000
        assert opened.complaints() == []
    finally:
        opened.driver.quit()


@in_a_browser
def test_tiles_are_asked_of_their_server_alone(tmp_path: Path, small: tuple[str, ...]) -> None:
    """Nobody listens at the address: what matters is who is asked, and that nothing else breaks."""
    flags = ("--map", "plan.html", "--tile-url", "http://127.0.0.1:9/{z}/{x}/{y}.png")
    assert run(*small, *flags, cwd=tmp_path).status == 0
    opened = Browser(tmp_path / "plan.html", width=1440, height=1000)
    try:
        opened.until("document.querySelectorAll('#map image').length > 0")
        asked = opened.asked() - {(tmp_path / "plan.html").as_uri()}
        assert asked
        assert all(url.startswith("http://127.0.0.1:9/") for url in asked)
        assert opened.ask("document.getElementById('credit').textContent") == "map: 127.0.0.1"
    finally:
        opened.driver.quit()
