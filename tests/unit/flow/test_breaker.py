"""The circuit breaker."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.flow import Breaker, BreakerState


def opened(now: float = 0.0, *, seed: int = 1) -> Breaker:
    breaker = Breaker(random.Random(seed))
    for _ in range(5):
        breaker.failure(now, now)
    return breaker


def probes(breaker: Breaker, *, now: float, until: float) -> list[float]:
    moments: list[float] = []
    while now < until:
        if wait := breaker.delay(now):
            now += wait
        else:
            breaker.begin(now)
            moments.append(now)
    return moments


def test_four_failures_are_borne_and_the_fifth_opens_it() -> None:
    breaker = Breaker(random.Random(1))
    assert [breaker.failure(0.0, 0.0) for _ in range(5)] == [False, False, False, False, True]
    assert breaker.state is BreakerState.OPEN
    assert breaker.delay(0.0) > 0.0


def test_a_success_in_between_starts_the_count_anew() -> None:
    breaker = Breaker(random.Random(1))
    for _ in range(20):
        for _ in range(4):
            assert not breaker.failure(0.0, 0.0)
        assert breaker.success(0.0) is False
    assert breaker.closed
    assert breaker.failures == 0


def test_a_probe_makes_it_half_open_and_its_failure_opens_it_again() -> None:
    breaker = opened()
    now = breaker.delay(0.0)
    breaker.begin(now)
    states = [breaker.state]
    assert breaker.delay(now) > 0.0
    assert breaker.failure(now + 0.1, now) is False
    states.append(breaker.state)
    assert states == [BreakerState.HALF_OPEN, BreakerState.OPEN]


def test_the_first_success_closes_it() -> None:
    breaker = opened()
    now = breaker.delay(0.0)
    breaker.begin(now)
    assert breaker.success(now + 0.1) is True
    assert breaker.closed
    assert breaker.delay(now + 0.1) == 0.0


@given(st.integers(0, 2**32))
def test_probes_are_never_more_than_two_a_second_and_never_more_than_five_seconds_apart(seed: int) -> None:
    """Whatever becomes of them: a probe that hangs holds up nothing."""
    moments = probes(opened(seed=seed), now=0.0, until=300.0)
    gaps = [later - earlier for earlier, later in pairwise([0.0, *moments])]
    assert min(gaps) >= 0.5
    assert max(gaps) <= 5.0
    assert max(gaps[:1]) <= 1.0
    assert max(sum(first <= other < first + 1.0 for other in moments) for first in moments) <= 2


def test_the_interval_starts_small_again_after_each_outage() -> None:
    breaker = opened()
    last = probes(breaker, now=0.0, until=100.0)[-1]
    breaker.success(last)
    for _ in range(5):
        breaker.failure(last + 1.0, last + 1.0)
    assert breaker.delay(last + 1.0) <= 1.0


def test_what_was_begun_before_it_closed_does_not_open_it_again() -> None:
    """Time-outs of the outage still come in when the server is back already."""
    breaker = opened()
    now = breaker.delay(0.0)
    breaker.begin(now)
    breaker.success(now + 0.1)
    for _ in range(20):
        assert breaker.failure(now + 1.0, now - 5.0) is False
    assert breaker.closed


@pytest.mark.parametrize("wrong", [{"threshold": 0}, {"first_s": 0.0}, {"first_s": 9.0}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="a breaker needs"):
        Breaker(random.Random(1), **wrong)  # type: ignore[arg-type]


def test_its_repr_says_where_it_is() -> None:
    assert repr(Breaker(random.Random(1))) == "<Breaker closed, 0 of 5 failures>"
    assert repr(opened()) == "<Breaker open, probe interval 1.0 s>"
