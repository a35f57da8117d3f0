"""A scene shows what the engine decided, and nothing else."""

from __future__ import annotations

import math

import pytest

from dispatcher.picture.crew import Crew
from engine import Engine, EngineSettings
from tests.unit.picture.plans import DAY, NOW, job, member, planned, undecided


def test_a_route_has_the_engines_stops_in_its_order_with_its_times() -> None:
    members = [member("ann", 45.0)]
    jobs = [job("LATE", 45.03, windowStart=1400, windowEnd=1500), job("EARLY", 45.02, windowStart=900, windowEnd=1000)]
    scene = planned(members, jobs)
    engine = Engine(members, settings=EngineSettings(timezone="Europe/Rome"), now=NOW)
    engine.decide(jobs)
    (route,) = scene.routes
    stops = engine.route("ann@acme.com", DAY)
    assert [scene.spots[call.spot].key for call in route.calls] == ["EARLY", "LATE"] == [stop.key for stop in stops]
    assert [(call.arrive_s, call.start_s, call.leave_s) for call in route.calls] == [
        (stop.arrive_s, stop.start_s, stop.leave_s) for stop in stops
    ]
    assert route.start == pytest.approx((45.0, 7.0))


def test_the_way_is_the_great_circle_times_circuity_with_the_way_home() -> None:
    """One degree of a meridian is 111 195 m on this sphere; out and home again is twice 0.1 of that."""
    home = member("ann", 45.0, route_end_lat=45.0, route_end_lng=7.0)
    scene = planned([home], [job("A", 45.1)], circuity=1.5)
    assert scene.routes[0].travel_m == pytest.approx(2 * 11_119.5 * 1.5, rel=1e-4)
    assert scene.travel_m == scene.routes[0].travel_m


def test_stops_that_were_there_before_are_in_the_route_but_no_jobs_of_the_plan() -> None:
    saved = [job("OLD", 45.01) | {"id": "17", "worker": "ann@acme.com"}]
    scene = planned([member("ann", 45.0)], [job("NEW", 45.02)], saved=saved)
    (route,) = scene.routes
    assert {scene.spots[call.spot].key for call in route.calls} == {"OLD", "NEW"}
    assert [each.spot.key for each in scene.jobs] == ["NEW"]
    assert scene.spots[1].title == "Visit OLD"


def test_a_job_that_replaces_a_saved_stop_is_drawn_where_the_job_is() -> None:
    saved = [job("A", 45.3) | {"worker": "ann@acme.com"}]
    scene = planned([member("ann", 45.0)], [job("A", 45.02)], saved=saved)
    (call,) = scene.routes[0].calls
    assert call.spot == 0
    assert scene.spots[0].place == (45.02, 7.0)


def test_a_job_without_a_day_is_on_its_members_own_today() -> None:
    """In Auckland it is the 30th already when it is the 29th in Rome."""
    far = member("kim", -36.8, 174.7, timezone="Pacific/Auckland", working_hours=None)
    evening = NOW + 10 * 3600
    scene = planned([far], [job("A", -36.81, 174.7, day=0)], now=evening)
    assert (scene.jobs[0].worker, scene.jobs[0].day) == ("kim@acme.com", DAY)


def test_a_job_without_a_member_is_sorted_under_the_reason_of_whoever_came_closest() -> None:
    """Bob is in another team; ann's day is full: to free ann would help, to move bob would not."""
    bob = member("bob", 45.0, teams=[2])
    scene = planned([bob, member("ann", 45.0)], [job("A", 45.01, teamId=1)], max_jobs_per_day=0)
    assert scene.reasons() == {}
    full = [job("FIRST", 45.0, teamId=1, onSiteSeconds=9 * 3600, priority=10), job("A", 45.01, teamId=1)]
    scene = planned([bob, member("ann", 45.0)], full)
    assert scene.jobs[1].reason == "route_full"
    assert scene.jobs[1].reasons == {
        "team_mismatch": (1, "bob@acme.com"),
        "route_full": (1, "ann@acme.com"),
    }
    assert scene.reasons() == {"route_full": 1}


def test_without_coordinates_a_job_has_no_place_and_its_own_reason() -> None:
    scene = planned([member("ann", 45.0)], [job("A", 0.0, 0.0), job("B", 95.0)])
    assert [each.spot.place for each in scene.jobs] == [None, None]
    assert scene.reasons() == {"bad_coordinates": 2}


def test_a_named_member_whom_nobody_knows_is_kept_by_name_and_counts_as_assigned() -> None:
    scene = planned([member("ann", 45.0)], [job("A", 45.0, worker="ghost@acme.com")])
    assert (scene.jobs[0].member, scene.jobs[0].worker, scene.jobs[0].preassigned) == (-1, "ghost@acme.com", True)
    assert (scene.assigned, scene.routes) == (1, [])


def test_members_show_the_shift_of_the_plans_day_and_where_it_begins() -> None:
    off = member("bob", 45.1, working_hours={"monday": {"start": 0, "end": 0}})
    lost = member("eve", 0.0, 0.0)
    scene = planned([member("ann", 45.0), off, lost], [job("A", 45.0)])
    ann, bob, eve = scene.members
    assert (ann.begin_s, ann.end_s, ann.open, ann.title) == (8 * 3600, 17 * 3600, True, "Ann")
    assert (bob.begin_s, bob.end_s, bob.open) == (0, 0, False)
    assert (eve.place, eve.open) == (None, False)


def test_the_crew_begins_where_the_engine_measures_from() -> None:
    """A fresh live location counts today and not tomorrow; the engine's own distances say so."""
    moved = member("ann", 45.0, location={"lat": 45.2, "lng": 7.0, "ts": NOW * 1000})
    moved["working_hours"] = {"source": "none"}
    today, tomorrow = job("A", 45.3, day=20261129), job("B", 45.3)
    scene = planned([moved], [today, tomorrow])
    crew = Crew([moved], None, EngineSettings(timezone="Europe/Rome"), NOW)
    for each in scene.jobs:
        start = crew.outsets(each.day)[0].start
        assert start is not None
        assert each.distance_m == pytest.approx(math.radians(45.3 - start[0]) * 6_371_008.8, rel=1e-6)


def test_of_two_members_with_one_username_the_first_stands() -> None:
    scene = planned([member("ann", 45.0), member("ann", 46.0, name="Other"), member("bob", 47.0)], [job("A", 47.01)])
    assert [each.title for each in scene.members] == ["Ann", "Bob"]
    assert scene.jobs[0].member == 1


def test_without_an_engine_jobs_keep_whom_they_name_and_there_are_no_routes() -> None:
    scene = undecided([member("ann", 45.0)], [job("A", 45.0, worker="ann@acme.com"), job("B", 45.0)])
    assert ([each.member for each in scene.jobs], scene.routes, scene.policy) == ([0, -1], [], "none")
    assert scene.reasons() == {"": 1}


def test_a_plan_of_nothing_is_a_scene_too() -> None:
    assert planned([], []).days == []
    assert planned([member("ann", 45.0)], []).members[0].name == "ann@acme.com"


def test_load_counts_each_day_of_a_member_by_itself() -> None:
    scene = planned(
        [member("ann", 45.0, working_hours=None)], [job("A", 45.0), job("B", 45.0), job("C", 45.0, day=20261201)]
    )
    assert sorted(scene.jobs_per_member()) == [1, 2]
    assert len(scene.distances_m()) == 3
