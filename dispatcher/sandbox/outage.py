"""Being down: the sandbox refuses everything for a while, then comes back by itself or when told."""

from __future__ import annotations

import math

MODES = ("close", "503")


class Outage:
    """Whether the sandbox is down, and how it shows.

    Attributes:
        mode: "close" closes every connection at once, "503" answers so.
        refused: requests that came while down.
    """

    def __init__(self) -> None:
        self.mode = "close"
        self.refused = 0
        self._until = -math.inf

    def begin(self, *, until: float, mode: str = "close") -> None:
        """Down until the monotonic time `until`.

        Raises:
            ValueError: unknown mode.
        """
        if mode not in MODES:
            raise ValueError(f'outage: unknown mode "{mode}" (known: {", ".join(MODES)})')
        self.mode = mode
        self._until = until

    def end(self) -> None:
        """Up again."""
        self._until = -math.inf

    def is_down(self, t: float) -> bool:
        return t < self._until
