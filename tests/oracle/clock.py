"""The oracle's clock: every time is in seconds since local midnight of a day, read off the member's wall clock."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from math import isfinite
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAY_S = 86_400.0
"""The wall clock's day, on days of a clock change too: HH:MM is always HH × 3600 + MM × 60."""


def zone_of(account: Mapping[str, Any], settings: Mapping[str, Any]) -> ZoneInfo:
    """The member's zone; the account's `timezone` setting when it is missing or unknown."""
    name = account.get("timezone")
    if isinstance(name, str) and name:
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            pass
    return ZoneInfo(settings["timezone"])


def today_in(zone: ZoneInfo, now: float) -> date:
    """The calendar day that the wall clock shows at Unix time `now`."""
    return datetime.fromtimestamp(now, zone).date()


def seconds_on(day: date, zone: ZoneInfo, moment: float) -> float:
    """Unix time `moment` on the wall clock, counted from midnight of `day`; above 24 h on a later day."""
    wall = datetime.fromtimestamp(moment, zone)
    clock = wall.hour * 3600 + wall.minute * 60 + wall.second + wall.microsecond / 1e6
    return (wall.date() - day).days * DAY_S + clock


def calendar_day(day: float) -> date | None:
    """YYYYMMDD as a date; None when the calendar has no such day."""
    whole = int(day)
    try:
        return date(whole // 10_000, whole // 100 % 100, whole % 100)
    except ValueError:
        return None


def number(value: object) -> float | None:
    """A finite JSON number; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return None
    return float(value)


def hhmm_seconds(value: object) -> float | None:
    """HHMM such as 1730 in seconds since midnight; None when it cannot be read."""
    hhmm = number(value)
    if hhmm is None or hhmm < 0 or hhmm > 2400 or hhmm != int(hhmm) or hhmm % 100 >= 60:
        return None
    return hhmm // 100 * 3600 + hhmm % 100 * 60
