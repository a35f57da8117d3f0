"""Keeping a command's memory flat on glibc."""

from __future__ import annotations

import contextlib
import ctypes

_M_ARENA_MAX = -8
"""mallopt's parameter (malloc.h)"""


def one_arena() -> None:
    """Let all threads allocate from one heap.

    glibc gives each thread an arena of its own and keeps what was freed in each: with a spool's threads, an engine's
    and a reader's that is 80 MB of nothing. Called before threads start; on other systems it does nothing.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
