"""The adaptive limit, round by round."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.flow import AdaptiveLimit


def full_round(limit: AdaptiveLimit, now: float, rtt_s: float = 0.1, *, pressed: bool = False) -> float:
    """Fill the limit, let everything come back `rtt_s` later, one of them pressed if so wished. Returns that moment."""
    while limit.try_acquire():
        pass
    back = now + rtt_s
    for n in range(limit.in_flight):
        limit.release(back, rtt_s, "backpressure" if pressed and n == 0 else "ok")
    return back


def settled(value: int, *, max_concurrency: int = 100) -> tuple[AdaptiveLimit, float]:
    """A limit that has come to `value` over a steady way, and the time."""
    limit, now = AdaptiveLimit(max_concurrency), 0.0
    while limit.limit < value:
        now = full_round(limit, now)
    return limit, now


def test_it_starts_low() -> None:
    assert AdaptiveLimit(8).limit == 4
    assert AdaptiveLimit(2).limit == 2


def test_no_more_than_the_limit_may_begin() -> None:
    limit = AdaptiveLimit(8)
    assert [limit.try_acquire() for _ in range(6)] == [True, True, True, True, False, False]
    assert limit.full
    limit.release(0.1, 0.1, "neutral")
    assert limit.try_acquire()


def test_it_rises_by_one_a_round_trip_and_no_further_than_its_maximum() -> None:
    limit, now, seen = AdaptiveLimit(7), 0.0, []
    for _ in range(7):
        now = full_round(limit, now)
        seen.append(limit.limit)
    assert seen == [4, 5, 6, 7, 7, 7, 7]


def test_it_does_not_rise_while_it_is_not_reached() -> None:
    limit = AdaptiveLimit(8)
    for step in range(100):
        assert limit.try_acquire()
        limit.release(step + 0.1, 0.1, "ok")
    assert limit.limit == 4


def test_it_does_not_rise_while_the_round_trip_does() -> None:
    """A rise too small to be a sign of trouble is still no reason to ask for more."""
    limit, now = settled(6)
    for n in range(1, 21):
        now = full_round(limit, now, 0.1 + 0.003 * n)
    assert limit.limit <= 7


def test_back_pressure_takes_a_tenth() -> None:
    limit, now = settled(50)
    full_round(limit, now, pressed=True)
    assert limit.limit == 45


def test_it_falls_once_for_all_that_was_in_flight_together() -> None:
    limit, now = settled(50)
    while limit.try_acquire():
        pass
    for n in range(50):
        limit.release(now + 0.1 + n * 0.05, 0.1 + n * 0.05, "backpressure")
    assert limit.limit == 45


def test_a_round_trip_far_above_the_usual_takes_a_tenth() -> None:
    limit, now = settled(50)
    full_round(limit, now, 0.5)
    assert limit.limit == 45


def test_a_longer_round_trip_without_full_use_says_nothing_about_the_limit() -> None:
    limit, now = settled(50)
    limit.try_acquire()
    limit.release(now + 1.0, 0.5, "ok")
    assert limit.limit == 50


def test_it_never_falls_below_one() -> None:
    limit, now = AdaptiveLimit(8), 0.0
    for _ in range(50):
        now = full_round(limit, now, pressed=True)
    assert limit.limit == 1
    assert limit.try_acquire()


def test_where_it_met_back_pressure_it_does_not_go_again_for_two_seconds() -> None:
    limit, now = settled(10)
    now = full_round(limit, now, pressed=True)
    fell_at, most = now, 0
    while now < fell_at + 1.9:
        now = full_round(limit, now)
        most = max(most, limit.limit)
    assert most == 9
    while now < fell_at + 3.0:
        now = full_round(limit, now)
    assert limit.limit > 10


def test_failures_one_at_a_time_are_not_blamed_on_concurrency() -> None:
    """A third of the requests fails by itself: the limit does not stay at one for it."""
    limit, rng, now, total = AdaptiveLimit(8), random.Random(4), 0.0, 0
    for _ in range(2000):
        now = full_round(limit, now, 0.02, pressed=rng.random() > 0.7**limit.limit)
        total += limit.limit
    assert total / 2000 > 1.4


def test_a_neutral_end_frees_the_place_and_teaches_nothing() -> None:
    limit, now = settled(6)
    for step in range(50):
        assert limit.try_acquire()
        limit.release(now + step, 5.0, "neutral")
    assert limit.limit == 6
    assert limit.usual_rtt_s == pytest.approx(0.1)
    assert limit.in_flight == 0


def test_a_restart_begins_at_one_and_writes_off_what_hangs() -> None:
    limit, now = settled(6)
    while limit.try_acquire():
        pass
    limit.restart(now + 10.0)
    assert limit.limit == 1
    assert limit.in_flight == 6
    assert limit.usual_rtt_s is None
    assert limit.try_acquire()
    assert not limit.try_acquire()
    for _ in range(6):
        limit.release(now + 11.0, 11.0, "backpressure")
    assert limit.limit == 1
    assert limit.in_flight == 1
    limit.release(now + 11.0, 0.1, "ok")
    assert limit.in_flight == 0


def test_after_a_restart_the_answers_of_before_teach_nothing() -> None:
    limit, now = settled(6)
    assert limit.try_acquire()
    limit.restart(now + 10.0)
    limit.release(now + 11.0, 11.0, "ok")
    assert limit.usual_rtt_s is None


def test_releasing_what_was_never_begun_is_a_mistake() -> None:
    with pytest.raises(RuntimeError, match="never acquired"):
        AdaptiveLimit(8).release(0.0, 0.0, "ok")


def test_a_maximum_below_one_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        AdaptiveLimit(0)


@given(
    max_concurrency=st.integers(1, 40),
    steps=st.lists(
        st.tuples(
            st.sampled_from(["begin", "ok", "backpressure", "neutral", "restart"]),
            st.floats(0.0, 2.0),
            st.floats(0.0, 20.0),
        ),
        max_size=200,
    ),
)
def test_its_books_balance_whatever_happens(max_concurrency: int, steps: list[tuple[str, float, float]]) -> None:
    """In flight is what was begun less what was released, and the limit stays between one and its maximum."""
    limit, now, in_flight = AdaptiveLimit(max_concurrency), 0.0, 0
    for what, passed, rtt_s in steps:
        now += passed
        match what:
            case "begin":
                in_flight += limit.try_acquire()
            case "restart":
                limit.restart(now)
            case "ok" | "backpressure" | "neutral" if in_flight:
                limit.release(now, rtt_s, what)
                in_flight -= 1
            case _:
                pass
        assert limit.in_flight == in_flight
        assert 1 <= limit.limit <= max_concurrency
    for _ in range(in_flight):
        limit.release(now, 0.0, "neutral")
    assert limit.try_acquire()


def test_its_repr_says_what_is_in_flight() -> None:
    limit = AdaptiveLimit(8)
    limit.try_acquire()
    assert repr(limit) == "<AdaptiveLimit 1 in flight of 4 (max 8), round trip unknown>"
    limit.release(0.25, 0.25, "ok")
    assert repr(limit) == "<AdaptiveLimit 0 in flight of 4 (max 8), round trip 0.250 s>"
