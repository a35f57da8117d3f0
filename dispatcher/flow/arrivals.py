"""Holds requests back until enough of those before them must have arrived, so that limits hold at the server.

A limiter spaces requests by when they are sent. A request that is late on its way (a busy event loop, a slow network, a
connection that had to be made) comes closer to those behind it, and a window at the server holds more than it did here.
How late a request was shows in its round trip: what that took beyond the shortest of the last ones is the most by which
it can have been late. It counts as arrived then; one that has not been answered counts as being late still.

Lateness beyond a share of the window is not waited for: a server that takes its time looks the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from dispatcher.flow.limits import Limit
from dispatcher.flow.round_trips import RoundTrips

LATE_SHARE = 0.25
"""Of a window: lateness that is waited for at most,"""
LATE_CAP_S = 0.75
"""but no more than that; in windows in which that is little, the limiter's own slack covers more."""


class Sent:
    """A request that went onto the wire.

    Attributes:
        at: when (s).
        late_s: how late it arrived at most; None while it is not answered.
    """

    __slots__ = ("at", "late_s")

    def __init__(self, at: float) -> None:
        self.at = at
        self.late_s: float | None = None


class Arrivals:
    """What may still count against the limits at the server.

    Args:
        limits: as given to the limiter.

    >>> arrivals = Arrivals([Limit(1, 1.0)])
    >>> sent = arrivals.sent(10.0)
    >>> arrivals.answered(sent, 10.3)
    >>> round(arrivals.delay(11.0), 3)      # it may have come as late as 10.25, a quarter of the window
    0.25
    """

    __slots__ = ("_limits", "_log", "_longest_s", "_round_trips")

    def __init__(self, limits: Iterable[Limit]) -> None:
        self._log: deque[Sent] = deque()
        self._round_trips = RoundTrips()
        self.change(limits)

    def change(self, limits: Iterable[Limit]) -> None:
        """Keep other limits from now on."""
        self._limits = tuple((limit.count, limit.window_s, late_cap_s(limit.window_s)) for limit in limits)
        self._longest_s = max((window_s + cap_s for _, window_s, cap_s in self._limits), default=0.0)

    def sent(self, now: float) -> Sent:
        """A request goes onto the wire; `answered` wants the result."""
        request = Sent(now)
        if self._limits:
            self._log.append(request)
        return request

    def answered(self, request: Sent, now: float) -> None:
        """It was answered, or given up."""
        round_trip_s = now - request.at
        request.late_s = max(0.0, round_trip_s - self._round_trips.shortest_s)
        if self._limits:
            self._round_trips.add(round_trip_s)

    def delay(self, now: float) -> float:
        """Seconds until one more request may go, as far as is known now; 0.0: at once."""
        log = self._log
        while log and log[0].at + self._longest_s <= now:
            log.popleft()
        return max((self._delay(now, *limit) for limit in self._limits), default=0.0)

    def _delay(self, now: float, count: int, window_s: float, cap_s: float) -> float:
        """Until all but `count - 1` have left the window that would end with the next request."""
        first = len(self._log) - count
        if first < 0:
            return 0.0
        # nobody sent later than that can leave before the one that must have left
        last_at = self._log[first].at + cap_s
        leaving = []
        for place, request in enumerate(self._log):
            if place > first and request.at > last_at:
                break
            leaving.append(request.at + min(self._late_s(request, now), cap_s) + window_s)
        leaving.sort()
        return max(0.0, leaving[first] - now)

    def _late_s(self, request: Sent, now: float) -> float:
        if request.late_s is not None:
            return request.late_s
        return max(0.0, now - request.at - self._round_trips.shortest_s)


def late_cap_s(window_s: float) -> float:
    """Lateness that is waited for at most in such a window (s)."""
    return min(LATE_SHARE * window_s, LATE_CAP_S)
