"""When a job fits, where it goes, and who gets it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.engine.people import STEP_M, approx, at, clock, engine, job, member


def saved(steps: float | None, key: str, **fields: Any) -> dict[str, Any]:
    return job(steps, key, worker="ann") | fields


def test_the_nearest_member_gets_it() -> None:
    decision = engine([member("far", 9), member("near", 2)]).decide([job(0)])[0]
    assert decision.worker == "near"
    assert decision.distance_m == approx(2 * STEP_M)
    assert decision.added_travel_s == approx(120)


def test_under_least_detour_the_one_who_passes_by_gets_it() -> None:
    accounts = [member("ann", -50), member("near", 2)]
    routes = [saved(50, "x", windowStart=1400)]
    for policy, worker in (("nearest", "near"), ("least_detour", "ann")):
        assert engine(accounts, routes=routes, policy=policy).decide([job(0)])[0].worker == worker


def test_the_distance_is_without_circuity_under_both_policies() -> None:
    for policy in ("nearest", "least_detour"):
        assert engine([member("ann", 3)], policy=policy, circuity=2.0).decide([job(0)])[0].distance_m == approx(
            3 * STEP_M
        )


def test_ties_go_to_the_fewest_stops_then_to_input_order() -> None:
    fleet = engine([member("ann"), member("bob"), member("eve")], routes=[saved(0, "x")])
    assert [d.worker for d in fleet.decide([job(0) for _ in range(4)])] == ["bob", "eve", "ann", "bob"]


def test_higher_priority_is_taken_first_then_input_order() -> None:
    fleet = engine([member("ann"), member("bob", 9)], max_jobs_per_day=1)
    jobs = [job(0, priority=None), job(0, priority=0), job(0, priority=10), job(0, priority=5)]
    assert [d.worker for d in fleet.decide(jobs)] == ["bob", None, "ann", None]


@pytest.mark.parametrize(("closes", "worker"), [(810, "ann"), (809, None)])
def test_it_must_start_within_its_window(closes: int, worker: str | None) -> None:
    assert engine([member("ann", 10)]).decide([job(0, windowEnd=closes)])[0].worker == worker


def test_an_early_arrival_waits() -> None:
    assert engine([member("ann")]).decide([job(0, windowStart=1130)])[0].start_s == clock(11, 30)


def test_2400_and_0_mean_an_open_end() -> None:
    night = {"monday": {"start": 2000, "end": 800}}
    for end in (0, 2400, None):
        decision = engine([member("ann", working_hours=night)], routes=[saved(0, "x", onSiteSeconds=18000)]).decide(
            [job(0, windowStart=2100, windowEnd=end)]
        )[0]
        assert decision.worker == "ann"


@pytest.mark.parametrize(("on_site", "position"), [(3000, 0), (3060, 1)])
def test_what_is_on_time_stays_on_time(on_site: int, position: int) -> None:
    """Before x (window closes 09:00) there are 60 minutes, 10 of which are its way."""
    routes = [saved(10, "x", windowEnd=900)]
    decision = engine([member("ann")], routes=routes).decide([job(5, onSiteSeconds=on_site)])[0]
    assert decision.position == position


def test_what_is_late_already_may_not_get_later() -> None:
    routes = [saved(10, "late", number=1, windowEnd=800)]
    decision = engine([member("ann")], routes=routes).decide([job(5, onSiteSeconds=1), job(5, onSiteSeconds=0)])
    assert [d.position for d in decision] == [1, 0]


def test_a_day_that_is_too_long_already_may_not_get_longer() -> None:
    routes = [saved(10, "x", windowStart=1750, onSiteSeconds=3600)]
    fleet = engine([member("ann")], routes=routes)
    assert fleet.decide([job(5)])[0].position == 0
    assert fleet.decide([job(15, windowStart=1750, onSiteSeconds=0)])[0].worker is None


def test_the_place_that_adds_least_is_taken() -> None:
    routes = [saved(10, "a", number=1), saved(20, "b", number=2), saved(0, "c", number=3)]
    decision = engine([member("ann")], routes=routes).decide([job(15.0)])[0]
    assert (decision.position, decision.added_travel_s) == (1, approx(0, abs=1e-6))


def test_on_a_tie_the_day_that_ends_earlier_then_the_earlier_place() -> None:
    """Before or behind a (same place, window from 10:00) a job adds nothing; before it the waiting time is used."""
    before = engine([member("ann")], routes=[saved(5, "a", windowStart=1000)]).decide([job(5)])[0]
    assert before.position == 0
    tie = engine([member("ann")], routes=[saved(5, "a"), saved(5, "b")]).decide([job(5)])[0]
    assert tie.position == 0


def test_the_way_to_the_routes_end_counts_as_added_travel() -> None:
    record = member("ann", route_end_lat=0.0, route_end_lng=at(20)["lng"])
    passing, beyond = engine([record]).decide([job(10), job(25)])
    assert passing.added_travel_s == approx(0, abs=1e-6)
    assert (beyond.position, beyond.added_travel_s) == (1, approx(600))


@pytest.mark.parametrize(
    ("mode", "seconds"),
    [("car", 60), ("van", 60), ("truck", 60 * 50 / 45), ("bicycle", 200), ("pedestrian", 600), ("ufo", 60), (None, 60)],
)
def test_speed_follows_the_travel_mode(mode: str | None, seconds: float) -> None:
    assert engine([member("ann", travel_mode=mode)]).decide([job(1)])[0].added_travel_s == approx(seconds)


def test_a_stop_without_a_place_between_others_is_passed_on_the_new_way() -> None:
    """The stops are a (5), nowhere, b (9): a job at 9 before `nowhere` takes the way of b with it."""
    routes = [saved(5, "a", number=1), saved(None, "nowhere", number=2, windowEnd=830), saved(9, "b", number=3)]
    decision = engine([member("ann")], routes=routes).decide([job(9)])[0]
    assert (decision.position, decision.added_travel_s) == (1, approx(0, abs=1e-6))
    tight = engine([member("ann")], routes=routes).decide([job(9, onSiteSeconds=900)])[0]
    assert tight.position == 2


def test_across_the_antimeridian_and_over_the_pole_is_near() -> None:
    accounts = [
        member("west", None, route_start_lat=0.0, route_start_lng=-179.99),
        member("pole", None, route_start_lat=89.99, route_start_lng=-170.0),
        member("far", None, route_start_lat=0.0, route_start_lng=178.0),
    ]
    fleet = engine(accounts)
    over_line = fleet.decide([{**job(), "destinationLat": 0.0, "destinationLng": 179.99}])[0]
    over_pole = fleet.decide([{**job(), "destinationLat": 89.99, "destinationLng": 10.0}])[0]
    assert (over_line.worker, over_line.distance_m) == ("west", approx(2 * STEP_M))
    assert (over_pole.worker, over_pole.distance_m) == ("pole", approx(2 * STEP_M, rel=1e-6))
