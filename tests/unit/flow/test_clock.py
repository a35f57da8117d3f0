"""The clock that only moves forward."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.flow import SteadyClock


def test_it_counts_the_seconds_since_its_creation() -> None:
    clock = SteadyClock(1_700_000_000.0)
    assert clock.read(1_700_000_000.0) == 0.0
    assert clock.read(1_700_000_012.5) == 12.5
    assert clock.last == 12.5


def test_a_clock_that_was_set_back_goes_on_from_there() -> None:
    clock = SteadyClock(1000.0)
    clock.read(1010.0)
    assert clock.read(400.0) == 10.0
    assert clock.read(401.0) == 11.0


def test_readings_a_little_out_of_order_give_no_time_away() -> None:
    """Two tasks that read in turn 0.1 s apart must not make the clock run fast."""
    clock = SteadyClock(0.0)
    for _ in range(100):
        clock.read(5.0)
        clock.read(4.9)
    assert clock.read(5.0) == 5.0


@given(st.lists(st.one_of(st.floats(-1e9, 1e9), st.just(math.nan)), max_size=50))
def test_it_never_goes_back(readings: list[float]) -> None:
    clock = SteadyClock(0.0)
    before = 0.0
    for now in readings:
        after = clock.read(now)
        assert after >= before
        before = after
