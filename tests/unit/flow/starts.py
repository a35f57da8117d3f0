"""A sender that starts whenever its limiter lets it, and what came of that."""

from __future__ import annotations

from dispatcher.flow import GcraLimiter


def starts(limiter: GcraLimiter, *, now: float, until: float) -> list[float]:
    """Start as early and as often as the limiter allows; the moments at which that was."""
    moments: list[float] = []
    while now < until:
        wait = limiter.delay(now)
        if wait:
            now += wait
        else:
            limiter.take(now)
            moments.append(now)
    return moments


def most_within(moments: list[float], window_s: float) -> int:
    return max(sum(first <= other < first + window_s for other in moments) for first in moments)
