"""A circuit breaker: when the server is away, a probe now and then instead of everything at once."""

from __future__ import annotations

import math
import random
from enum import StrEnum

THRESHOLD = 5
"""Failures in a row that open it: more than bad luck on one connection, fewer than one round at full concurrency."""
PROBE_FIRST_S = 1.0
PROBE_LAST_S = 5.0
"""With a probe at least every 5 s, sending resumes well within 15 s after the server is back."""
PROBE_GROWTH = 1.5
_SAME_MOMENT_S = 1e-6


class BreakerState(StrEnum):
    """Where the breaker is."""

    CLOSED = "closed"
    """everything may go"""
    OPEN = "open"
    """nothing may go before the next probe is due"""
    HALF_OPEN = "half_open"
    """a probe is out, nothing has been heard yet"""


class Breaker:
    """Opens after failures in a row, lets a probe through now and then, closes on the first success.

    A probe that hangs does not hold up the next one: they go out by the clock, the gaps drawn from the upper half of an
    interval that grows from `first_s` to `last_s`. So there are never more than two begun within a second, and never
    less than one within `last_s`, whatever the request time-out.

    Args:
        rng: draws the gaps, so that several senders do not probe in step.
        threshold: failures in a row that open it.
        first_s: interval before the first probe, in seconds.
        last_s: the longest interval, in seconds.
    """

    __slots__ = (
        "_closed_at",
        "_failures",
        "_first_s",
        "_interval_s",
        "_last_s",
        "_probe_at",
        "_rng",
        "_state",
        "_threshold",
    )

    def __init__(
        self,
        rng: random.Random,
        *,
        threshold: int = THRESHOLD,
        first_s: float = PROBE_FIRST_S,
        last_s: float = PROBE_LAST_S,
    ) -> None:
        if threshold < 1 or not 0.0 < first_s <= last_s:
            raise ValueError("a breaker needs threshold >= 1 and 0 < first_s <= last_s")
        self._rng = rng
        self._threshold = threshold
        self._first_s = first_s
        self._last_s = last_s
        self._state = BreakerState.CLOSED
        self._failures = 0
        self._interval_s = first_s
        self._probe_at = -math.inf
        self._closed_at = -math.inf

    @property
    def state(self) -> BreakerState:
        """Where it is."""
        return self._state

    @property
    def closed(self) -> bool:
        """True when requests go as usual."""
        return self._state is BreakerState.CLOSED

    @property
    def failures(self) -> int:
        """Failures in a row so far, while closed."""
        return self._failures

    def delay(self, now: float) -> float:
        """Seconds until a request may begin: 0.0 when closed or a probe is due."""
        return 0.0 if self.closed else max(0.0, self._probe_at - now)

    def begin(self, now: float) -> None:
        """A request begins now. While the breaker is not closed it is a probe, and the next one is put off."""
        if not self.closed:
            self._state = BreakerState.HALF_OPEN
            self._interval_s = min(self._last_s, self._interval_s * PROBE_GROWTH)
            self._put_off(now)

    def success(self, now: float) -> bool:
        """The server answered as it should. True when this closed the breaker: then begin again slowly."""
        self._failures = 0
        if self.closed:
            return False
        self._state = BreakerState.CLOSED
        self._closed_at = now
        return True

    def failure(self, now: float, begun: float) -> bool:
        """A request begun at `begun` did not get through. True when this opened the breaker.

        Requests of the time before the breaker last closed are old news and do not count.
        """
        if self._state is BreakerState.HALF_OPEN:
            self._state = BreakerState.OPEN
        if not self.closed or begun < self._closed_at - _SAME_MOMENT_S:
            return False
        self._failures += 1
        if self._failures < self._threshold:
            return False
        self._state = BreakerState.OPEN
        self._interval_s = self._first_s
        self._put_off(now)
        return True

    def _put_off(self, now: float) -> None:
        self._probe_at = now + self._interval_s * self._rng.uniform(0.5, 1.0)

    def __repr__(self) -> str:
        if self.closed:
            return f"<Breaker closed, {self._failures} of {self._threshold} failures>"
        return f"<Breaker {self._state}, probe interval {self._interval_s:.1f} s>"
