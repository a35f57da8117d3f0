"""The rate limiter, by examples."""

from __future__ import annotations

import math

import pytest

from dispatcher.flow import GcraLimiter, Limit, parse_limits
from tests.unit.flow.starts import most_within, starts


def test_without_limits_nothing_waits() -> None:
    limiter = GcraLimiter([], 0.0)
    for _ in range(1000):
        assert limiter.delay(0.0) == 0.0
        limiter.take(0.0)
    assert limiter.rate_per_s == math.inf
    assert limiter.jitter_s == math.inf


def test_a_new_limiter_has_no_burst_to_spend() -> None:
    """A process that was restarted cannot know what the one before it has sent a moment ago."""
    limiter = GcraLimiter(parse_limits("600/min"), 0.0)
    assert starts(limiter, now=0.0, until=1.0) == pytest.approx([0.104 * n for n in range(1, 10)])


def test_after_a_silence_a_small_burst_may_go() -> None:
    """600/min leaves 2.4 s free, 0.72 s of it for bursts: six requests of 0.104 s beyond the first."""
    limiter = GcraLimiter(parse_limits("600/min"), 0.0)
    assert starts(limiter, now=100.0, until=100.005) == [100.0] * 7


def test_whoever_knows_of_the_silence_before_need_not_wait() -> None:
    assert GcraLimiter(parse_limits("1/min"), 1000.0).delay(1000.0) == pytest.approx(62.4)
    assert GcraLimiter(parse_limits("1/min"), 1000.0, quiet_since=970.0).delay(1000.0) == pytest.approx(32.4)
    assert GcraLimiter(parse_limits("1/min"), 1000.0, quiet_since=0.0).delay(1000.0) == 0.0
    assert GcraLimiter(parse_limits("1/min"), 1000.0, quiet_since=2000.0).delay(1000.0) == pytest.approx(62.4)


def test_one_a_minute_is_one_a_minute() -> None:
    moments = starts(GcraLimiter(parse_limits("1/min"), 0.0), now=0.0, until=3600.0)
    assert most_within(moments, 60.0) == 1
    assert len(moments) == 57


def test_the_tighter_of_two_windows_binds_and_the_looser_one_holds() -> None:
    """After a silence 20/s is what stops the burst that 600/min would allow; in the long run it is 600/min."""
    limiter = GcraLimiter(parse_limits("5/s, 60/min"), 0.0)
    moments = starts(limiter, now=600.0, until=1200.0)
    assert most_within(moments, 1.0) <= 5
    assert 57 <= most_within(moments, 60.0) <= 60
    assert len(moments) == pytest.approx(600 * limiter.rate_per_s, abs=3)
    assert limiter.rate_per_s == pytest.approx(0.9615, abs=1e-4)


def test_looking_takes_nothing() -> None:
    """A waiter that asks and is cancelled leaves the slot to the next one."""
    limiter = GcraLimiter(parse_limits("10/s"), 0.0, quiet_since=-10.0)
    assert [limiter.delay(0.0) for _ in range(50)] == [0.0] * 50
    limiter.take(0.0)
    assert limiter.delay(0.0) > 0.0


def test_a_start_that_comes_too_early_is_refused_and_not_counted() -> None:
    limiter = GcraLimiter(parse_limits("10/s"), 0.0)
    before = limiter.delay(0.0)
    with pytest.raises(RuntimeError, match="too early"):
        limiter.take(0.0)
    assert limiter.delay(0.0) == before


def test_a_sender_that_sleeps_a_little_too_long_loses_nothing() -> None:
    """12 ms of lateness a second are made up for: 20/s is used to 96 % all the same."""
    limiter, now, sent = GcraLimiter(parse_limits("20/s"), 0.0), 0.0, 0
    while now < 100.0:
        if wait := limiter.delay(now):
            now += wait + 0.01
        else:
            limiter.take(now)
            sent += 1
    assert sent == pytest.approx(100 * 20 / 1.04, abs=2)


def test_a_block_holds_everything_and_a_shorter_one_does_not_cut_it_short() -> None:
    limiter = GcraLimiter([], 0.0)
    limiter.block(10.0, 30.0)
    limiter.block(11.0, 1.0)
    assert limiter.blocked(20.0) == pytest.approx(20.0)
    assert limiter.delay(20.0) == pytest.approx(20.0)
    assert limiter.rate_delay(20.0) == 0.0
    assert limiter.delay(40.0) == 0.0


def test_no_block_lasts_longer_than_an_hour() -> None:
    limiter = GcraLimiter([], 0.0)
    limiter.block(0.0, math.inf)
    assert limiter.blocked(0.0) == 3600.0


def test_a_clock_that_is_set_back_freezes_nothing() -> None:
    limiter = GcraLimiter(parse_limits("10/s"), 1e9)
    moments = starts(limiter, now=1e9, until=1e9 + 5)
    again = starts(limiter, now=1e9 - 86400, until=1e9 - 86400 + 5)
    assert len(again) == pytest.approx(len(moments), abs=1)


def test_a_clock_that_jumps_ahead_is_worth_one_burst_and_no_more() -> None:
    limiter = GcraLimiter(parse_limits("600/min"), 0.0)
    starts(limiter, now=0.0, until=60.0)
    after = starts(limiter, now=60.0 + 86400.0, until=60.0 + 86400.0 + 1.0)
    assert len(after) <= 7 + 10


def test_its_repr_says_when_the_next_one_may_go() -> None:
    limiter = GcraLimiter([Limit(10, 1.0), Limit(300, 60.0)], 0.0)
    limiter.block(0.0, 2.0)
    assert repr(limiter) == "<GcraLimiter 10/s, 300/min: next in 2.000 s, blocked for 2.000 s>"
    assert repr(GcraLimiter([], 0.0)) == "<GcraLimiter no limits: next in 0.000 s, blocked for 0.000 s>"
