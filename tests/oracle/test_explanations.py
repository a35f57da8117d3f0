"""Explanations and columns are the same decisions told in other ways."""

from __future__ import annotations

from copy import deepcopy
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from engine import Candidate, Explanation
from tests.oracle.compare import both, same
from tests.oracle.decisions import PlainDecision
from tests.oracle.live_oracle import LiveOracle
from tests.oracle.oracle import destination
from tests.oracle.places import EQUAL
from tests.oracle.worlds import seeded_world

NUMBERS = {
    "destinationLat": float("nan"),
    "destinationLng": float("nan"),
    "day": 0,
    "windowStart": 0,
    "windowEnd": 2400,
    "onSiteSeconds": 720,
    "priority": 5,
    "teamId": 0,
    "itemsToDropoff": 0,
    "itemsToPickup": 0,
}
"""The job fields that a column can hold, with what a missing entry means."""


@pytest.mark.parametrize("seed", range(60_000, 60_080))
def test_an_explanation_says_what_would_be_decided_and_why(seed: int) -> None:
    """Chosen member, next best, margin, nearer members with their codes, reasons: job after job as the routes fill."""
    world = seeded_world(seed, members=(1, 7), stops=(0, 8), jobs=(8, 16))
    engine, oracle = both(world)
    for job in world.batches[0]:
        unnamed = {name: value for name, value in job.items() if name not in {"worker", "receiverUid"}}
        explained = engine.explain(unnamed, limit=1000)
        assert isinstance(explained, Explanation)
        check_explanation(explained, unnamed, deepcopy(oracle))
        engine.decide([job])
        oracle.decide([job])


def check_explanation(explained: Explanation, job: dict[str, Any], oracle: LiveOracle) -> None:
    oracle.cancel([job["uidSecondary"]] if job.get("uidSecondary") else [])
    chosen, next_best = oracle.best_two(job)
    assert_candidate(explained.chosen, chosen)
    assert_candidate(explained.next_best, next_best)
    if chosen is not None and next_best is not None and explained.margin is not None:
        figure = "distance_m" if oracle.settings["policy"] == "nearest" else "added_travel_s"
        assert same(explained.margin, getattr(next_best, figure) - getattr(chosen, figure))
    refused = {code: (why.count, why.example) for code, why in explained.reasons.items()}
    assert refused == oracle.refusals(job)
    if destination(job) is not None:
        assert_nearer_members(explained.passed_over, chosen, job, oracle)


def assert_candidate(got: Candidate | None, want: PlainDecision | None) -> None:
    assert (got is None) == (want is None)
    if got is not None and want is not None:
        assert (got.worker, got.position, got.code) == (want.worker, want.position, None)
        assert same(got.distance_m, want.distance_m)
        assert same(got.added_travel_s, want.added_travel_s)
        assert same(got.start_s, want.start_s)


def assert_nearer_members(
    passed_over: tuple[Candidate, ...], chosen: PlainDecision | None, job: dict[str, Any], oracle: LiveOracle
) -> None:
    """Everybody who is really nearer stands there, nearest first, each with the code that the rules give."""
    told = {each.worker: each for each in passed_over}
    distances = oracle.distances(job)
    if chosen is not None:
        assert chosen.distance_m is not None
        assert {name for name, away in distances.items() if away < chosen.distance_m - EQUAL} <= set(told)
        assert all(distances[name] <= chosen.distance_m + EQUAL for name in told)
    for name, each in told.items():
        assert same(each.distance_m, distances[name])
        assert each.code == oracle.code_of(job, oracle.names().index(name))
    order = [distances[each.worker] for each in passed_over]
    assert all(a <= b + EQUAL for a, b in pairwise(order))


@pytest.mark.parametrize("seed", range(61_000, 61_060))
def test_columns_are_decided_as_records_are(seed: int) -> None:
    """A batch as arrays: the oracle decides the same jobs as records."""
    world = seeded_world(seed, members=(1, 7), stops=(0, 8), jobs=(10, 30))
    engine, oracle = both(world)
    jobs = [
        {name: default if job.get(name) is None else job[name] for name, default in NUMBERS.items()}
        | {"uidSecondary": f"c{index}"}
        for index, job in enumerate(world.batches[0])
    ]
    columns: dict[str, Any] = {name: np.array([job[name] for job in jobs]) for name in NUMBERS}
    decided = engine.decide_columns(columns | {"uidSecondary": [job["uidSecondary"] for job in jobs]})
    for index, want in enumerate(oracle.decide(jobs)):
        if want.worker is None:
            assert decided.member[index] == decided.position[index] == -1
            assert np.isnan([decided.distance_m[index], decided.added_travel_s[index], decided.start_s[index]]).all()
        else:
            assert oracle.names()[decided.member[index]] == want.worker
            assert decided.position[index] == want.position
            assert same(float(decided.distance_m[index]), want.distance_m)
            assert same(float(decided.added_travel_s[index]), want.added_travel_s)
            assert same(float(decided.start_s[index]), want.start_s)
