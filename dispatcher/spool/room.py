"""Is there room for more jobs: the row limit and the floor of free disk."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from dispatcher.errors import SpoolFull

LOOK_EVERY_S = 0.05
"""Free space is asked for at most this often; it costs microseconds, and a fast caller fills megabytes meanwhile."""


class RowLimits:
    """How many unsettled rows each account may have.

    Args:
        default: for accounts without a limit of their own, 0 for no limit.
    """

    __slots__ = ("_default", "_own")

    def __init__(self, default: int) -> None:
        self._default = default
        self._own: dict[str, int] = {}

    def set(self, account: str, most: int) -> None:
        """This account may have `most`, 0 for no limit."""
        self._own[account] = most

    def of(self, account: str) -> int:
        """How many this account may have, 0 for no limit."""
        return self._own.get(account, self._default)

    def check(self, account: str, rows: int) -> None:
        """May an account have `rows`?

        Raises:
            SpoolFull: no.
        """
        most = self.of(account)
        if most and rows > most:
            raise SpoolFull(f"the spool is full: {rows} unsettled jobs of {account} would be more than {most}")


class Room:
    """Says no before the disk does.

    Args:
        folder: where the file lies.
        max_rows: most unsettled rows of an account, 0 for no limit.
        min_free_bytes: free bytes that must stay on the disk, 0 for no floor.
        log: the log beside the file, whose pages need a place in the file one day.
        clock: monotonic seconds.
        free_bytes: asks the disk.
    """

    __slots__ = (
        "_clock",
        "_folder",
        "_free",
        "_free_bytes",
        "_log",
        "_looked_at",
        "_max_rows",
        "_min_free_bytes",
    )

    def __init__(
        self,
        folder: Path,
        *,
        max_rows: int = 0,
        min_free_bytes: int = 0,
        log: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
        free_bytes: Callable[[Path], int] | None = None,
    ) -> None:
        self._folder = folder
        self._max_rows = RowLimits(max_rows)
        self._min_free_bytes = min_free_bytes
        self._log = log
        self._clock = clock
        self._free_bytes = free_bytes or _free_bytes
        self._free = 0
        self._looked_at = -LOOK_EVERY_S

    def limit_rows(self, account: str, most: int) -> None:
        """An account has a limit of its own from now on."""
        self._max_rows.set(account, most)

    def check(self, account: str, rows: int) -> None:
        """May the spool hold `rows` unsettled rows of an account now?

        Raises:
            SpoolFull: no; says which limit.
        """
        self._max_rows.check(account, rows)
        if not self._min_free_bytes:
            return
        self._look()
        if self._free < self._min_free_bytes:
            raise SpoolFull(f"the spool's disk has {self._free} bytes free, the floor is {self._min_free_bytes}")

    def tight(self) -> bool:
        """Is it time to copy the log into the file, because later the disk might not have the room for it?"""
        if not self._min_free_bytes or self._log is None:
            return False
        self._look()
        try:
            log_bytes = self._log.stat().st_size
        except OSError:
            return False
        return self._free - log_bytes < self._min_free_bytes

    def look_anew(self) -> None:
        """The disk is not as it was a moment ago."""
        self._looked_at = -LOOK_EVERY_S

    def _look(self) -> None:
        now = self._clock()
        if now - self._looked_at >= LOOK_EVERY_S:
            self._free = self._free_bytes(self._folder)
            self._looked_at = now


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free
