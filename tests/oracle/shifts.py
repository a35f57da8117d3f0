"""The oracle's shifts: from when to when a member works on one day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from tests.oracle.clock import DAY_S, hhmm_seconds, number, seconds_on

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

Span = tuple[float, float]
"""Start and end in seconds since midnight; the end lies past 24 h when the shift runs over midnight."""


def shift_on(
    account: Mapping[str, Any],
    teams: Mapping[int, Mapping[str, Any]],
    day: date,
    *,
    is_today: bool,
    zone: ZoneInfo,
    now: float,
    settings: Mapping[str, Any],
) -> Span | None:
    """The member's hours on `day`; None on a day off."""
    shift = scheduled_shift(account, teams, day, settings)
    until = (number(account.get("ignore_working_hours_until_ts")) or 0) / 1000
    if is_today and until > now:
        now_s, until_s = seconds_on(day, zone, now), seconds_on(day, zone, until)
        if shift is None:
            return now_s, until_s
        return min(shift[0], now_s), max(shift[1], until_s)
    return shift


def scheduled_shift(
    account: Mapping[str, Any], teams: Mapping[int, Mapping[str, Any]], day: date, settings: Mapping[str, Any]
) -> Span | None:
    """The member's own hours, else those of the first team that has any, else the setting `default_shift`."""
    sources = [account.get("working_hours")]
    sources += [teams[team].get("working_hours") for team in team_ids(account) if team in teams]
    for hours in sources:
        if isinstance(hours, Mapping) and any(weekday in hours for weekday in WEEKDAYS):
            return weekday_shift(hours, WEEKDAYS[day.weekday()], settings["working_hours_unit"])
    start, end = settings["default_shift"].split("-")
    return span(clock_seconds(start), clock_seconds(end))


def weekday_shift(hours: Mapping[str, Any], weekday: str, unit_setting: str) -> Span | None:
    """One weekday of a schedule; None when it is missing, a day off or cannot be read."""
    entry = hours.get(weekday)
    if not isinstance(entry, Mapping):
        return None
    unit = unit_of(hours, unit_setting)
    start, end = hour_seconds(entry.get("start"), unit), hour_seconds(entry.get("end"), unit)
    if start is None or end is None:
        return None
    return span(start, end)


def unit_of(hours: Mapping[str, Any], unit_setting: str) -> str:
    """Whether the schedule's numbers are HHMM or minutes since midnight, judged over all its readable numbers."""
    numbers = []
    for weekday in WEEKDAYS:
        entry = hours.get(weekday)
        if isinstance(entry, Mapping):
            numbers += [whole_hour(entry.get("start")), whole_hour(entry.get("end"))]
    readable = [each for each in numbers if each is not None]
    if any(each > 1440 for each in readable):
        return "hhmm"
    if any(each == 1440 or each % 100 >= 60 for each in readable):
        return "minutes"
    return unit_setting


def hour_seconds(value: object, unit: str) -> float | None:
    hour = whole_hour(value)
    if hour is None:
        return None
    if unit == "minutes":
        return hour * 60.0
    return hhmm_seconds(hour)


def span(start: float, end: float) -> Span | None:
    """0/0 is a day off; an end at or before the start lies on the next day."""
    if start == 0 and end == 0:
        return None
    return start, end if end > start else end + DAY_S


def clock_seconds(text: str) -> float:
    """HH:MM of the setting `default_shift`."""
    hours, minutes = text.split(":")
    return int(hours) * 3600.0 + int(minutes) * 60.0


def team_ids(account: Mapping[str, Any]) -> list[int]:
    teams = account.get("teams")
    return list(teams) if isinstance(teams, list) else []


def whole_hour(value: object) -> int | None:
    """A whole number from 0 to 2400."""
    hour = number(value)
    return int(hour) if hour is not None and 0 <= hour <= 2400 and hour == int(hour) else None
