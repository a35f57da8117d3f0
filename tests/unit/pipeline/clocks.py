"""A clock for tests that stands where it is put."""

from __future__ import annotations


class Still:
    """Every clock reads `at` until it is moved."""

    def __init__(self, at: float) -> None:
        self.at = at

    def now(self) -> float:
        return self.at

    def wall(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at
