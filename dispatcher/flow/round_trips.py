"""The usual way to a server and back, by which a late one is told."""

from __future__ import annotations

from collections import deque

ROUND_TRIPS = 512
"""The shortest of so many of the last ones is the way there and back."""
FEW_ROUND_TRIPS = 5
"""With fewer the shortest is not known, and all of a round trip may have been lateness."""


class RoundTrips:
    """The shortest of the last round trips.

    Attributes:
        shortest_s: 0.0 while too few are known.
    """

    __slots__ = ("_last_s", "shortest_s")

    def __init__(self) -> None:
        self._last_s: deque[float] = deque(maxlen=ROUND_TRIPS)
        self.shortest_s = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self._last_s.append(seconds)
        if len(self._last_s) >= FEW_ROUND_TRIPS:
            self.shortest_s = min(self._last_s)

    def __len__(self) -> int:
        return len(self._last_s)
