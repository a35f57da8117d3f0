"""How long to wait before trying again, and how often anybody may try again at all."""

from __future__ import annotations

import random

from dispatcher.flow.clock import SteadyClock

BASE_S = 0.5
CAP_S = 30.0

RETRY_SHARE = 0.5
"""Retries per success: a server that fails a third of all requests is still served at full speed (1/3 to 2/3)."""
RETRY_FLOOR_PER_S = 1.0
"""Retries a second that are always allowed, so that nothing stays behind when nothing succeeds."""
RETRY_SAVINGS = 20.0
"""Retries that can be saved up: a short fault after a good time is retried at once."""


def full_jitter_s(attempt: int, rng: random.Random, *, base_s: float = BASE_S, cap_s: float = CAP_S) -> float:
    """Seconds to wait after failure number `attempt`, counted from 0, with full jitter.

    Uniform in `[0, min(cap_s, base_s * 2 ** attempt)]`: clients that failed together do not come back together (the
    "full jitter" of "Exponential Backoff and Jitter", AWS Architecture Blog, 2015). A negative `attempt` counts as 0.
    """
    # 2 ** 60 is beyond any cap; the bound keeps the power a small number.
    doublings = min(max(attempt, 0), 60)
    return rng.uniform(0.0, min(cap_s, base_s * 2.0**doublings))


class RetryBudget:
    """A token bucket that retries draw from, so that they can never be more than a share of the successes plus a floor.

    Every success adds `share`, every second adds `floor_per_s`, up to `savings`; every retry takes 1. `delay` only
    looks, `take` takes. First tries are not retries, and neither are the halves of a batch that was refused for its
    content.

    >>> budget = RetryBudget(0.0)
    >>> budget.delay(0.0)
    0.0
    """

    __slots__ = ("_at", "_clock", "_floor_per_s", "_savings", "_share", "_tokens")

    def __init__(
        self,
        now: float,
        *,
        share: float = RETRY_SHARE,
        floor_per_s: float = RETRY_FLOOR_PER_S,
        savings: float = RETRY_SAVINGS,
    ) -> None:
        if share < 0.0 or floor_per_s <= 0.0 or savings < 1.0:
            raise ValueError("a retry budget needs share >= 0, floor_per_s > 0 and savings >= 1")
        self._clock = SteadyClock(now)
        self._at = 0.0
        self._share = share
        self._floor_per_s = floor_per_s
        self._savings = savings
        self._tokens = savings

    def success(self, now: float, count: int = 1) -> None:
        """Note requests that succeeded."""
        self._refill(now)
        self._tokens = min(self._savings, self._tokens + self._share * count)

    def delay(self, now: float) -> float:
        """Seconds until a retry is allowed even if nothing succeeds meanwhile; 0.0: now."""
        self._refill(now)
        # A millionth is forgiven: the sum of many small refills is not exactly whole.
        missing = 1.0 - self._tokens
        return missing / self._floor_per_s if missing > 1e-6 else 0.0

    def take(self, now: float) -> None:
        """Count a retry.

        Raises:
            RuntimeError: `delay` is not 0 yet. Nothing was counted.
        """
        wait_s = self.delay(now)
        if wait_s:
            raise RuntimeError(f"a retry was started {wait_s:.6f} s before the budget allows it")
        self._tokens = max(0.0, self._tokens - 1.0)

    def _refill(self, now: float) -> None:
        steady = self._clock.read(now)
        self._tokens = min(self._savings, self._tokens + (steady - self._at) * self._floor_per_s)
        self._at = steady

    def __repr__(self) -> str:
        return f"<RetryBudget {self._tokens:.1f} of {self._savings:g} retries>"
