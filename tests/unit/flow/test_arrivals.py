"""Requests that are late on their way do not crowd a window at the server."""

from __future__ import annotations

import doctest
import random
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dispatcher.flow import Arrivals, GcraLimiter, Limit, Sent, arrivals
from dispatcher.flow.arrivals import late_cap_s
from dispatcher.flow.round_trips import FEW_ROUND_TRIPS

WAY_S = 0.01
"""There, and the same back."""


class Way:
    """Sends as limiter and arrivals allow, over ways that take longer now and then; the virtual clock is `now`."""

    def __init__(self, limits: list[Limit], *, guarded: bool = True) -> None:
        self.now = 0.0
        self.arrived: list[float] = []
        self._limiter = GcraLimiter(limits, 0.0)
        self._arrivals = Arrivals(limits if guarded else [])
        self._open: list[tuple[float, Sent]] = []

    def send(self, *, late_s: float, work_s: float = 0.0) -> None:
        """One request, as soon as it may go, and what the server needs for it."""
        while True:
            while self._open and self._open[0][0] <= self.now:
                at, sent = self._open.pop(0)
                self._arrivals.answered(sent, at)
            wait_s = max(self._limiter.delay(self.now), self._arrivals.delay(self.now))
            if not wait_s:
                break
            answer_at = self._open[0][0] if self._open else float("inf")
            self.now = min(self.now + wait_s, max(answer_at, self.now + 1e-6)) + 1e-9
        self._limiter.take(self.now)
        arrives = self.now + WAY_S + late_s
        self.arrived.append(arrives)
        self._open.append((arrives + work_s + WAY_S, self._arrivals.sent(self.now)))
        self._open.sort(key=lambda one: one[0])

    def per_s(self) -> float:
        return (len(self.arrived) - 1) / (self.arrived[-1] - self.arrived[0])


def crowded(way: Way, limits: list[Limit]) -> bool:
    ordered = sorted(way.arrived)
    return any(
        last - first < limit.window_s - 1e-6
        for limit in limits
        for first, last in zip(ordered, ordered[limit.count :], strict=False)
    )


def test_the_example_holds() -> None:
    assert doctest.testmod(arrivals).failed == 0


@settings(max_examples=150, deadline=None)
@given(
    count=st.integers(1, 40),
    window_s=st.sampled_from([0.5, 1.0, 2.0, 10.0, 60.0]),
    seed=st.integers(0, 2**32),
    often=st.floats(0.0, 0.6),
)
@example(count=20, window_s=1.0, seed=1, often=0.1)
def test_no_window_holds_too_many_however_late_some_requests_are(
    count: int, window_s: float, seed: int, often: float
) -> None:
    """Lateness up to what is waited for; whatever the server's own work takes beside it."""
    rng = random.Random(seed)
    limits = [Limit(count, window_s)]
    way = Way(limits)
    for _ in range(FEW_ROUND_TRIPS):
        way.send(late_s=0.0)
    for _ in range(300):
        late_s = rng.uniform(0.0, late_cap_s(window_s) * 0.99) if rng.random() < often else 0.0
        way.send(late_s=late_s, work_s=rng.choice([0.0, 0.0, 0.005, 0.1]))
    assert not crowded(way, limits)


def test_without_it_a_late_request_crowds_a_window() -> None:
    """The same ways, with the limiter alone: what this is there for."""
    limits = [Limit(20, 1.0)]
    ways = {guarded: Way(limits, guarded=guarded) for guarded in (True, False)}
    for way in ways.values():
        for number in range(200):
            way.send(late_s=0.2 if 60 <= number % 100 < 66 else 0.0)
    assert {guarded: crowded(way, limits) for guarded, way in ways.items()} == {True: False, False: True}


@pytest.mark.parametrize("work_s", [0.0, 0.05, 0.5, 2.0])
def test_a_server_that_always_takes_the_same_time_costs_nothing(work_s: float) -> None:
    limits = [Limit(20, 1.0)]
    way = Way(limits)
    for _ in range(400):
        way.send(late_s=0.0, work_s=work_s)
    del way.arrived[:100]
    assert way.per_s() >= 0.95 * 20


def test_a_request_that_is_never_answered_holds_nobody_up_for_long() -> None:
    held = Arrivals([Limit(1, 1.0)])
    held.sent(100.0)
    assert held.delay(100.5) > 0
    assert held.delay(100.0 + 1.0 + late_cap_s(1.0) - 0.01) > 0
    assert held.delay(100.0 + 1.0 + late_cap_s(1.0)) == 0.0


def test_without_limits_nothing_is_held_up_and_nothing_is_kept() -> None:
    free = Arrivals([])
    for earlier, later in pairwise(range(1000)):
        free.answered(free.sent(earlier), later)
        assert free.delay(later) == 0.0
    assert len(free._log) == 0
    assert len(free._round_trips) == 0


def test_other_limits_hold_from_the_next_request_on() -> None:
    held = Arrivals([Limit(2, 1.0)])
    held.answered(held.sent(10.0), 10.0)
    assert held.delay(10.1) == 0.0
    held.change([Limit(1, 1.0)])
    assert held.delay(10.1) == pytest.approx(0.9)
