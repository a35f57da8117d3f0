"""Working hours: from Hellotracks' `working_hours` to seconds on the wall clock of each weekday."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from engine.clock import DAY_S

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

Span = tuple[int, int]
"""(start, end) in seconds since local midnight; the end may lie past 24 h."""

Week = tuple[Span | None, ...]
"""Seven spans, Monday first; None is a day off."""


def read_week(hours: object, *, unit: str) -> tuple[Week, bool] | None:
    """A `working_hours` object as a week.

    The unit is a matter of the whole schedule: a value above 1440 means HHMM, a 1440 or last two digits of 60 or more
    mean minutes, otherwise `unit` decides.

    Args:
        hours: the JSON value.
        unit: "hhmm" or "minutes", for a schedule that can be read both ways.

    Returns:
        The week and whether every given day could be read (a day that cannot is a day off); None when the object gives
        no hours.
    """
    if not isinstance(hours, Mapping) or not any(day in hours for day in WEEKDAYS):
        return None
    pairs = [_pair(hours.get(day)) for day in WEEKDAYS]
    minutes = _in_minutes([value for pair in pairs for value in pair if value is not None], unit)
    week: list[Span | None] = []
    clean = True
    for day, (start, end) in zip(WEEKDAYS, pairs, strict=True):
        start_s, end_s = _seconds(start, minutes=minutes), _seconds(end, minutes=minutes)
        if start_s is None or end_s is None:
            clean = clean and day not in hours
            week.append(None)
        else:
            week.append(span(start_s, end_s))
    return tuple(week), clean


def span(start_s: int, end_s: int) -> Span | None:
    """The shift between two readings: 0/0 is a day off, an earlier end is on the next day, equal ends are 24 hours."""
    if start_s == 0 and end_s == 0:
        return None
    return (start_s, end_s) if end_s > start_s else (start_s, end_s + DAY_S)


def _pair(day: object) -> tuple[int | None, int | None]:
    if not isinstance(day, Mapping):
        return None, None
    return _whole(day.get("start")), _whole(day.get("end"))


def _whole(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 2400:
        return None
    return int(value) if value == int(value) else None


def _in_minutes(values: list[int], unit: str) -> bool:
    if any(value > 1440 for value in values):
        return False
    if any(value == 1440 or value % 100 >= 60 for value in values):
        return True
    return unit == "minutes"


def _seconds(value: int | None, *, minutes: bool) -> int | None:
    if value is None:
        return None
    if minutes:
        return value * 60
    return value // 100 * 3600 + value % 100 * 60 if value % 100 < 60 else None
