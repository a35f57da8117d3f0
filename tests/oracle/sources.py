"""Where choices come from: a seeded generator, fast and for bulk, or hypothesis, which shrinks what it finds."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Protocol, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")


class Source(Protocol):
    """Where choices come from."""

    def pick(self, options: Sequence[T]) -> T: ...

    def rarely(self) -> bool: ...

    def between(self, low: int, high: int) -> int: ...


class SeededSource:
    """Choices of a seeded generator, each with a chance of its own for everything unusual."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._rare = random.choice((0.01, 0.05, 0.2))

    def pick(self, options: Sequence[T]) -> T:
        return self._random.choice(options)

    def rarely(self) -> bool:
        return self._random.random() < self._rare

    def between(self, low: int, high: int) -> int:
        return self._random.randint(low, high)


class DrawnSource:
    """Choices of hypothesis."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self._rare = draw(st.sampled_from((30, 12, 5)))

    def pick(self, options: Sequence[T]) -> T:
        return options[self._draw(st.integers(0, len(options) - 1))]

    def rarely(self) -> bool:
        return self._draw(st.integers(1, self._rare)) == self._rare

    def between(self, low: int, high: int) -> int:
        return self._draw(st.integers(low, high))
