"""Items on board: drop-offs ride from the start, pick-ups to the end."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.engine.people import engine, job, member


def position(record: dict[str, Any], routes: list[dict[str, Any]], **fields: Any) -> int | None:
    return engine([record], routes=routes).decide([job(5, **fields)])[0].position


def saved(steps: float, number: int, **fields: Any) -> dict[str, Any]:
    return job(steps, f"s{number}", worker="ann", number=number, **fields)


VAN = member("ann", vehicle_capacity=2)


@pytest.mark.parametrize(
    ("fields", "placed"),
    [
        ({"itemsToDropoff": 2}, True),
        ({"itemsToDropoff": 3}, False),
        ({"itemsToPickup": 3}, False),
        ({"itemsToDropoff": 2, "itemsToPickup": 2}, True),
    ],
)
def test_the_load_stays_within_the_capacity(fields: dict[str, int], placed: bool) -> None:
    """At one stop the drop comes before the pick."""
    assert (position(VAN, [], **fields) is not None) == placed


@pytest.mark.parametrize("capacity", [0, None, -1])
def test_no_capacity_means_no_limit(capacity: int | None) -> None:
    assert position(member("ann", vehicle_capacity=capacity), [], itemsToDropoff=99) == 0


def test_a_drop_off_must_come_after_nothing_has_filled_the_van() -> None:
    """s1 picks 2 up: a job with a drop-off fits before it only, though behind it would add less."""
    routes = [saved(1, 1, itemsToPickup=2), saved(9, 2)]
    assert position(VAN, routes) == 1
    assert position(VAN, routes, itemsToDropoff=1) == 0


def test_a_pick_up_must_wait_until_there_is_room() -> None:
    """s1 and s2 drop one each: a pick-up of two fits behind s2 only."""
    routes = [saved(1, 1, itemsToDropoff=1), saved(9, 2, itemsToDropoff=1)]
    assert position(VAN, routes, itemsToPickup=2) == 2
    assert position(VAN, routes, itemsToPickup=1) == 1


def test_an_overloaded_van_takes_only_what_adds_no_load() -> None:
    routes = [saved(1, 1, itemsToDropoff=3)]
    assert position(VAN, routes, itemsToPickup=1) is None
    assert position(VAN, routes) == 1


def test_over_capacity_is_the_reason_when_no_place_has_room_whatever_the_times() -> None:
    fleet = engine([VAN], routes=[saved(1, 1, itemsToPickup=2, tsCheckIn=7)])
    assert list(fleet.reasons(job(5, itemsToDropoff=1))) == ["over_capacity"]
    assert list(engine([VAN]).reasons(job(5, itemsToDropoff=3))) == ["over_capacity"]
