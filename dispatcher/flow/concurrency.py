"""How many requests may be in flight at once: a limit that finds its own place (AIMD).

The rule is the one of Vector's adaptive request concurrency: up by one after a round in which the limit was reached
and the round trip did not rise; times 0.9 after a round with back-pressure or with a round trip far above the usual. A
round lasts about one usual round trip. Two things are added: an old request's failure does not lower the limit a second
time, and the place where back-pressure was met is not tried again for a while.
"""

from __future__ import annotations

import math
from typing import Literal

Signal = Literal["ok", "backpressure", "neutral"]

START = 4
"""Enough to fill a short way, too few to hurt anybody."""
DECREASE = 0.9
"""Vector's `decrease_ratio`."""
EWMA_ALPHA = 0.4
"""Vector's `ewma_alpha`: weight of the newest round in the usual round trip."""
DEVIATION_SCALE = 2.5
"""Vector's `rtt_deviation_scale`: so many deviations above the usual are a sign of overload."""
FIRST_DEVIATION = 0.5
"""Deviation assumed after the first round trip, as a share of it (RFC 6298, 2.2)."""
NOISE_S = 0.001
"""A difference in round trips below that is the event loop's own."""
WARY_S = 2.0
"""The limit that met back-pressure is not tried again for so long: a hard limit costs one refusal in that time;"""
WARY_ROUND_TRIPS = 3.0
"""nor for three times as long as the failed request took: a time-out costs more than a quick refusal."""
_SAME_MOMENT_S = 1e-6


class AdaptiveLimit:
    """Counts requests in flight and moves their limit between 1 and `max_concurrency`.

    Args:
        max_concurrency: never more than that, at least 1.
        start: the limit to begin with.

    >>> limit = AdaptiveLimit(max_concurrency=8)
    >>> limit.try_acquire()
    True
    >>> limit.release(0.05, 0.05, "ok")
    """

    __slots__ = (
        "_changed_at",
        "_deviation2",
        "_in_flight",
        "_limit",
        "_max",
        "_pressed",
        "_pressed_rtt_s",
        "_reached",
        "_restarted_at",
        "_round_count",
        "_round_ends",
        "_round_sum",
        "_usual",
        "_wary_limit",
        "_wary_until",
        "_written_off",
    )

    def __init__(self, max_concurrency: int, *, start: int = START) -> None:
        if max_concurrency < 1:
            raise ValueError(f"max_concurrency must be at least 1, not {max_concurrency}")
        self._max = self._limit = max_concurrency
        self._wary_limit = max_concurrency + 1
        self._in_flight = 0
        self._written_off = 0
        self._restarted_at = -math.inf
        self._pressed_rtt_s = 0.0
        self._begin_anew(-math.inf, max(1, min(start, max_concurrency)))

    @property
    def limit(self) -> int:
        """Requests that may be in flight now."""
        return self._limit

    @property
    def max_concurrency(self) -> int:
        """The highest value of `limit`."""
        return self._max

    @property
    def in_flight(self) -> int:
        """Requests begun and not released."""
        return self._in_flight + self._written_off

    @property
    def full(self) -> bool:
        """True when nothing more may begin before something is released (or the limit rises)."""
        return self._in_flight >= self._limit

    @property
    def usual_rtt_s(self) -> float | None:
        """The usual round trip (s), None before the first."""
        return self._usual

    def try_acquire(self) -> bool:
        """Begin a request if there is room; False: nothing was taken."""
        if self.full:
            return False
        self.force_acquire()
        return True

    def force_acquire(self) -> None:
        """Begin a request whether there is room or not (a probe while the server is away)."""
        self._in_flight += 1
        if self._in_flight >= self._limit:
            self._reached = True

    def cap(self, max_concurrency: int) -> None:
        """`limit` goes no higher than that from now on. What is in flight above it ends as it would have."""
        if max_concurrency < 1:
            raise ValueError(f"max_concurrency must be at least 1, not {max_concurrency}")
        if self._wary_limit > self._max:
            self._wary_limit = max_concurrency + 1
        self._max = max_concurrency
        self._limit = min(self._limit, max_concurrency)

    def release(self, now: float, rtt_s: float, outcome: Signal) -> None:
        """End a request that took `rtt_s` seconds.

        `ok` measures the round trip; `backpressure` says that the server is overloaded (its time is no measure);
        `neutral` says nothing.

        Raises:
            RuntimeError: nothing is in flight.
        """
        if self.in_flight == 0:
            raise RuntimeError("a request was released that was never acquired")
        begun = now - rtt_s
        old = begun < self._restarted_at - _SAME_MOMENT_S
        if self._written_off and (old or not self._in_flight):
            self._written_off -= 1
        else:
            self._in_flight -= 1
        if old:
            return
        if outcome == "backpressure":
            # A request that began before the limit last fell has met the old limit, which is punished already.
            if begun >= self._changed_at - _SAME_MOMENT_S:
                self._pressed = True
                self._pressed_rtt_s = max(self._pressed_rtt_s, rtt_s)
        elif outcome == "ok":
            self._round_sum += rtt_s
            self._round_count += 1
        if now >= self._round_ends and (self._pressed or self._round_count):
            self._end_round(now)

    def restart(self, now: float, *, limit: int = 1) -> None:
        """Begin again at a low limit, the usual round trip forgotten: the server was away.

        What is in flight still is written off: it holds no place any more, and what becomes of it says nothing.
        """
        self._written_off += self._in_flight
        self._in_flight = 0
        self._restarted_at = now
        self._begin_anew(now, max(1, min(limit, self._max)))

    def _begin_anew(self, now: float, limit: int) -> None:
        self._limit = limit
        self._usual: float | None = None
        self._deviation2 = 0.0
        self._changed_at = now
        self._wary_limit = self._max + 1
        self._wary_until = now
        self._begin_round(now)

    def _begin_round(self, ends: float) -> None:
        self._round_ends = ends
        self._round_sum = 0.0
        self._round_count = 0
        self._pressed = False
        self._pressed_rtt_s = 0.0
        self._reached = self._in_flight >= self._limit

    def _end_round(self, now: float) -> None:
        rtt = self._round_sum / self._round_count if self._round_count else None
        rise = 0.0 if rtt is None or self._usual is None else rtt - self._usual
        if self._pressed:
            self._beware(now)
            self._lower(now)
        elif self._reached and rise > max(DEVIATION_SCALE * math.sqrt(self._deviation2), NOISE_S):
            self._lower(now)
        elif self._reached and self._usual is not None and rise <= NOISE_S:
            self._raise(now)
        if rtt is not None:
            self._learn(rtt)
        self._begin_round(now + (self._usual or 0.0))

    def _beware(self, now: float) -> None:
        # What fails one at a time does not fail for being too many.
        wary_s = max(WARY_S, WARY_ROUND_TRIPS * self._pressed_rtt_s) if self._limit > 1 else 0.0
        self._wary_limit = self._limit
        self._wary_until = now + wary_s

    def _lower(self, now: float) -> None:
        self._changed_at = now
        self._limit = max(1, int(self._limit * DECREASE))

    def _raise(self, now: float) -> None:
        if now < self._wary_until and self._limit + 1 >= self._wary_limit:
            return
        self._limit = min(self._max, self._limit + 1)

    def _learn(self, rtt: float) -> None:
        # Exponentially weighted mean and variance in one step (Finch 2009, section 9).
        if self._usual is None:
            self._usual = rtt
            self._deviation2 = (rtt * FIRST_DEVIATION) ** 2
            return
        difference = rtt - self._usual
        self._usual += EWMA_ALPHA * difference
        self._deviation2 = (1.0 - EWMA_ALPHA) * (self._deviation2 + EWMA_ALPHA * difference * difference)

    def __repr__(self) -> str:
        usual = "unknown" if self._usual is None else f"{self._usual:.3f} s"
        return f"<AdaptiveLimit {self.in_flight} in flight of {self._limit} (max {self._max}), round trip {usual}>"
