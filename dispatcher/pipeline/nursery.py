"""Trees are planted in a child process: scikit-learn's 110 MB and its hold of the GIL stay out of this one.

The child starts with the first tree, serves until it has been idle for a while, and ends with its parent (its input
closes).
Where no child can be had, this process plants by itself: slower for others, never wrong.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt

from dispatcher.planting import receive, send

_log = logging.getLogger("dispatcher.pipeline")

CHILD = "dispatcher.planting"
IDLE_S = 30.0
"""a child that has not been asked for so long ends; the next tree starts another in a second or two"""


class Nursery:
    """An engine's planter (`engine.Planter`) that works in a child process. Safe to call from several threads."""

    def __init__(self, *, idle_s: float = IDLE_S) -> None:
        self._idle_s = idle_s
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._timer: threading.Timer | None = None

    def __call__(
        self, places: npt.NDArray[np.float64], leaf_size: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
        """See `engine.Planter`."""
        with self._lock:
            self._stop_timer()
            try:
                order, nodes = self._ask(places, leaf_size)
            except (OSError, EOFError, ValueError) as error:
                _log.warning("no tree from the child process, planting here: %s", repr(error))
                self._end_child()
                from engine import ball_tree  # noqa: PLC0415 - only when there is no other way

                return ball_tree(places, leaf_size)
            self._timer = threading.Timer(self._idle_s, self.close)
            self._timer.daemon = True
            self._timer.start()
            return order, nodes

    def prepare(self) -> None:
        """Start the child now, so that it loads what it needs while this process is busy with something else."""
        with self._lock, suppress(OSError):  # without a child the first tree is planted here
            self._started()

    def close(self) -> None:
        """End the child; the next tree starts another. Idempotent."""
        with self._lock:
            self._stop_timer()
            self._end_child()

    def _ask(self, places: npt.NDArray[np.float64], leaf_size: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
        child = self._started()
        assert child.stdin is not None  # noqa: S101 - PIPE was asked for, here and below
        assert child.stdout is not None  # noqa: S101
        send(child.stdin, places, np.array([leaf_size]))
        order, nodes = receive(child.stdout, 2)
        if len(order) != len(places):
            raise ValueError("a tree of another size")
        return order, nodes

    def _started(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            self._child = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        return self._child

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end_child(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.terminate()  # it holds nothing; and while it still loads, its end need not be waited for
            with child:
                pass
