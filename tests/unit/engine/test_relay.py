"""The newest listing of a day becomes its routes; what the listing says nothing about stays as it is."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from engine import Engine, EngineError
from engine.book import WARNINGS_KEPT
from tests.unit.engine.people import MIDNIGHT, MONDAY, SIX, at, engine, job, member

TUESDAY = MONDAY + 1


def keys(fleet: Engine, worker: str, day: int = MONDAY) -> list[str | None]:
    return [stop.key for stop in fleet.route(worker, day)]


def stop(key: str, steps: float, worker: str = "ann", **fields: Any) -> dict[str, Any]:
    return job(steps, key, worker=worker, id=f"id-{key}") | fields


def test_what_the_listing_lacks_leaves_and_what_it_has_enters_in_its_order() -> None:
    fleet = engine([member("ann"), member("bob", 50)], routes=[stop("A", 1, tsCreated=1), stop("B", 2, tsCreated=2)])
    laid = fleet.replace_day(MONDAY, [stop("C", 3, number=1), stop("B", 2, tsCreated=2), stop("D", 4, "bob")])
    assert (laid, keys(fleet, "ann"), keys(fleet, "bob")) == (2, ["C", "B"], ["D"])


def test_a_listing_that_says_nothing_new_touches_nothing() -> None:
    listing = [stop("A", 1, tsCreated=1), stop("B", 2, tsCreated=2), stop("C", 3, "bob")]
    fleet = engine([member("ann"), member("bob", 50)])
    assert [fleet.replace_day(MONDAY, listing) for _ in range(3)] == [2, 0, 0]
    assert fleet.replace_day(MONDAY, [*listing[:1], stop("B", 2, tsCreated=2, windowEnd=1200), listing[2]]) == 1
    assert fleet.replace_day(MONDAY, [*listing[:2], stop("C", 3, "bob", tsCheckIn=5)]) == 2


def test_names_to_keep_are_left_where_they_are_whatever_the_listing_says() -> None:
    """Just decided jobs are not at the server yet; one that a newer event moved is listed where it was."""
    fleet = engine([member("ann"), member("bob", 50)], routes=[stop("A", 1, tsCreated=1), stop("C", 3, tsCreated=3)])
    fleet.decide([job(2, "B")])
    assert keys(fleet, "ann") == ["A", "B", "C"]
    listing = [stop("A", 1, tsCreated=1), stop("C", 3, tsCreated=3), stop("M", 49, tsCreated=9)]
    fleet.add_routes([stop("M", 49, "bob")])
    assert fleet.replace_day(MONDAY, listing, keep={"B", "id-M"}) == 1  # ann's stops came without a listing before
    assert (sorted(map(str, keys(fleet, "ann"))), keys(fleet, "bob")) == (["A", "B", "C"], ["M"])
    assert fleet.replace_day(MONDAY, listing, keep={"B", "id-M"}) == 0
    fleet.replace_day(MONDAY, listing)
    assert (keys(fleet, "ann"), keys(fleet, "bob")) == (["A", "C", "M"], [])


def test_a_stop_that_came_from_another_day_leaves_that_day() -> None:
    fleet = engine([member("ann")], routes=[stop("A", 1), stop("B", 2, day=TUESDAY)])
    fleet.replace_day(MONDAY, [stop("A", 1), stop("B", 2)])
    assert (keys(fleet, "ann"), keys(fleet, "ann", TUESDAY)) == (["A", "B"], [])


def test_a_stop_listed_for_two_members_stands_with_both_and_stays_so() -> None:
    listing = [stop("A", 1), stop("A", 1, "bob")]
    fleet = engine([member("ann"), member("bob")])
    assert [fleet.replace_day(MONDAY, listing) for _ in range(3)] == [2, 0, 0]
    assert keys(fleet, "ann") == keys(fleet, "bob") == ["A"]
    fleet.replace_day(MONDAY, [stop("A", 1), stop("A", 1, "bob"), stop("Z", 2, "bob")])
    assert (keys(fleet, "ann"), keys(fleet, "bob")) == (["A"], ["A", "Z"])


def test_a_day_that_is_over_and_one_that_is_none() -> None:
    fleet = engine([member("ann")])
    assert fleet.replace_day(MONDAY - 1, [stop("A", 1, day=MONDAY - 1)]) == 0
    with pytest.raises(EngineError, match="day"):
        fleet.replace_day(20261301, [])
    assert engine([]).replace_day(MONDAY, [stop("A", 1)]) == 0


def test_many_listings_leave_the_routes_of_an_engine_built_anew() -> None:
    """Random listings, one after the other: each time routes and next decisions are those of a fresh engine."""
    random = Random(7)
    people = [member(f"m{i}", i * 5) for i in range(40)]
    fleet = engine(people)
    for _ in range(25):
        listing = [
            stop(f"K{n}", random.randrange(200), f"m{random.randrange(40)}", tsCreated=n, number=random.randrange(3))
            for n in random.sample(range(200), 90)
        ]
        fleet.replace_day(MONDAY, listing)
        fresh = engine(people, routes=listing)
        assert all(fleet.route(f"m{i}", MONDAY) == fresh.route(f"m{i}", MONDAY) for i in range(40))
        wanted = [job(random.uniform(0, 200), f"new{n}") for n in range(10)]
        assert fleet.decide(wanted) == fresh.decide(wanted)


def test_many_members_changed_at_once_answer_like_a_fleet_built_anew() -> None:
    random = Random(3)
    people = [member(f"m{i}", i) for i in range(300)]
    listing = [stop(f"K{n}", random.randrange(300), f"m{random.randrange(300)}", tsCreated=n) for n in range(200)]
    fleet = engine(people, routes=listing)
    for _ in range(10):
        changed = random.sample(range(300), 60)
        for i in changed:
            people[i] = member(f"m{i}", random.uniform(0, 300), moving=random.choice(("halted", "offduty")), teams=[i])
        people.append(member(f"m{len(people)}", random.uniform(0, 300), location={**at(5), "ts": SIX * 1000}))
        fleet.update_members([*(people[i] for i in changed), people[-1]])
        fresh = engine(people, routes=listing)
        wanted = [job(random.uniform(0, 300), f"new{n}") for n in range(20)]
        assert fleet.decide(wanted) == fresh.decide(wanted)
        fleet.cancel(one["uidSecondary"] for one in wanted)


def test_what_was_odd_does_not_pile_up() -> None:
    fleet = engine([member("ann")], now=MIDNIGHT)
    for n in range(3 * WARNINGS_KEPT):
        fleet.add_routes([stop(f"K{n}", 1, "stranger")])
        fleet.update_member(member("ann", timezone=f"Nowhere/{n}"))
    assert len(fleet.warnings) == WARNINGS_KEPT
