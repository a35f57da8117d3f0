"""The rate limiter's promise: whatever happens at the sender, no window at the server holds more than its limit."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dispatcher.flow import GcraLimiter, Limit, format_limits, parse_limits

LIMITS = st.lists(
    st.builds(
        Limit,
        st.integers(1, 60),
        st.sampled_from([0.25, 1.0, 2.0, 10.0, 60.0, 3600.0]),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda limit: limit.window_s,
)


def crowded(arrivals: list[float], limits: list[Limit]) -> str:
    """The first window that holds too many, in words; "" when none does."""
    ordered = sorted(arrivals)
    for limit in limits:
        for first, last in zip(ordered, ordered[limit.count :], strict=False):
            if last - first < limit.window_s:
                return f"{limit.count + 1} within {last - first} s, the limit is {limit}"
    return ""


def most_together(arrivals: list[float], window_s: float) -> int:
    ordered = sorted(arrivals)
    return max(sum(first <= other < first + window_s for other in ordered[i:]) for i, first in enumerate(ordered))


@settings(max_examples=300)
@given(limits=LIMITS, seed=st.integers(0, 2**32), idle_share=st.floats(0.0, 0.5), restart_share=st.floats(0.0, 0.1))
@example(limits=[Limit(20, 1.0), Limit(600, 60.0)], seed=1, idle_share=0.0, restart_share=0.0)
@example(limits=[Limit(1, 60.0)], seed=1, idle_share=0.2, restart_share=0.1)
def test_no_window_at_the_server_holds_more_than_its_limit(
    limits: list[Limit], seed: int, idle_share: float, restart_share: float
) -> None:
    """Late sleepers, pauses, restarts at any moment, a clock that is set back, ways that differ: never one too many."""
    rng = random.Random(seed)
    now, offset = 0.0, rng.uniform(-1e9, 1e9)
    limiter = GcraLimiter(limits, now + offset)
    # Strictly less than what it allows for; the microsecond covers the rounding of a clock near 1e9.
    jitter_s = max(0.0, limiter.jitter_s * 0.999 - 5e-6)
    arrivals: list[float] = []
    for _ in range(400):
        chance = rng.random()
        if chance < restart_share:
            limiter = GcraLimiter(limits, now + offset)
        elif chance < restart_share + idle_share * 0.1:
            now += rng.expovariate(1.0) * rng.choice(limits).window_s
        elif chance > 0.99:
            # The offset is the clock's, not the time's: readings go back, the server's time goes on.
            offset -= rng.uniform(0.0, 10_000.0)
        elif wait := limiter.delay(now + offset):
            now += wait + rng.choice((0.0, 0.0, rng.expovariate(1.0) * 0.02))
        else:
            limiter.take(now + offset)
            arrivals.append(now + 0.05 + rng.uniform(0.0, jitter_s))
    assert crowded(arrivals, limits) == ""


@pytest.mark.parametrize(
    "text", ["20/s, 600/min", "20/s", "10/s", "600/min", "300/min", "1/min", "5000/h", "3/10s, 20/min"]
)
def test_at_least_95_percent_of_the_tightest_limit_is_used_while_there_is_work(text: str) -> None:
    """With a sender that wakes up to 10 ms late every time, measured over windows in the steady state."""
    limits = parse_limits(text)
    rng, limiter, now = random.Random(5), GcraLimiter(parse_limits(text), 0.0), 0.0
    tightest = min(limits, key=lambda limit: limit.count / limit.window_s)
    end = 200.0 * tightest.window_s if tightest.count < 100 else 5.0 * tightest.window_s
    sent: list[float] = []
    while now < end:
        if wait := limiter.delay(now):
            now += wait + rng.uniform(0.0, 0.01)
        else:
            limiter.take(now)
            sent.append(now)
    assert crowded(sent, list(limits)) == ""
    assert len(sent) >= 0.95 * end * tightest.count / tightest.window_s


@settings(max_examples=100)
@given(limits=LIMITS, jump_s=st.floats(1.0, 1e6), seed=st.integers(0, 2**32))
def test_a_clock_set_back_by_any_amount_delays_a_start_by_no_more_than_it_hides(
    limits: list[Limit], jump_s: float, seed: int
) -> None:
    """After the jump the next wait is what it was before it, never the size of the jump."""
    rng, limiter, now = random.Random(seed), GcraLimiter(limits, 0.0), 0.0
    for _ in range(rng.randrange(100)):
        if wait := limiter.delay(now):
            now += wait
        else:
            limiter.take(now)
    before = limiter.delay(now)
    assert limiter.delay(now - jump_s) <= before + 1.0


@settings(max_examples=100)
@given(limits=LIMITS, jump_s=st.floats(0.0, 1e9))
def test_a_clock_set_ahead_opens_no_more_than_what_a_silence_would(limits: list[Limit], jump_s: float) -> None:
    """One jump gives at most the 4 % of every window that stand free for bursts, and one request."""
    limiter, now, offset = GcraLimiter(limits, 0.0), 0.0, 0.0
    arrivals: list[float] = []
    for step in range(300):
        if step == 150:
            offset = jump_s
        if wait := limiter.delay(now + offset):
            now += wait
        else:
            limiter.take(now + offset)
            arrivals.append(now)
    for limit in limits:
        assert most_together(arrivals, limit.window_s) <= limit.count * 1.04 + 1, format_limits(limits)


def test_starts_are_evenly_spread_when_there_is_always_work() -> None:
    """After the start nothing comes in waves: every gap of 300/min is its interval."""
    limiter, now = GcraLimiter(parse_limits("300/min"), 0.0), 0.0
    moments: list[float] = []
    while len(moments) < 1000:
        if wait := limiter.delay(now):
            now += wait
        else:
            limiter.take(now)
            moments.append(now)
    assert all(later - earlier == pytest.approx(0.208) for earlier, later in pairwise(moments))
