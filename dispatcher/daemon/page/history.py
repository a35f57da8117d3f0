"""What an account did in the last minutes, second by second: a ring of points. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import msgspec

KEPT = 600
"""Points: ten minutes of seconds."""
DIGITS = 3


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One second of an account.

    Attributes:
        at: its end, Unix seconds.
        accepted, confirmed: jobs in that second.
        failed: jobs that were rejected or given up in it.
        waiting: jobs that wait to be decided or sent.
        held: jobs without a member.
        unknown: jobs that are being looked up.
        delivery_p50_s, delivery_p95_s: from accepted to confirmed, of a sample of those confirmed; None when none was.
        commit_ms: from checked to durable, mean over the second's requests; None when there was none.
        round_trip_ms: the usual round trip to Hellotracks; None before the first.
        limit: requests that may be under way, adaptive.
        in_flight: requests that are.
        throttled: 429s in that second.
        pushed_back: other requests that the server could not cope with.
    """

    at: float
    accepted: float
    confirmed: float
    failed: float
    waiting: int
    held: int
    unknown: int
    delivery_p50_s: float | None
    delivery_p95_s: float | None
    commit_ms: float | None
    round_trip_ms: float | None
    limit: int
    in_flight: int
    throttled: int
    pushed_back: int


FIELDS = Point.__struct_fields__


class History:
    """The last points of an account."""

    __slots__ = ("_points",)

    def __init__(self, kept: int = KEPT) -> None:
        self._points: deque[Point] = deque(maxlen=kept)

    def __len__(self) -> int:
        return len(self._points)

    def add(self, point: Point) -> None:
        """One more second; the oldest one goes when there are enough."""
        self._points.append(point)

    def columns(self) -> dict[str, list[float | None]]:
        """Every field as a list, the oldest point first."""
        return {name: [short(getattr(point, name)) for point in self._points] for name in FIELDS}


def short(value: float | None) -> float | None:
    """A number with the digits that a chart can show."""
    return value if value is None or isinstance(value, int) else round(value, DIGITS)


def quantiles(values: Iterable[float]) -> tuple[float | None, float | None]:
    """The middle one and the one that 95 of 100 do not exceed (nearest rank), None without values."""
    ranked = sorted(values)
    if not ranked:
        return None, None
    return ranked[(len(ranked) - 1) // 2], ranked[-(-len(ranked) * 95 // 100) - 1]
