"""Jobs as columns give the answers of jobs as objects."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest

from engine import EngineError
from engine.columns import DEFAULTS
from tests.unit.engine.people import MONDAY, engine, job, member

FLEET = [member(f"m{i}", i * 7 % 60, teams=[i % 3], vehicle_capacity=i % 4) for i in range(40)]


def random_jobs(count: int) -> list[dict[str, Any]]:
    random = Random(3)
    return [
        job(
            random.choice([None, *range(60)]), f"k{i}", day=random.choice([0, MONDAY, MONDAY + 1, MONDAY - 1]),
            windowStart=random.choice([0, 900, 1030]), windowEnd=random.choice([0, 1030, 1500, 2400]),
            priority=random.randint(0, 10), teamId=random.randint(0, 4), onSiteSeconds=random.choice([0, 900, 7200]),
            itemsToDropoff=random.randint(0, 2), itemsToPickup=random.randint(0, 1),
        )
        for i in range(count)
    ]  # fmt: skip


@pytest.mark.parametrize("policy", ["nearest", "least_detour"])
def test_columns_and_objects_are_decided_alike(policy: str) -> None:
    jobs = random_jobs(400)
    columns: dict[str, Any] = {
        name: np.array([one.get(name, default) for one in jobs], dtype=float) for name, default in DEFAULTS.items()
    }
    columns["uidSecondary"] = [one["uidSecondary"] for one in jobs]
    one_by_one, at_once = engine(FLEET, policy=policy), engine(FLEET, policy=policy)
    expected = one_by_one.decide(jobs)
    found = at_once.decide_columns(columns)
    names = [None if i < 0 else at_once.members[i] for i in found.member]
    assert names == [decision.worker for decision in expected]
    for column, field in (
        (found.distance_m, "distance_m"),
        (found.start_s, "start_s"),
        (found.added_travel_s, "added_travel_s"),
    ):
        wanted = [getattr(decision, field) for decision in expected]
        assert column == pytest.approx([np.nan if value is None else value for value in wanted], nan_ok=True)
    assert [int(p) for p in found.position] == [-1 if d.position is None else d.position for d in expected]
    assert at_once.cancel(["k0", "k1"]) == one_by_one.cancel(["k0", "k1"])


def test_missing_columns_take_their_defaults() -> None:
    found = engine([member("ann")]).decide_columns({"destinationLat": [0.0], "destinationLng": [10.0]})
    assert (found.member.tolist(), found.position.tolist()) == ([0], [0])


@pytest.mark.parametrize(
    ("columns", "field"),
    [
        ({"latitude": [1.0]}, "latitude"),
        ({"destinationLat": [1.0, 2.0], "destinationLng": [1.0]}, "destinationLng"),
        ({"priority": [5, 11]}, "priority"),
        ({"windowStart": [0, 2575]}, "windowStart"),
        ({"windowStart": [0, 1000], "windowEnd": [0, 900]}, "windowStart"),
        ({"onSiteSeconds": [0, -1]}, "onSiteSeconds"),
        ({"teamId": [0, float("nan")]}, "teamId"),
        ({"day": [0, 0.5]}, "day"),
        ({"day": [0, 20261301]}, "day"),
        ({"uidSecondary": ["a", "a"]}, "uidSecondary"),
    ],
)
def test_a_bad_column_is_named(columns: dict[str, Any], field: str) -> None:
    with pytest.raises(EngineError) as caught:
        engine([member("ann")]).decide_columns(columns)
    assert caught.value.field == field


def test_no_members_and_no_jobs_are_answered() -> None:
    assert engine([]).decide_columns({"priority": [1, 2]}).member.tolist() == [-1, -1]
    assert engine([member("ann")]).decide_columns({}).member.tolist() == []
