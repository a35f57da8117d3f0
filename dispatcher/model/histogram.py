"""A histogram as plain numbers: counted where things happen, read by whoever asks."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate


class Histogram:
    """Counts values by size. One thread observes, any thread may read.

    Args:
        bounds: upper bounds of the buckets, rising; a value that equals one falls into its bucket. What is above the
            last one is counted too.

    >>> waits = Histogram((0.1, 1.0))
    >>> for seconds in (0.05, 0.1, 7.0):
    ...     waits.observe(seconds)
    >>> waits.buckets(), round(waits.total, 2)
    ([('0.1', 2), ('1.0', 2), ('+Inf', 3)], 7.15)
    """

    __slots__ = ("_bounds", "_counts", "_names", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        if not bounds or list(bounds) != sorted(set(bounds)):
            raise ValueError(f"the bounds of a histogram must rise: {bounds}")
        self._bounds = tuple(float(bound) for bound in bounds)
        self._names = (*(str(bound) for bound in self._bounds), "+Inf")
        self._counts = [0] * (len(bounds) + 1)
        self.total = 0.0
        """sum of all values"""

    def __repr__(self) -> str:
        return f"<Histogram of {self.count} values, sum {self.total:g}>"

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self._counts)

    def observe(self, value: float, *, times: int = 1) -> None:
        """Count a value, or several equal ones."""
        self._counts[bisect_left(self._bounds, value)] += times
        self.total += value * times

    def buckets(self) -> list[tuple[str, int]]:
        """(upper bound as text, values up to there), as Prometheus has it; the last one is `+Inf`."""
        return list(zip(self._names, accumulate(self._counts), strict=True))
