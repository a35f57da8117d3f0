"""A long-lived engine agrees with the oracle however decisions, events of the fleet and the clock interleave."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.oracle.live import EVENTS, LivePair, begin, begin_big, happen, tell_story
from tests.oracle.sources import DrawnSource, SeededSource


@st.composite
def beginnings(draw: st.DrawFn) -> LivePair:
    return begin(DrawnSource(draw))


@st.composite
def happened(draw: st.DrawFn, pair: LivePair, event: str) -> str:
    pair.maker.source = DrawnSource(draw)
    happen(pair, event)
    return event


class LiveFleet(RuleBasedStateMachine):
    """The same events to the engine and to the oracle; routes are compared after every one."""

    pair: LivePair

    @initialize(pair=beginnings())
    def begin(self, pair: LivePair) -> None:
        self.pair = pair

    @rule(data=st.data(), event=st.sampled_from(EVENTS))
    def happen(self, data: st.DataObject, event: str) -> None:
        """Any event that a daemon tells its engine of."""
        data.draw(happened(self.pair, event))

    @invariant()
    def routes_are_the_same(self) -> None:
        self.pair.compare_routes()


TestLiveFleet = LiveFleet.TestCase
TestLiveFleet.settings = settings(
    max_examples=100,
    stateful_step_count=10,
    derandomize=True,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


@pytest.mark.parametrize("first_seed", range(0, 400, 20))
def test_seeded_stories_are_told_alike(first_seed: int) -> None:
    """Twenty small fleets at a time with forty events each; together more than 10 000 decisions."""
    stories = [(seed, begin(SeededSource(Random(seed)))) for seed in range(first_seed, first_seed + 20)]
    assert sum(check_story(seed, pair, events=40) for seed, pair in stories) >= 500


@pytest.mark.parametrize("seed", range(1000, 1010))
def test_stories_of_big_fleets_are_told_alike(seed: int) -> None:
    """Up to three hundred members: what changes must reach every branch of the index that it touches."""
    check_story(seed, begin_big(SeededSource(Random(seed))), events=60, look_every=20)


def check_story(seed: int, pair: LivePair, *, events: int, look_every: int = 1) -> int:
    try:
        return tell_story(pair, events=events, look_every=look_every)
    except AssertionError as difference:
        raise AssertionError(f"seed {seed}: {difference}") from difference
