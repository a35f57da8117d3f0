"""Is there room for more jobs: the row limit and the floor of free disk."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from dispatcher.errors import SpoolFull

LOOK_EVERY_S = 1.0
"""Free space is asked for at most this often."""


class Room:
    """Says no before the disk does.

    Args:
        folder: where the file lies.
        max_rows: most unsettled rows, 0 for no limit.
        min_free_bytes: free bytes that must stay on the disk, 0 for no floor.
        clock: monotonic seconds.
        free_bytes: asks the disk.
    """

    __slots__ = ("_clock", "_folder", "_free", "_free_bytes", "_looked_at", "_max_rows", "_min_free_bytes")

    def __init__(
        self,
        folder: Path,
        *,
        max_rows: int = 0,
        min_free_bytes: int = 0,
        clock: Callable[[], float] = time.monotonic,
        free_bytes: Callable[[Path], int] | None = None,
    ) -> None:
        self._folder = folder
        self._max_rows = max_rows
        self._min_free_bytes = min_free_bytes
        self._clock = clock
        self._free_bytes = free_bytes or _free_bytes
        self._free = 0
        self._looked_at = -LOOK_EVERY_S

    def check(self, rows: int) -> None:
        """May the spool hold `rows` unsettled rows now?

        Raises:
            SpoolFull: no; says which limit.
        """
        if self._max_rows and rows > self._max_rows:
            raise SpoolFull(f"the spool is full: {rows} unsettled jobs would be more than {self._max_rows}")
        if not self._min_free_bytes:
            return
        now = self._clock()
        if now - self._looked_at >= LOOK_EVERY_S:
            self._free = self._free_bytes(self._folder)
            self._looked_at = now
        if self._free < self._min_free_bytes:
            raise SpoolFull(f"the spool's disk has {self._free} bytes free, the floor is {self._min_free_bytes}")


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free
