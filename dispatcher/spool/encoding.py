"""How states and times stand in the file."""

from __future__ import annotations

import math
from collections.abc import Iterable

from dispatcher.model.state import State

STATES = tuple(State)
"""State by its number in the file; the numbers are the order of the enumeration and never change."""
CODE = {state: code for code, state in enumerate(STATES)}
"""A state's number in the file."""
UNSETTLED = tuple(state for state in State if not state.settled)
FOREVER = 1 << 62
"""Stands for an infinite time."""


def mask(states: Iterable[State]) -> int:
    """The states as bits, bit n for the state with number n."""
    bits = 0
    for state in states:
        bits |= 1 << CODE[state]
    return bits


def micros(time: float) -> int:
    """A Unix time in seconds as whole microseconds; times before 1970 count as 0."""
    if time <= 0.0:
        return 0
    return FOREVER if math.isinf(time) else round(time * 1e6)


def seconds(time: int) -> float:
    """Whole microseconds as a Unix time in seconds."""
    return math.inf if time == FOREVER else time / 1e6
