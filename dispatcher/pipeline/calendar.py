"""Which date it is where."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def date_in(zone: str, at: float) -> int:
    """The date (YYYYMMDD) in a zone at a Unix time; an unknown zone is UTC."""
    try:
        local = datetime.fromtimestamp(at, ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        local = datetime.fromtimestamp(at, UTC)
    return local.year * 10000 + local.month * 100 + local.day


def dates_in(zones: Iterable[str], at: float) -> set[int]:
    """The dates that it is in some zones: one to three."""
    return {date_in(zone, at) for zone in zones}


def moment(day: int, hhmm: int, zone: str) -> float:
    """The Unix time of a clock time HHMM (2400 is the end of the day) on a date YYYYMMDD in a zone.

    Raises:
        ValueError: there is no such date or time.
    """
    try:
        where: tzinfo = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        where = UTC
    on = date(day // 10000, day // 100 % 100, day % 100)
    if hhmm == 2400:
        return datetime.combine(on + timedelta(days=1), time(0), where).timestamp()
    return datetime.combine(on, time(*divmod(hhmm, 100)), where).timestamp()
