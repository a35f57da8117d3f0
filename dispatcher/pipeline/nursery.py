"""Trees are planted in a child process: scikit-learn's 110 MB and its hold of the GIL stay out of this one.

One child serves all accounts of the process, one tree at a time. It starts with the first tree, serves until it has
been idle for a while, and ends with its parent (its input closes); a process that may have to take over from another
one keeps it, because a new one takes seconds to load. Where no child can be had, this process plants by itself: slower
for others, never wrong.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from contextlib import suppress
from typing import Any
from weakref import WeakSet

import numpy as np
import numpy.typing as npt

from dispatcher.planting import receive, send

_log = logging.getLogger("dispatcher.pipeline")

CHILD = "dispatcher.planting"
IDLE_S = 30.0
"""a child that has not been asked for so long ends; the next tree starts another in a second or two"""


class Nursery:
    """An engine's planter (`engine.Planter`) that works in the child process. Safe to call from several threads."""

    def __init__(self, *, idle_s: float = IDLE_S) -> None:
        self._idle_s = idle_s

    def __call__(
        self, places: npt.NDArray[np.float64], leaf_size: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
        """See `engine.Planter`."""
        try:
            return _THE_CHILD.plant(self, places, leaf_size, idle_s=self._idle_s)
        except (OSError, EOFError, ValueError) as error:
            _log.warning("no tree from the child process, planting here: %s", repr(error))
            from engine import ball_tree  # noqa: PLC0415 - only when there is no other way

            return ball_tree(places, leaf_size)

    def prepare(self) -> None:
        """Start the child now, so that it loads what it needs while this process is busy with something else."""
        _THE_CHILD.start(self)

    def stand_by(self) -> None:
        """The same, and it stays although it is idle, until `close`."""
        _THE_CHILD.start(self, stays=True)

    def close(self) -> None:
        """Give the child up; it ends when nobody else needs it. The next tree starts another. Idempotent."""
        _THE_CHILD.leave(self)


class _Child:
    """The child process, whoever in this process uses it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        """Held by whoever talks to the process, while a tree is planted; an event loop never waits for it."""
        self._process: subprocess.Popen[bytes] | None = None
        self._timer: threading.Timer | None = None
        self._users: WeakSet[Nursery] = WeakSet()
        self._standing_by: WeakSet[Nursery] = WeakSet()

    def plant(
        self, user: Nursery, places: npt.NDArray[np.float64], leaf_size: int, *, idle_s: float
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
        """A tree.

        Raises:
            OSError, EOFError, ValueError: the child cannot be had, or has died; it is gone.
        """
        self._users.add(user)
        with self._lock:
            self._stop_timer()
            try:
                order, nodes = self._ask(places, leaf_size)
            except (OSError, EOFError, ValueError):
                self._end()
                raise
            self._timer = threading.Timer(idle_s, self._idle)
            self._timer.daemon = True
            self._timer.start()
            return order, nodes

    def start(self, user: Nursery, *, stays: bool = False) -> None:
        self._users.add(user)
        if stays:
            self._standing_by.add(user)
        if not self._lock.acquire(blocking=False):
            return  # it is at work already
        try:
            with suppress(OSError):  # without a child the first tree is planted here
                self._started()
        finally:
            self._lock.release()

    def leave(self, user: Nursery) -> None:
        self._users.discard(user)
        self._standing_by.discard(user)
        if not self._users:  # then nobody has a tree planted
            with self._lock:
                self._stop_timer()
                self._end()

    def _idle(self) -> None:
        with self._lock:
            if not self._standing_by:
                self._end()

    def _ask(self, places: npt.NDArray[np.float64], leaf_size: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
        process = self._started()
        assert process.stdin is not None  # noqa: S101 - PIPE was asked for, here and below
        assert process.stdout is not None  # noqa: S101
        send(process.stdin, places, np.array([leaf_size]))
        order, nodes = receive(process.stdout, 2)
        if len(order) != len(places):
            raise ValueError("a tree of another size")
        return order, nodes

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        return self._process

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.terminate()  # it holds nothing; and while it still loads, its end need not be waited for
            with process:
                pass


_THE_CHILD = _Child()
