"""One process per spool: a lock beside the file that dies with its holder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from dispatcher.errors import SpoolUnusable


class FileLock:
    """Holds `PATH.lock`. The kernel gives it back when the process ends, however it ends; the file itself stays.

    Raises:
        SpoolUnusable: another process (or another spool of this one) holds it, or the lock file cannot be written.
    """

    __slots__ = ("_fd",)

    def __init__(self, path: Path) -> None:
        name = path.with_name(path.name + ".lock")
        try:
            self._fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise SpoolUnusable(f"{path}: the lock file cannot be written: {error.strerror} ({name})") from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(self._fd, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(self._fd)
            raise SpoolUnusable(f"{path}: in use by process {holder}") from error
        os.ftruncate(self._fd, 0)
        os.write(self._fd, b"%d\n" % os.getpid())

    def release(self) -> None:
        """Give the lock back."""
        os.close(self._fd)
