"""Dates and moments in zones."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from dispatcher.pipeline.calendar import date_in, dates_in, moment

ROME = ZoneInfo("Europe/Rome")
NIGHT = datetime(2026, 3, 29, 0, 30, tzinfo=ROME).timestamp()
"""Half past midnight of the day on which the clock goes forward."""


def test_it_is_another_date_elsewhere() -> None:
    assert date_in("Europe/Rome", NIGHT) == 20260329
    assert dates_in({"Europe/Rome", "America/New_York", "UTC"}, NIGHT) == {20260329, 20260328}
    assert date_in("Nowhere/AtAll", NIGHT) == date_in("UTC", NIGHT)


def test_a_clock_time_is_a_moment_in_its_zone() -> None:
    assert moment(20260329, 30, "Europe/Rome") == NIGHT
    assert moment(20260105, 1730, "UTC") == datetime(2026, 1, 5, 17, 30, tzinfo=ZoneInfo("UTC")).timestamp()
    assert moment(20260105, 1730, "Nowhere/AtAll") == moment(20260105, 1730, "UTC")


def test_a_day_ends_at_the_next_midnight_however_long_it_is() -> None:
    assert moment(20260329, 2400, "Europe/Rome") - moment(20260329, 0, "Europe/Rome") == 23 * 3600
    assert moment(20261231, 2400, "UTC") == moment(20270101, 0, "UTC")


def test_what_is_no_date_is_none() -> None:
    with pytest.raises(ValueError, match="month"):
        moment(20261301, 0, "UTC")
