"""One process per spool: a lock beside the file that dies with its holder."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from dispatcher.errors import SpoolUnusable

LOOKS = 3
LOOK_AGAIN_S = 0.02
"""`holder` takes the lock for an instant; so one that seems held is tried a few times."""


class FileLock:
    """Holds `PATH.lock`. The kernel gives it back when the process ends, however it ends; the file itself stays.

    Raises:
        SpoolUnusable: another process (or another spool of this one) holds it, or the lock file cannot be written.
    """

    __slots__ = ("_fd",)

    def __init__(self, path: Path) -> None:
        name = _beside(path)
        try:
            self._fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise SpoolUnusable(f"{path}: the lock file cannot be written: {error.strerror} ({name})") from error
        try:
            _take(self._fd)
        except OSError as error:
            holder = os.read(self._fd, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(self._fd)
            raise SpoolUnusable(f"{path}: in use by process {holder}") from error
        os.ftruncate(self._fd, 0)
        os.write(self._fd, b"%d\n" % os.getpid())

    def release(self) -> None:
        """Give the lock back."""
        os.close(self._fd)


def holder(path: Path) -> int | None:
    """The process that has the spool open; 0: there is none; None: it cannot be told."""
    try:
        fd = os.open(_beside(path), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return 0
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.read(fd, 32).decode("ascii", "replace").strip()
        return int(text) if text.isdecimal() else None
    except OSError:
        return None
    else:
        return 0
    finally:
        os.close(fd)


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def _take(fd: int) -> None:
    for _ in range(LOOKS - 1):
        with suppress(BlockingIOError):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(LOOK_AGAIN_S)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
