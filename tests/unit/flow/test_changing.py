"""Limits that change while requests go on: none is exceeded, and nothing that was learnt is lost."""

from __future__ import annotations

import random

import pytest

from dispatcher.flow import AccountGate, AdaptiveLimit, GcraLimiter, Go, Wait, parse_limits
from tests.unit.flow.starts import most_within, starts


@pytest.mark.parametrize(("before", "after"), [("10/s", "20/s"), ("", "10/s"), ("10/s", "10/s, 30/min")])
def test_from_the_change_on_the_new_limits_hold(before: str, after: str) -> None:
    """Across the change too, wherever the limit that is new is not the smaller one."""
    limiter = GcraLimiter(parse_limits(before), 100.0)
    old = starts(limiter, now=100.0, until=105.0) if before else []
    limiter.change(parse_limits(after), 105.0)
    new = starts(limiter, now=105.0, until=125.0)
    for limit in parse_limits(after):
        assert most_within(new, limit.window_s) <= limit.count
        if limit in parse_limits(before):
            assert most_within(old + new, limit.window_s) <= limit.count
    assert len(new) >= 9


def test_a_lower_limit_counts_from_the_change_on() -> None:
    limiter = GcraLimiter(parse_limits("100/s"), 0.0)
    starts(limiter, now=0.0, until=2.0)
    limiter.change(parse_limits("5/s"), 2.0)
    assert most_within(starts(limiter, now=2.0, until=12.0), 1.0) <= 5


def test_a_limit_that_stays_neither_forgets_nor_pauses() -> None:
    """Otherwise every reload would cost an hour under `1/h`."""
    limiter = GcraLimiter(parse_limits("60/min"), 0.0)
    used = starts(limiter, now=0.0, until=90.0)
    wait = limiter.delay(90.0)
    limiter.change(parse_limits("60/min, 1000/h"), 90.0)
    limiter.change(parse_limits("60/min"), 90.0)
    assert limiter.delay(90.0) == wait
    assert most_within(used + starts(limiter, now=90.0, until=200.0), 60.0) <= 60


def test_a_block_outlasts_the_change() -> None:
    limiter = GcraLimiter(parse_limits("10/s"), 0.0)
    limiter.block(0.0, 30.0)
    limiter.change(parse_limits("20/s"), 1.0)
    assert limiter.delay(1.0) == pytest.approx(29.0)


def test_the_highest_concurrency_can_fall_and_rise() -> None:
    """What is in flight above it ends as it would have; what was learnt of the round trip stays."""
    limit = AdaptiveLimit(8)
    for _ in range(4):
        assert limit.try_acquire()
    limit.cap(2)
    assert (limit.limit, limit.max_concurrency, limit.full) == (2, 2, True)
    for _ in range(3):
        limit.release(0.1, 0.1, "ok")
    assert not limit.full
    limit.release(0.1, 0.1, "ok")
    limit.cap(6)
    now = 0.2
    for _ in range(200):
        taken = sum(limit.try_acquire() for _ in range(10))
        now += 0.1
        for _ in range(taken):
            limit.release(now, 0.1, "ok")
    assert limit.limit == 6
    with pytest.raises(ValueError, match="at least 1"):
        limit.cap(0)


def test_the_gate_keeps_what_it_has_learnt() -> None:
    gate = AccountGate(limits=parse_limits("2/min"), max_concurrency=8, now=0.0, rng=random.Random(1))
    assert isinstance(gate.ask(0.0), Wait)
    gate.change(0.0, limits=(), max_concurrency=1)
    assert gate.ask(0.0) == Go()
    gate.begin(0.0)
    gate.finish(0.2, 0.2, "denied")
    gate.change(1.0, limits=parse_limits("10/s"), max_concurrency=3)
    report = gate.snapshot(2.0)
    assert (report.why, report.limits, report.max_concurrency, report.rtt_s) == ("denied", "10/s", 3, None)
    assert report.outcomes["denied"] == 1
