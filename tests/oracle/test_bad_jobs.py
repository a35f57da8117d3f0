"""A batch with an unreadable job is refused whole, by name, and leaves the day routes as they were."""

from __future__ import annotations

from typing import Any

import pytest

from engine import EngineError
from tests.oracle.compare import assert_same_decisions, assert_same_routes, both
from tests.oracle.worlds import seeded_world

BAD_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"windowStart": 2575}, "windowStart"),
    ({"windowStart": 1260}, "windowStart"),
    ({"windowEnd": -1}, "windowEnd"),
    ({"windowEnd": "ten"}, "windowEnd"),
    ({"windowStart": 1200, "windowEnd": 900}, "window"),
    ({"onSiteSeconds": -1}, "onSiteSeconds"),
    ({"onSiteSeconds": "long"}, "onSiteSeconds"),
    ({"priority": 11}, "priority"),
    ({"priority": -1}, "priority"),
    ({"day": 20231301}, "day"),
    ({"day": 20260230}, "day"),
    ({"itemsToDropoff": -1}, "itemsToDropoff"),
    ({"itemsToPickup": -2}, "itemsToPickup"),
    ({"teamId": "two"}, "teamId"),
]


@pytest.mark.parametrize("named", [False, True], ids=["open", "named"])
@pytest.mark.parametrize(("bad", "field"), BAD_FIELDS)
def test_an_unreadable_job_is_named_and_changes_nothing(bad: dict[str, Any], field: str, *, named: bool) -> None:
    """Good jobs beside it are not entered, its key is not replaced, the next batch is decided as if it never came."""
    world = seeded_world(5, members=(4, 4), stops=(8, 8), jobs=(8, 8))
    engine, oracle = both(world)
    broken = {"uidSecondary": "s1", "destinationLat": 45.0, "destinationLng": 9.0} | bad
    if named:
        broken["worker"] = "m0"
    with pytest.raises(EngineError) as refused:
        engine.decide([*world.batches[0][:3], broken, *world.batches[0][3:]])
    assert field in str(refused.value)
    assert "3" in str(refused.value)
    assert_same_routes(engine, oracle)
    assert_same_decisions(engine.decide(world.batches[0], reasons=True), oracle.decide(world.batches[0]), members=4)


@pytest.mark.parametrize("seed", range(40_000, 40_060))
def test_asking_for_reasons_again_gives_the_same_and_changes_nothing(seed: int) -> None:
    """Right after a job stayed without a member, `reasons` says what the decision said."""
    world = seeded_world(seed, members=(1, 5), stops=(0, 8), jobs=(10, 20))
    engine, oracle = both(world)
    for job in world.batches[0]:
        (decision,) = engine.decide([job], reasons=True)
        oracle.decide([job])
        if decision.worker is None:
            assert engine.reasons(job) == decision.reasons
            assert_same_routes(engine, oracle)


def test_without_being_asked_no_reasons_are_given() -> None:
    world = seeded_world(7, members=(2, 2), stops=(0, 0), jobs=(10, 10))
    engine, oracle = both(world)
    decisions = engine.decide(world.batches[0])
    assert [each.worker for each in decisions] == [each.worker for each in oracle.decide(world.batches[0])]
    assert all(each.reasons is None for each in decisions)
