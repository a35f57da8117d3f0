"""How the next process dies: at which named point, or at a random moment. Every point gets its turn."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

from dispatcher.model.points import POINTS

RANDOM_MOMENT = "a random moment"
RANDOM_SHARE = 0.3
WHILE_UNDER_WAY = 0.25
"""share of the deaths after `send.written` that come a little later, while the request is under way"""
SELDOM = frozenset(POINTS) - {
    name for name in POINTS if name.startswith(("commit.", "send.", "lookup.")) or name == "settle.done"
}
"""passed once in a process, or not much more often"""


@dataclass(frozen=True, slots=True)
class Death:
    """One process's end.

    Attributes:
        point: where, or `RANDOM_MOMENT`.
        passing: at which passing of the point.
        after_s: so much later; for a random moment, since the start of the process.
    """

    point: str
    passing: int = 1
    after_s: float = 0.0

    @property
    def wish(self) -> str:
        """As `child.py` takes it."""
        if self.point == RANDOM_MOMENT:
            return "never"
        return f"{self.point}:{self.passing}" + (f"+{self.after_s:.3f}" if self.after_s else "")


@dataclass(slots=True)
class Deaths:
    """Draws deaths and counts those that came about.

    Attributes:
        wanted: how many.
        came: how many came about, by point.
    """

    wanted: int
    rng: random.Random
    came: Counter[str] = field(default_factory=Counter)
    _turn: list[str] = field(default_factory=list)
    _drawn: int = 0

    @property
    def enough(self) -> bool:
        """So many, and every point among them."""
        return self.came.total() >= self.wanted and set(POINTS) <= set(self.came)

    def draw(self) -> Death:
        """The next one. Points that were passed by least come first."""
        self._drawn += 1
        if self.rng.random() < RANDOM_SHARE:
            return Death(RANDOM_MOMENT, after_s=self.rng.uniform(0.3, 1.8))
        if not self._turn:
            self._turn = sorted(POINTS, key=lambda point: (self.came[point], self.rng.random()), reverse=True)
        point = self._turn.pop()
        passing = 1 if point in SELDOM else self.rng.choice((1, 1, 1, 2, 3))
        later = point == "send.written" and self.rng.random() < WHILE_UNDER_WAY
        return Death(point, passing, self.rng.uniform(0.005, 0.06) if later else 0.0)
