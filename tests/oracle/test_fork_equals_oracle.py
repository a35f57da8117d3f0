"""A fork goes on exactly as the engine would have, and neither notices what happens to the other."""

from __future__ import annotations

from random import Random

import pytest

from engine import Engine
from tests.oracle.live import EVENTS, KEYS, LivePair, begin, begin_big, happen, jobs_of
from tests.oracle.sources import SeededSource


@pytest.mark.parametrize("first_seed", range(0, 200, 20))
def test_small_fleets_go_on_alike_in_forks(first_seed: int) -> None:
    for seed in range(first_seed, first_seed + 20):
        go_on_in_forks(begin(SeededSource(Random(seed))), seed, events=30)


@pytest.mark.parametrize("seed", range(2000, 2004))
def test_big_fleets_go_on_alike_in_forks(seed: int) -> None:
    go_on_in_forks(begin_big(SeededSource(Random(seed))), seed, events=40)


def go_on_in_forks(pair: LivePair, seed: int, *, events: int) -> None:
    """The oracle hears of the story alone; every now and then the one engine, or its fork, is led astray."""
    random = Random(seed)
    decisions = 0
    for _ in range(events):
        decisions += happen(pair, random.choice(EVENTS))
        if random.random() < 0.4:
            kept, other = pair.engine, pair.engine.fork()
            if random.random() < 0.5:
                kept, other = other, kept
            lead_astray(other, pair, random)
            pair.engine = kept
        pair.compare_routes()
    assert decisions


def lead_astray(engine: Engine, pair: LivePair, random: Random) -> None:
    """Things happen to an engine that nobody else hears of."""
    engine.decide(jobs_of(pair, 6), now=pair.now + random.choice((0, 3600, 86_400)))
    engine.add_routes([pair.maker.saved_job(0, pair.members)])
    engine.cancel(random.sample(KEYS, 3))
    engine.update_member(pair.maker.account(0) | {"username": f"stray{random.randrange(99)}", "teams": [77]})
    names = [name for name in engine.members if name.startswith("m")]
    if names:
        place = pair.maker.place("lat", "lng")
        engine.update_location(random.choice(names), place["lat"], place["lng"])
        engine.update_member(pair.maker.account(0) | {"username": random.choice(names)})
