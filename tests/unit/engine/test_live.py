"""A fleet that changes while jobs come in."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from engine import EngineError
from tests.unit.engine.people import MIDNIGHT, MONDAY, SIX, STEP_M, approx, at, clock, engine, job, member

SPREAD = [member(f"m{i}", None, location={**at(i * 10), "ts": SIX * 1000}) for i in range(300)]


def keys(fleet: Any, worker: str, day: int = MONDAY) -> list[str | None]:
    return [stop.key for stop in fleet.route(worker, day)]


def test_a_member_who_moved_is_found_at_the_new_place_at_once() -> None:
    fleet = engine(SPREAD)
    for i in (299, 150, 0):
        fleet.update_location(f"m{i}", 40.0, -3.0 - i / 1000)
        decision = fleet.decide([job(None) | {"destinationLat": 40.0, "destinationLng": -3.0 - i / 1000}])[0]
        assert (decision.worker, decision.distance_m) == (f"m{i}", approx(0.0, abs=1e-6))


def test_a_member_whose_place_becomes_known_can_be_found() -> None:
    fleet = engine([*SPREAD, member("new", None)])
    assert fleet.decide([job(3000)])[0].worker == "m299"
    fleet.update_location("new", 0.0, at(3000)["lng"])
    assert fleet.decide([job(3000)])[0].worker == "new"
    fleet.update_location("new", float("nan"), 0.0)
    assert fleet.explain(job(3000), "new").code == "no_location"


def test_many_moves_leave_an_exact_search() -> None:
    """Members wander far from their branch of the tree; every answer is that of an engine built anew."""
    random = Random(5)
    fleet = engine(SPREAD)
    places = {i: i * 10.0 for i in range(300)}
    for _ in range(30):
        for _ in range(20):
            i = random.randrange(300)
            places[i] = random.uniform(0, 3000)
            fleet.update_location(f"m{i}", 0.0, at(places[i])["lng"])
        fresh = engine([member(f"m{i}", None, location={**at(steps), "ts": SIX * 1000}) for i, steps in places.items()])
        wanted = [job(random.uniform(0, 3000), day=MONDAY) for _ in range(5)]
        expected = [fresh.explain(one).chosen for one in wanted]
        found = [fleet.explain(one).chosen for one in wanted]
        decided = [fleet.decide([{**one, "uidSecondary": "x"}])[0] for one in wanted]
        fleet.cancel(["x"])
        assert [one and one.worker for one in found] == [one and one.worker for one in expected]
        assert [one.worker for one in decided] == [one and one.worker for one in expected]


def test_as_time_goes_on_the_day_starts_later_and_locations_grow_old() -> None:
    accounts = [member("ann", 50, location={**at(0), "ts": (SIX + clock(3)) * 1000}), member("bob", 10)]
    fleet = engine(accounts, now=SIX + clock(3))
    assert fleet.decide([job(0, "a")])[0].worker == "ann"
    assert fleet.decide([job(0, "b")], now=SIX + clock(3) + 900)[0].worker == "ann"
    later = fleet.decide([job(0, "c")], now=SIX + clock(3) + 901)[0]
    assert (later.worker, later.start_s) == ("bob", approx(clock(9, 25) + 1))


def test_advancing_step_by_step_is_the_same_as_starting_later() -> None:
    routes = [job(i, f"s{i}", worker="ann", number=i + 1) for i in range(3)]
    fleet = engine([member("ann"), member("bob", 20)], routes=routes)
    for minute in range(0, 700, 7):
        now = SIX + minute * 60.0
        fleet.advance(now)
        assert fleet.route("ann", 0) == engine([member("ann")], routes=routes, now=now).route("ann", 0)


def test_a_new_day_begins_for_each_member_at_its_own_midnight() -> None:
    fleet = engine([member("ann"), member("isle", timezone="Pacific/Kiritimati")])
    assert fleet.decide([job(0, "a", day=0, custom_excluded_workers="isle")])[0].worker == "ann"
    fleet.advance(MIDNIGHT + 86400 + 60)
    assert fleet.route("ann", 0) == []
    assert keys(fleet, "ann") == ["a"]
    assert [d.worker for d in fleet.decide([job(day=MONDAY), job(day=MONDAY + 1)])] == [None, "ann"]


def test_days_long_over_are_forgotten() -> None:
    fleet = engine([member("ann")])
    for i in range(40):
        fleet.decide([job(0, f"k{i}", day=0)], now=SIX + i * 86400)
    assert fleet.cancel([f"k{i}" for i in range(40)]) == 2


def test_a_newer_record_of_a_member_counts_at_once_and_the_stops_stay() -> None:
    fleet = engine([member("ann", teams=[1]), member("bob", 9, teams=[1])], routes=[job(1, "x", worker="ann")])
    fleet.update_member(member("ann", teams=[2], status_label=""))
    assert fleet.decide([job(0, teamId=1)])[0].worker == "bob"
    assert keys(fleet, "ann") == ["x"]
    fleet.update_member(member("ann", teams=[1], moving="offduty"))
    assert fleet.decide([job(0, teamId=1)])[0].worker == "bob"


def test_a_new_member_comes_last_in_input_order() -> None:
    fleet = engine([member("ann")])
    for i in range(40):
        fleet.update_member(member(f"m{i}", 100 + i, teams=[i + 1]))
    assert fleet.members == ("ann", *(f"m{i}" for i in range(40)))
    assert [fleet.decide([job(0, teamId=i + 1)])[0].worker for i in (0, 20, 39)] == ["m0", "m20", "m39"]
    assert fleet.decide([job(0), job(0)])[1].worker == "ann"


def test_a_cancelled_or_completed_stop_makes_room() -> None:
    fleet = engine([member("ann")], routes=[job(0, "x", worker="ann", onSiteSeconds=36000)])
    assert fleet.decide([job(0, "y")])[0].worker is None
    assert (fleet.complete(["x", "x", "nobody"]), fleet.cancel(["x"])) == (1, 0)
    assert fleet.decide([job(0, "y")])[0].worker == "ann"


def test_saved_jobs_replace_what_is_known_of_them() -> None:
    fleet = engine(
        [member("ann"), member("bob")], routes=[job(1, "x", worker="ann", id="1"), job(1, None, worker="ann", id="2")]
    )
    fleet.add_routes(
        [
            job(1, "x", worker="bob", id="1"),
            job(1, None, worker="bob", id="2", tsDoneSuccess=5),
            job(2, "y", worker="bob"),
        ]
    )
    assert (keys(fleet, "ann"), keys(fleet, "bob")) == ([], ["x", "y"])


def test_a_move_goes_to_the_member_day_and_place_that_are_named() -> None:
    fleet = engine(
        [member("ann"), member("bob")], routes=[job(i, f"s{i}", worker="ann", number=i + 1) for i in range(3)]
    )
    moved = fleet.move("s1", "bob")
    assert (moved.worker, moved.position, moved.preassigned) == ("bob", 0, True)
    assert fleet.move("s2", "ann", position=0).position == 0
    assert fleet.move("s0", "bob", day=MONDAY + 1).distance_m == approx(0.0)
    assert (keys(fleet, "ann"), keys(fleet, "bob"), keys(fleet, "bob", MONDAY + 1)) == (["s2"], ["s1"], ["s0"])
    for bad in (("nothing", "bob", None), ("s1", "carl", None), ("s1", "bob", MONDAY - 1), ("s1", "bob", 7)):
        with pytest.raises(EngineError):
            fleet.move(bad[0], bad[1], day=bad[2])
    assert keys(fleet, "bob") == ["s1"]


def test_a_job_taken_away_goes_to_the_next_best() -> None:
    fleet = engine([member("ann"), member("bob", 5)])
    wanted = job(0, "x", worker="ann")
    fleet.decide([wanted])
    assert fleet.reassign(wanted).worker == "bob"
    assert (keys(fleet, "ann"), keys(fleet, "bob")) == ([], ["x"])
    lonely = engine([member("ann")])
    lonely.decide([job(0, "x")])
    refused = lonely.reassign(job(0, "x"), reasons=True)
    assert (refused.worker, list(refused.reasons or {})) == (None, ["excluded"])


def test_distances_are_those_of_the_new_place() -> None:
    fleet = engine([member("ann", None, location={**at(0), "ts": SIX * 1000})], routes=[job(5, "x", worker="ann")])
    fleet.update_location("ann", 0.0, at(4)["lng"])
    assert fleet.route("ann", MONDAY)[0].arrive_s == approx(clock(8, 1))
    assert fleet.decide([job(7)])[0].distance_m == approx(3 * STEP_M)
