"""Wall clocks: an hour is where the clock shows it, on days of a clock change too."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from engine.clock import day_number, day_ordinal, find_zone, wall_clock, weekday

ROME = ZoneInfo("Europe/Rome")


def unix(*when: int) -> float:
    return datetime(*when, tzinfo=UTC).timestamp()  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("now", "seconds"),
    [
        (unix(2026, 3, 29, 0, 30), 1.5 * 3600),  # before the hour that is left out
        (unix(2026, 3, 29, 1, 30), 3.5 * 3600),  # after it
        (unix(2026, 10, 25, 0, 30), 2.5 * 3600),  # first pass of the doubled hour
        (unix(2026, 10, 25, 1, 30), 2.5 * 3600),  # second pass
    ],
)
def test_now_is_read_off_the_wall_clock_on_days_of_a_change(now: float, seconds: float) -> None:
    assert wall_clock(now, ROME)[1] == seconds


def test_the_day_is_the_members_own() -> None:
    noon = unix(2026, 1, 5, 12)
    days = [wall_clock(noon, ZoneInfo(name))[0] for name in ("Pacific/Kiritimati", "UTC", "Pacific/Pago_Pago")]
    assert [day_number(day) for day in days] == [20260106, 20260105, 20260105]


def test_fractions_of_a_second_are_kept() -> None:
    assert wall_clock(unix(2026, 1, 5) + 0.25, ROME)[1] == 3600.25


@pytest.mark.parametrize("day", [20261301, 20260230, 0, -1, 999, 10**12])
def test_a_day_that_is_none_is_none(day: int) -> None:
    assert day_ordinal(day) is None


def test_days_go_there_and_back() -> None:
    ordinal = day_ordinal(20240229)
    assert ordinal is not None
    assert day_number(ordinal) == 20240229
    assert weekday(ordinal) == date(2024, 2, 29).weekday()


@pytest.mark.parametrize("name", ["Mars/Base", "", " UTC", "../etc/passwd", "Europe"])
def test_an_unknown_zone_is_none(name: str) -> None:
    assert find_zone(name) is None
