"""Rate limits as text: "10/s, 300/min, 5000/h, 100/10s"."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_UNITS_S = {
    "s": 1.0,
    "sec": 1.0,
    "second": 1.0,
    "seconds": 1.0,
    "min": 60.0,
    "minute": 60.0,
    "minutes": 60.0,
    "h": 3600.0,
    "hour": 3600.0,
    "hours": 3600.0,
    "d": 86400.0,
    "day": 86400.0,
    "days": 86400.0,
}
_PART = re.compile(r"(?P<count>[0-9]+)\s*/\s*(?P<many>[0-9]+(?:\.[0-9]+)?)?\s*(?P<unit>[A-Za-z]+)")
_SHORTEST_S = 0.001
_LONGEST_S = 366 * 86400.0


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` requests in any `window_s` seconds.

    Attributes:
        count: requests, at least 1.
        window_s: length of the window in seconds, from a millisecond to 366 days.

    Raises:
        ValueError: a number is out of its range.
    """

    count: int
    window_s: float

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"the number of requests must be at least 1, not {self.count}")
        if not _SHORTEST_S <= self.window_s <= _LONGEST_S:
            raise ValueError(f"the window must be between 1 millisecond and 366 days, not {self.window_s:g} s")

    def __str__(self) -> str:
        return f"{self.count}/{_format_window(self.window_s)}"


def parse_limits(text: str) -> tuple[Limit, ...]:
    """Read a comma-separated list of limits; empty text means no limit.

    One limit is `COUNT/WINDOW`, the window a unit (`s`, `min`, `h`, `d` or the word), with a number before it when it
    is not 1.

    Raises:
        ValueError: the message names the part that cannot be read and says why.

    >>> parse_limits("10/s, 300/min")
    (Limit(count=10, window_s=1.0), Limit(count=300, window_s=60.0))
    """
    if not text.strip():
        return ()
    limits: list[Limit] = []
    for part in text.split(","):
        limit = _parse_part(part.strip())
        for other in limits:
            if other.window_s == limit.window_s:
                raise ValueError(f'"{part.strip()}": there is already a limit for that window, {other}')
        limits.append(limit)
    return tuple(limits)


def format_limits(limits: Iterable[Limit]) -> str:
    """The shortest text that `parse_limits` reads back as these limits; "" for none."""
    return ", ".join(str(limit) for limit in limits)


def _parse_part(part: str) -> Limit:
    if not part:
        raise ValueError('an empty part between commas; write limits such as "10/s, 300/min"')
    match = _PART.fullmatch(part)
    if match is None:
        raise ValueError(f'"{part}" is not a limit; write COUNT/WINDOW, such as 10/s, 300/min or 100/10s')
    unit = match["unit"].lower()
    if unit not in _UNITS_S:
        raise ValueError(f'"{part}": the unit "{match["unit"]}" is not known; write s, min, h or d')
    try:
        return Limit(int(match["count"]), float(match["many"] or 1) * _UNITS_S[unit])
    except ValueError as error:
        raise ValueError(f'"{part}": {error}') from None


def _format_window(window_s: float) -> str:
    for unit, unit_s in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        many = window_s / unit_s
        if many == int(many):
            return unit if many == 1 else f"{int(many)}{unit}"
    if window_s == int(window_s):
        return "s" if window_s == 1 else f"{int(window_s)}s"
    return f"{window_s!r}s"
