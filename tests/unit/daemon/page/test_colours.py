"""Every pair of text and ground on the page can be read, in light and in dark."""

from __future__ import annotations

import re

import pytest

from dispatcher.daemon.page.assets import FOLDER

CSS = (FOLDER / "page.css").read_text()
TEXTS = ("ink", "muted", "accent")
HUES = (
    "accepted", "assigned", "sending", "confirmed", "held", "unknown", "rejected", "dead",
    "on_shift", "full", "stale", "off", "no_place",
)  # fmt: skip
ENOUGH = 4.5
"""WCAG 2, level AA, for text of the usual size."""


def colours(selector: str) -> dict[str, str]:
    block = CSS.partition(f"{selector} {{")[2].partition("}")[0]
    return dict(re.findall(r"--([a-z_-]+): ([^;]+);", block))


THEMES = {"light": colours(":root"), "dark": colours(':root[data-theme="dark"]')}


def rgb(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))


def luminance(colour: tuple[float, ...]) -> float:
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def mixed(colour: tuple[float, ...], ground: tuple[float, ...], share: float) -> tuple[float, ...]:
    return tuple(share * part + (1 - share) * below for part, below in zip(colour, ground, strict=True))


@pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))
def test_texts_can_be_read_on_every_ground(theme: dict[str, str]) -> None:
    for text in TEXTS:
        for ground in ("bg", "surface", "ground"):
            assert contrast(rgb(theme[text]), rgb(theme[ground])) >= ENOUGH, (text, ground)
    assert contrast(rgb(theme["on-accent"]), rgb(theme["accent"])) >= ENOUGH


@pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))
def test_the_word_of_a_state_can_be_read_on_its_own_tint(theme: dict[str, str]) -> None:
    share = float(theme["tint"].rstrip("%")) / 100
    surface = rgb(theme["surface"])
    for hue in HUES:
        colour = rgb(theme[hue])
        assert contrast(colour, mixed(colour, surface, share)) >= ENOUGH, hue


def test_the_systems_dark_is_the_chosen_dark() -> None:
    assert colours(':root:not([data-theme="light"])') == THEMES["dark"]
