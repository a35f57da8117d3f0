"""The sandbox's rate limits: true sliding windows, several at a time, per API key."""

from __future__ import annotations

import math
import re
from collections import deque
from dataclasses import dataclass

_UNITS_S = {"s": 1.0, "sec": 1.0, "second": 1.0, "min": 60.0, "m": 60.0, "minute": 60.0, "h": 3600.0, "hour": 3600.0}
_LIMIT = re.compile(r"(\d+)\s*/\s*(\d+(?:\.\d+)?)?\s*([a-z]+)")


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` requests in any stretch of `window_s` seconds.

    Attributes:
        text: as it was written, such as "10/s".
        count: requests, 1 or more.
        window_s: seconds, above 0.
    """

    text: str
    count: int
    window_s: float


def parse_limits(text: str) -> tuple[Limit, ...]:
    """Limits such as `"10/s, 300/min"` or `"5/10s"`; units are s, min and h. An empty text means no limit.

    Raises:
        ValueError: naming the part that cannot be read.
    """
    limits = []
    for part in (part.strip() for part in text.split(",")):
        if not part:
            continue
        match = _LIMIT.fullmatch(part.lower())
        unit_s = _UNITS_S.get(match[3]) if match else None
        if match is None or unit_s is None:
            raise ValueError(f'limits: "{part}" must be COUNT/UNIT, such as 10/s, 300/min or 5/10s')
        limit = Limit(part, int(match[1]), float(match[2] or 1) * unit_s)
        if limit.count < 1 or limit.window_s <= 0.0:
            raise ValueError(f'limits: "{part}" must allow at least 1 request in more than 0 seconds')
        limits.append(limit)
    return tuple(limits)


class SlidingWindows:
    """Admits a request when no limit of its key would be exceeded. Refused requests use nothing up.

    Attributes:
        limits: what is enforced.
        violations: requests that were refused.
        peaks: per limit the most requests of one key that ever *came* within one window, refused ones included.
    """

    def __init__(self, limits: tuple[Limit, ...]) -> None:
        self.limits = limits
        self.violations = 0
        self.peaks: dict[str, int] = {limit.text: 0 for limit in limits}
        self._admitted: dict[str, list[deque[float]]] = {}
        self._came: dict[str, list[deque[float]]] = {}

    def admit(self, key: str, t: float) -> float:
        """0.0 when the request that came at `t` (monotonic seconds) may pass, else the seconds until one may."""
        if not self.limits:
            return 0.0
        wait = 0.0
        came = self._came.setdefault(key, [deque() for _ in self.limits])
        admitted = self._admitted.setdefault(key, [deque() for _ in self.limits])
        for limit, arrivals, taken in zip(self.limits, came, admitted, strict=True):
            arrivals.append(t)
            _forget(arrivals, t - limit.window_s)
            _forget(taken, t - limit.window_s)
            self.peaks[limit.text] = max(self.peaks[limit.text], len(arrivals))
            if len(taken) >= limit.count:
                wait = max(wait, taken[-limit.count] + limit.window_s - t)
        if wait > 0.0:
            self.violations += 1
            return wait
        for taken in admitted:
            taken.append(t)
        return 0.0


def retry_after(wait_s: float) -> str:
    """The header's value: whole seconds, rounded up, so that whoever obeys is never early."""
    return str(max(1, math.ceil(wait_s)))


def _forget(times: deque[float], until: float) -> None:
    while times and times[0] <= until:
        times.popleft()
