"""Working hours as Hellotracks sends them."""

from __future__ import annotations

from typing import Any

import pytest

from engine.shift import read_week, span

H = 3600


def monday(start: Any, end: Any, unit: str = "hhmm") -> Any:
    found = read_week({"monday": {"start": start, "end": end}}, unit=unit)
    assert found is not None
    return found[0][0]


def test_a_value_above_1440_makes_the_schedule_hhmm() -> None:
    assert monday(300, 2130, unit="minutes") == (3 * H, 21 * H + 30 * 60)


def test_last_digits_of_60_or_more_make_it_minutes() -> None:
    assert monday(480, 1020) == (8 * H, 17 * H)


def test_a_1440_makes_it_minutes() -> None:
    assert monday(600, 1440) == (10 * H, 24 * H)


@pytest.mark.parametrize(("unit", "expected"), [("hhmm", (6 * H, 12 * H)), ("minutes", (10 * H, 20 * H))])
def test_an_undecided_schedule_follows_the_setting(unit: str, expected: tuple[int, int]) -> None:
    assert monday(600, 1200, unit=unit) == expected


def test_one_day_decides_for_the_whole_week() -> None:
    """600 to 1200 alone is undecided; Tuesday's 2000 makes all of it HHMM."""
    found = read_week({"monday": {"start": 600, "end": 1200}, "tuesday": {"start": 800, "end": 2000}}, unit="minutes")
    assert found is not None
    assert found[0][:3] == ((6 * H, 12 * H), (8 * H, 20 * H), None)


def test_zero_to_zero_is_a_day_off() -> None:
    assert monday(0, 0) is None


def test_an_end_before_the_start_runs_past_midnight() -> None:
    assert monday(2200, 600) == (22 * H, 30 * H)


def test_equal_ends_are_24_hours() -> None:
    assert monday(600, 600) == (6 * H, 30 * H)
    assert span(0, 86400) == (0, 86400)


@pytest.mark.parametrize("value", [None, "0800", True, -100, 2401, 8.5, float("nan"), float("inf"), [], 1875])
def test_hours_that_nobody_can_read_are_a_day_off_and_are_reported(value: Any) -> None:
    found = read_week({"monday": {"start": value, "end": 1700}, "friday": {"start": 800, "end": 1700}}, unit="hhmm")
    assert found is not None
    week, clean = found
    assert week[0] is None
    assert week[4] == (8 * H, 17 * H)
    assert not clean


@pytest.mark.parametrize("hours", [None, {}, {"source": "default"}, [], "all day", 7])
def test_hours_without_a_weekday_give_none(hours: Any) -> None:
    assert read_week(hours, unit="hhmm") is None
