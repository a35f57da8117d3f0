"""The day route: its order, its times, and where named jobs enter."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.engine.people import MONDAY, approx, clock, engine, job, member


def keys(fleet: Any, worker: str = "ann", day: int = MONDAY) -> list[str | None]:
    return [stop.key for stop in fleet.route(worker, day)]


def saved(steps: float | None, key: str, **fields: Any) -> dict[str, Any]:
    return job(steps, key, worker="ann") | fields


def test_stops_lie_by_number_then_schedule_then_creation() -> None:
    routes = [
        saved(1, "late", tsCreated=9),
        saved(1, "early", tsCreated=3),
        saved(1, "planned", scheduledStart=50, tsCreated=99),
        saved(1, "second", number=2),
        saved(1, "first", number=1),
        saved(1, "same as early", tsCreated=3),
    ]
    assert keys(engine([member("ann")], routes=routes)) == [
        "first",
        "second",
        "planned",
        "early",
        "same as early",
        "late",
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"tsDoneSuccess": 1},
        {"tsDoneFailed": 1},
        {"tsRejected": 1},
        {"status": "archived"},
        {"day": 0},
        {"day": None},
        {"worker": ""},
    ],
)
def test_what_is_over_undated_or_nobodys_is_no_stop(fields: dict[str, Any]) -> None:
    assert keys(engine([member("ann")], routes=[saved(1, "a", **fields)])) == []


def test_a_stop_is_found_by_worker_then_assignee_then_uid() -> None:
    routes = [
        job(1, "a", worker="ann", assigneeUsername="bob"),
        job(1, "b", worker="", assigneeUsername="ann"),
        job(1, "c", receiverUid="uid-ann"),
        job(1, "d", worker="carl"),
    ]
    fleet = engine([member("ann"), member("bob")], routes=routes)
    assert keys(fleet) == ["a", "b", "c"]
    assert "carl" in fleet.warnings[0]


def test_times_follow_travel_windows_and_time_on_site() -> None:
    routes = [
        saved(5, "a", number=1, windowStart=900),
        saved(8, "b", number=2, onSiteSeconds=0),
        saved(8, "c", number=3),
    ]
    stops = engine([member("ann")], routes=routes).route("ann", MONDAY)
    times = [(stop.arrive_s, stop.start_s, stop.leave_s) for stop in stops]
    assert times == [
        approx((clock(8, 5), clock(9), clock(9, 10))),
        approx((clock(9, 13), clock(9, 13), clock(9, 13))),
        approx((clock(9, 13), clock(9, 13), clock(9, 23))),
    ]


def test_a_stop_without_a_place_takes_its_time_but_no_way() -> None:
    routes = [saved(5, "a", number=1), saved(None, "b", number=2, onSiteSeconds=1200), saved(8, "c", number=3)]
    stops = engine([member("ann")], routes=routes).route("ann", MONDAY)
    assert [stop.start_s for stop in stops] == approx([clock(8, 5), clock(8, 15), clock(8, 38)])


def test_missing_time_on_site_is_twelve_minutes_and_an_explicit_zero_stays() -> None:
    routes = [saved(0, "a", number=1), saved(0, "b", number=2), saved(0, "c", number=3)]
    for route, seconds in zip(routes, (None, 0, "soon"), strict=True):
        route["onSiteSeconds"] = seconds
    stops = engine([member("ann")], routes=routes).route("ann", MONDAY)
    assert [stop.leave_s - stop.start_s for stop in stops] == [720.0, 0.0, 720.0]


def test_named_jobs_enter_by_number_before_any_other_is_decided() -> None:
    fleet = engine([member("ann")], routes=[saved(2, "old", number=2)])
    batch = [
        job(3, "free"),
        saved(1, "one", number=1),
        saved(4, "last"),
        job(0, "uid", receiverUid="uid-ann", number=2),
    ]
    decisions = fleet.decide(batch)
    assert keys(fleet)[:2] == ["one", "old"]
    assert [d.preassigned for d in decisions] == [False, True, True, True]
    assert [d.position for d in decisions[1:]] == [0, 3, 2]
    assert decisions[0].worker == "ann"


def test_figures_of_named_jobs_are_read_off_the_routes_once_all_are_in() -> None:
    first, second = engine([member("ann")]).decide([saved(4, "a", number=2), saved(2, "b", number=1)])
    assert (first.position, second.position) == (1, 0)
    assert first.start_s == approx(clock(8, 14))
    assert (first.added_travel_s, second.added_travel_s) == (approx(120), approx(0, abs=1e-6))


def test_nothing_keeps_a_named_job_out() -> None:
    decision = engine([member("ann", vehicle_capacity=1)]).decide([saved(1, "a", windowEnd=700, itemsToDropoff=5)])[0]
    assert (decision.worker, decision.preassigned, decision.start_s) == ("ann", True, approx(clock(8, 1)))


@pytest.mark.parametrize("fields", [{"worker": "carl"}, {"worker": "ann", "day": MONDAY - 1}])
def test_a_job_for_somebody_unknown_or_for_a_past_day_is_kept_with_null_figures(fields: dict[str, Any]) -> None:
    decision = engine([member("ann")]).decide([job(1, "a", **fields)])[0]
    assert (decision.worker, decision.preassigned) == (fields["worker"], True)
    assert (decision.position, decision.start_s, decision.distance_m, decision.added_travel_s) == (
        None,
        None,
        None,
        None,
    )


def test_a_key_in_the_batch_leaves_its_route_whoever_held_it() -> None:
    fleet = engine([member("ann"), member("bob", 1)], routes=[saved(1, "a"), saved(2, "b")])
    decision = fleet.decide([job(1, "a")])[0]
    assert decision.worker == "bob"
    assert keys(fleet) == ["b"]
    assert keys(fleet, "bob") == ["a"]


def test_a_later_version_of_a_key_replaces_the_first_at_its_turn() -> None:
    fleet = engine([member("ann"), member("bob", 9)])
    decisions = fleet.decide([job(0, "a"), job(9, "a"), saved(0, "c"), saved(0, "c", number=1)])
    assert [d.worker for d in decisions] == ["ann", "bob", "ann", "ann"]
    assert (decisions[2].position, decisions[3].position) == (None, 0)
    assert (keys(fleet), keys(fleet, "bob")) == (["c"], ["a"])


def test_nothing_goes_before_a_stop_under_way() -> None:
    routes = [saved(1, "a", number=1), saved(9, "b", number=2, tsCheckIn=5), saved(12, "c", number=3)]
    fleet = engine([member("ann")], routes=routes)
    decision, named = fleet.decide([job(1, "x"), saved(1, "n", number=1)])
    assert decision.position is not None
    assert decision.position >= 2
    assert named.position == 2
    assert keys(fleet)[:2] == ["a", "b"]


def test_routes_grow_to_any_length() -> None:
    fleet = engine([member("ann")])
    decisions = fleet.decide([job(0, str(i), onSiteSeconds=0) for i in range(700)])
    assert all(decision.worker == "ann" for decision in decisions)
    assert len(fleet.route("ann", MONDAY)) == 700


def test_days_have_routes_of_their_own() -> None:
    days = [MONDAY + i for i in range(9)]
    fleet = engine([member("ann")])
    assert {d.position for d in fleet.decide([job(0, str(day), day=day) for day in days])} == {0}
    assert [keys(fleet, day=day) for day in days] == [[str(day)] for day in days]
