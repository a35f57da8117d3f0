"""Where the moments of another machine's clock lie on one's own, whatever either of them shows."""

from __future__ import annotations

from collections import deque

DRIFT = 1e-3
"""Seconds in a second by which two clocks may come apart: more than a clock is off, and than it is usually slewed."""
REMEMBERED_S = 2.0
EXCHANGES = 16


class FarClock:
    """Bounds for a far clock, from exchanges: it was read there after we asked, and before we heard the answer.

    One quick exchange bounds the moments of slow ones. When the far clock was set, the exchanges before no longer agree
    with the newest one, and are forgotten.

    >>> clock = FarClock()
    >>> clock.learn(asked=10.0, heard=10.5, far=1000.25)
    >>> clock.bounds(1001.0)
    (10.75, 11.25)
    """

    __slots__ = ("_exchanges", "_highest", "_lowest")

    def __init__(self) -> None:
        self._exchanges: deque[tuple[float, float, float]] = deque(maxlen=EXCHANGES)
        self._lowest = self._highest = 0.0

    def learn(self, *, asked: float, heard: float, far: float) -> None:
        """An exchange: our clock before and after, the far one in between (s)."""
        while self._exchanges and self._exchanges[0][0] < heard - REMEMBERED_S:
            self._exchanges.popleft()
        self._exchanges.append((heard, far - heard, far - asked))
        self._lowest = max(low - DRIFT * (heard - at) for at, low, _ in self._exchanges)
        self._highest = min(high + DRIFT * (heard - at) for at, _, high in self._exchanges)
        if self._lowest > self._highest:
            self._exchanges.clear()
            self._exchanges.append((heard, far - heard, far - asked))
            self._lowest, self._highest = far - heard, far - asked

    def bounds(self, far: float) -> tuple[float, float]:
        """The earliest and the latest that a moment of the far clock can be on ours (s)."""
        return far - self._highest, far - self._lowest
