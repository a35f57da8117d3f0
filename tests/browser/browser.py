"""A headless Chromium of this machine with the page open. It notes what the browser complains of and whom it asks."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
needs_chromium = pytest.mark.skipif(
    not CHROMIUM or not DRIVER, reason="there is no chromium with its driver here (Debian: chromium chromium-driver)"
)
DESK = (1280, 900)
PHONE = (360, 740)


class Browser:
    """One window.

    Args:
        url: of the daemon.
        size: of the window, CSS pixels.
        dark: what the system's choice is.
    """

    def __init__(self, url: str, *, size: tuple[int, int], dark: bool) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = str(CHROMIUM)
        for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.url = url
        self.driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
        self.driver.set_script_timeout(20)
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
        self._complaints: list[str] = []

    def open(self, view: str = "") -> None:
        """Load the page and wait until it is live."""
        self.driver.get(f"{self.url}/#/{view}")
        self.until("document.getElementById('live').dataset.is === 'live'")

    def go(self, view: str) -> None:
        """Follow a link of the page."""
        self.driver.execute_script("location.hash = arguments[0]", f"#/{view}")

    def ask(self, expression: str, *values: Any) -> Any:
        """The value of a JavaScript expression."""
        return self.driver.execute_script(f"return {expression}", *values)

    def until(self, condition: str, *, timeout_s: float = 30) -> Any:
        """Wait until an expression is true; its value."""
        end = time.monotonic() + timeout_s
        while not (value := self.ask(condition)):
            assert time.monotonic() < end, (condition, self.complaints(), self.text()[:2000])
            time.sleep(0.05)
        return value

    def text(self, of: str = "body") -> str:
        """What can be read there."""
        return str(self.ask("document.querySelector(arguments[0])?.innerText ?? ''", of))

    def press(self, *keys: str) -> None:
        """Type where the focus is."""
        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()

    def tab_to(self, condition: str, *, most: int = 60) -> None:
        """Press Tab until the focused element (`it`) is the one wanted."""
        for _ in range(most):
            self.press(Keys.TAB)
            if self.ask(f"((it) => {condition})(document.activeElement)"):
                return
        raise AssertionError(f"{most} times Tab did not lead to {condition}")

    def complaints(self) -> list[str]:
        """All that the console said so far: errors, refused loads, violations of the content policy."""
        self._complaints += [entry["message"] for entry in self._log("browser")]
        return self._complaints

    def hosts(self) -> set[str]:
        """Whom the browser asked for anything since the last call."""
        told = [orjson.loads(entry["message"])["message"] for entry in self._log("performance")]
        urls = [one["params"]["request"]["url"] for one in told if one["method"] == "Network.requestWillBeSent"]
        return {urlsplit(url).netloc for url in urls if not url.startswith(("data:", "blob:", "chrome:", "about:"))}

    def _log(self, name: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self.driver.get_log(name)  # type: ignore[no-untyped-call]
        return entries


@contextmanager
def browser(url: str, *, size: tuple[int, int] = DESK, dark: bool = False) -> Iterator[Browser]:
    """A window that must have had nothing to complain of and must have asked nobody else."""
    window = Browser(url, size=size, dark=dark)
    try:
        yield window
        assert window.complaints() == []
        assert window.hosts() == {urlsplit(url).netloc}
    finally:
        window.driver.quit()
