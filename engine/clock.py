"""Wall clocks and calendar days: h x 3600 + m x 60 + s since local midnight, on days of a clock change too."""

from __future__ import annotations

import math
from datetime import date, datetime, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

DAY_S: Final = 86400


@lru_cache(maxsize=1024)
def find_zone(name: str) -> tzinfo | None:
    """The zone of an IANA name, None when there is none of that name."""
    if not name or name != name.strip():
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def wall_clock(now: float, zone: tzinfo) -> tuple[int, float]:
    """Unix seconds as (ordinal of the local day, seconds on the wall clock)."""
    whole = math.floor(now)
    local = datetime.fromtimestamp(whole, zone)
    return local.toordinal(), local.hour * 3600.0 + local.minute * 60.0 + local.second + (now - whole)


def day_ordinal(day: int) -> int | None:
    """YYYYMMDD as the ordinal of the date, None when there is no such day."""
    try:
        return date(day // 10000, day // 100 % 100, day % 100).toordinal()
    except (ValueError, OverflowError):
        return None


def day_number(ordinal: int) -> int:
    """The ordinal of a date as YYYYMMDD."""
    day = date.fromordinal(ordinal)
    return day.year * 10000 + day.month * 100 + day.day


def weekday(ordinal: int) -> int:
    """0 for Monday to 6 for Sunday."""
    return (ordinal + 6) % 7
