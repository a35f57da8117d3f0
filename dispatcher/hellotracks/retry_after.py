"""The header `Retry-After` (RFC 9110, section 10.2.3)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_S = 3600.0
"""A server that names more is taken to mean an hour."""

_SECONDS = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*)?|[+-]?\.[0-9]+")


def retry_after_s(value: str | None, *, now: float, date: str | None = None) -> float | None:
    """Seconds to wait, between 0 and one hour; None when the header is missing or makes no sense.

    Args:
        value: the header: seconds, seconds with a fraction, or an HTTP date.
        now: Unix time, used for an HTTP date when the reply has no readable `Date` header.
        date: the reply's `Date` header, which makes a wrong clock on either side harmless.
    """
    if value is None:
        return None
    text = value.strip()
    if _SECONDS.fullmatch(text):
        wait = float(text)
    else:
        until = _unix_time(text)
        if until is None:
            return None
        sent = _unix_time(date) if date else None
        wait = until - (now if sent is None else sent)
    return min(max(wait, 0.0), LONGEST_S)


def _unix_time(text: str) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return (moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
