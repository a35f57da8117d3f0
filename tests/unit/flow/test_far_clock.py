"""What an exchange says of another machine's clock."""

from __future__ import annotations

import doctest
import random

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.flow import far_clock
from dispatcher.flow.far_clock import FarClock


def test_the_example_holds() -> None:
    assert doctest.testmod(far_clock).failed == 0


@given(seed=st.integers(0, 2**32), offset_s=st.floats(-1e6, 1e6), rate=st.floats(-4e-4, 4e-4))
def test_a_moment_lies_within_its_bounds_whatever_the_far_clock_shows(seed: int, offset_s: float, rate: float) -> None:
    """Clocks that come apart slowly, exchanges that take any time, set once by an hour."""
    rng, clock, now = random.Random(seed), FarClock(), 100.0
    for number in range(60):
        far_offset_s = offset_s + rate * now + (3600.0 if number > 30 else 0.0)
        took_s = rng.choice((0.001, 0.01, 0.5)) * rng.random()
        read_at = now + rng.random() * took_s
        clock.learn(asked=now, heard=now + took_s, far=read_at + far_offset_s)
        earliest, latest = clock.bounds(read_at + 0.1 + far_offset_s)
        assert earliest - 1e-6 <= read_at + 0.1 <= latest + 1e-6
        now += took_s + rng.random() * 0.3


def test_a_quick_exchange_bounds_what_a_slow_one_tells() -> None:
    clock = FarClock()
    clock.learn(asked=0.0, heard=0.002, far=500.001)
    clock.learn(asked=1.0, heard=1.5, far=501.25)
    earliest, latest = clock.bounds(501.25)
    assert latest - earliest < 0.006
    assert earliest <= 1.25 <= latest
