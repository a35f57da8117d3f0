"""How long something may take: the one place where the engine looks at a clock, and only to stop early."""

from __future__ import annotations

import time
from collections.abc import Callable


class Deadline:
    """A moment from which no further step is begun.

    Args:
        seconds: from now; 0 or less: it has passed already.
        clock: seconds that never go back.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._end = clock() + seconds

    @property
    def left_s(self) -> float:
        """Seconds that are left, negative when it has passed."""
        return self._end - self._clock()

    @property
    def passed(self) -> bool:
        """No further step may begin."""
        return self.left_s <= 0.0
