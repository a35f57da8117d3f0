"""The oracle against examples counted by hand: day routes, what fits where, loads and caps.

One degree is one hour. Members begin at latitude 1 and work from 08:00 unless told otherwise.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tests.oracle.degrees import TUESDAY, H, decide_one, fleet, hours, job, member, why
from tests.oracle.oracle import Oracle

DAY_ONE = date(2026, 11, 30)
DAY_SHIFT = hours(800, 1800)


def stop(key: str, lat: float = 1.0, **fields: Any) -> dict[str, Any]:
    """A saved stop of ann's Monday."""
    return job(key, lat, worker="ann") | fields


def ann(**fields: Any) -> dict[str, Any]:
    return member(working_hours=DAY_SHIFT, **fields)


def keys(oracle: Oracle, who: int = 0) -> list[str | None]:
    return [each.key for each in oracle.route_walk(who, DAY_ONE)[0]]


def times(oracle: Oracle, who: int = 0) -> list[float]:
    """Starts of work in hours."""
    return [start / H for start in oracle.route_walk(who, DAY_ONE)[1].starts]


# ---- the day route ----


def test_stops_go_by_number_then_scheduled_start_then_creation_then_input() -> None:
    saved = (
        stop("g"),
        stop("h"),
        stop("f", tsCreated=5),
        stop("e", scheduledStart=2000),
        stop("d", scheduledStart=1000, tsCreated=9),
        stop("c", number=2, scheduledStart=900),
        stop("b", number=2, scheduledStart=800, tsCreated=7),
        stop("a", number=1, scheduledStart=900),
    )
    assert keys(fleet(ann(), routes=saved)) == ["a", "b", "c", "d", "e", "g", "h", "f"]


@pytest.mark.parametrize(
    "fields",
    [
        {"tsDoneSuccess": 1},
        {"tsDoneFailed": 1},
        {"tsRejected": 1},
        {"status": "archived"},
        {"day": 0},
        {"day": None},
        {"day": 20261301},
        {"day": TUESDAY},
        {"worker": "bob", "assigneeUsername": "ann"},
        {"worker": "", "assigneeUsername": "bob", "receiverUid": "u-ann"},
    ],
)
def test_what_is_not_open_on_that_day_for_that_member_is_no_stop(fields: dict[str, Any]) -> None:
    assert keys(fleet(ann(), routes=(stop("a", **fields), stop("b")))) == ["b"]


def test_a_stop_belongs_to_worker_else_assignee_else_receiver() -> None:
    saved = (
        stop("a", assigneeUsername="bob"),
        stop("b", worker="", assigneeUsername="ann", receiverUid="u-bob"),
        stop("c", worker=None, receiverUid="u-ann"),
    )
    assert keys(fleet(ann(), member("bob"), routes=saved)) == ["a", "b", "c"]


def test_the_day_is_travel_wait_work_and_leave() -> None:
    """08:00 leave 1°; 10:00 at 3°, wait to 11:00, 30 min; 12:30 at 4°, 12 min by default; 13:12 at 3.5°."""
    saved = (
        stop("a", 3.0, windowStart=1100, onSiteSeconds=1800),
        stop("b", 4.0, onSiteSeconds=None),
        stop("c", 3.5),
    )
    oracle = fleet(ann(route_end_lat=1.5, route_end_lng=10.0), routes=saved)
    assert times(oracle) == pytest.approx([11.0, 12.5, 13.2])
    way = oracle.route_walk(0, DAY_ONE)[1]
    assert way.end == pytest.approx(15.2 * H)
    assert way.travel == pytest.approx((2 + 1 + 0.5 + 2) * H)
    assert way.arrivals[0] == pytest.approx(10 * H)
    assert way.leaves[0] == pytest.approx(11.5 * H)


@pytest.mark.parametrize("stay", [None, -1, "long"])
def test_a_stop_with_an_unreadable_stay_takes_twelve_minutes(stay: object) -> None:
    assert times(fleet(ann(), routes=(stop("a", onSiteSeconds=stay), stop("b")))) == [8.0, 8.2]


@pytest.mark.parametrize("bad", [{"destinationLat": None}, {"destinationLat": 99.0}, {"destinationLng": float("nan")}])
def test_a_stop_with_bad_coordinates_takes_its_time_but_no_travel(bad: dict[str, Any]) -> None:
    saved = (stop("a", 2.0), stop("b", onSiteSeconds=1800, **bad), stop("c", 3.0))
    assert times(fleet(ann(), routes=saved)) == pytest.approx([9.0, 9.0, 10.5])


def test_nothing_goes_before_a_stop_under_way() -> None:
    """Ann passes 2° on the way to 3°, but she is at 3° already."""
    passed = decide_one(fleet(ann(), routes=(stop("a", 3.0),)), job(lat=2.0))
    assert (passed.position, passed.added_travel_s) == pytest.approx((0, 0.0), abs=1e-6)
    back = decide_one(fleet(ann(), routes=(stop("a", 3.0, tsCheckIn=1),)), job(lat=2.0))
    assert (back.position, back.added_travel_s) == pytest.approx((1, H))


# ---- windows and the shift's end ----


def test_a_job_starts_within_its_window() -> None:
    """3° is reached at 10:00."""
    assert decide_one(fleet(ann()), job(lat=3.0, windowEnd=1000)).start_s == pytest.approx(10 * H)
    assert why(fleet(ann()), job(lat=3.0, windowEnd=959)) == {"window_unreachable": (1, "ann")}
    assert decide_one(fleet(ann()), job(lat=3.0, windowStart=1200, windowEnd=1230)).start_s == 12 * H


@pytest.mark.parametrize("open_end", [0, 2400, None])
def test_a_window_may_have_no_end(open_end: int | None) -> None:
    """A night shift starts a job of the day after midnight."""
    night = member(working_hours=hours(2200, 600))
    decision = decide_one(fleet(night), job(lat=4.0, windowStart=800, windowEnd=open_end))
    assert decision.start_s == pytest.approx(25 * H)
    assert why(fleet(night), job(lat=4.0, windowEnd=2359)) == {"window_unreachable": (1, "ann")}


def test_a_window_that_opens_at_the_shifts_end_is_unreachable() -> None:
    assert why(fleet(ann()), job(windowStart=1800, onSiteSeconds=60)) == {"window_unreachable": (1, "ann")}
    assert why(fleet(ann()), job(windowStart=1759, onSiteSeconds=120)) == {"shift_too_short": (1, "ann")}


def test_the_way_home_counts_before_the_shifts_end() -> None:
    """At 5° at 12:00; three hours of work leave three hours for the four degrees home: too short by one."""
    home = {"route_end_lat": 1.0, "route_end_lng": 10.0}
    long = job(lat=5.0, onSiteSeconds=3 * 3600)
    assert why(fleet(ann(**home)), long) == {"shift_too_short": (1, "ann")}
    assert decide_one(fleet(ann()), long).added_travel_s == pytest.approx(4 * H)
    short = decide_one(fleet(ann(**home)), long | {"onSiteSeconds": 2 * 3600})
    assert short.added_travel_s == pytest.approx(8 * H)


def test_an_empty_day_runs_from_the_reference_to_the_end() -> None:
    """From 1° to 4° anyway: 2° costs nothing, 5° costs one degree there and one back."""
    through = ann(route_end_lat=4.0, route_end_lng=10.0)
    assert decide_one(fleet(through), job(lat=2.0)).added_travel_s == pytest.approx(0.0, abs=1e-6)
    assert decide_one(fleet(through), job(lat=5.0)).added_travel_s == pytest.approx(2 * H)


def test_a_stop_on_time_stays_on_time() -> None:
    """3° is due by 10:30 and reached at 10:00: half an hour at 2° just fits before it, 31 minutes go after it."""
    saved = (stop("a", 3.0, windowEnd=1030),)
    assert decide_one(fleet(ann(), routes=saved), job(lat=2.0, onSiteSeconds=1800)).position == 0
    after = decide_one(fleet(ann(), routes=saved), job(lat=2.0, onSiteSeconds=1860))
    assert (after.position, after.start_s) == pytest.approx((1, 11 * H))


def test_a_stop_that_is_late_already_may_not_get_later() -> None:
    """3° was due by 09:00, is reached at 10:00: no minute before it, but a visit on the way without stay is free."""
    saved = (stop("a", 3.0, windowEnd=900),)
    assert decide_one(fleet(ann(), routes=saved), job(lat=2.0, onSiteSeconds=60)).position == 1
    assert decide_one(fleet(ann(), routes=saved), job(lat=2.0)).position == 0


def test_a_wait_takes_up_the_delay() -> None:
    """3° opens at 12:00, so two hours at 2° delay nobody; with a stop behind it the same."""
    saved = (stop("a", 3.0, windowStart=1200, windowEnd=1200), stop("b", 4.0, windowEnd=1300))
    assert decide_one(fleet(ann(), routes=saved), job(lat=2.0, onSiteSeconds=2 * 3600)).position == 0
    assert decide_one(fleet(ann(), routes=saved), job(lat=2.0, onSiteSeconds=2 * 3600 + 1)).position == 2


def test_a_day_that_is_too_long_already_may_not_get_longer() -> None:
    """The stop at 12° is reached at 19:00, an hour after the shift: a visit on the way fits when it takes no time."""
    saved = (stop("a", 12.0),)
    assert decide_one(fleet(ann(), routes=saved), job(lat=2.0)).position == 0
    assert why(fleet(ann(), routes=saved), job(lat=2.0, onSiteSeconds=1)) == {"route_full": (1, "ann")}


def test_a_saved_window_that_ends_before_it_starts_keeps_both_numbers() -> None:
    saved = (stop("a", 1.0, windowStart=1000, windowEnd=900),)
    assert times(fleet(ann(), routes=saved)) == [10.0]
    assert decide_one(fleet(ann(), routes=saved), job(onSiteSeconds=3 * 3600)).position == 1


@pytest.mark.parametrize(("start", "end"), [(2575, 2500), (860, 0), ("nine", None), (-5, 2401)])
def test_a_saved_window_that_cannot_be_read_is_open(start: object, end: object) -> None:
    saved = (stop("a", 1.0, windowStart=start, windowEnd=end),)
    assert times(fleet(ann(), routes=saved)) == [8.0]
    assert decide_one(fleet(ann(), routes=saved), job(onSiteSeconds=3 * 3600)).position == 0


def test_the_end_of_a_saved_window_that_can_be_read_stays() -> None:
    half = (stop("a", 1.0, windowStart="nine", windowEnd=900), stop("b", 1.0, windowStart=1000, windowEnd="ten"))
    assert times(fleet(ann(), routes=half)) == [8.0, 10.0]
    assert decide_one(fleet(ann(), routes=half), job(onSiteSeconds=2 * 3600)).position == 1


# ---- position ----


def test_the_least_added_travel_decides_the_position() -> None:
    """Stops at 2° and 6°: 5° lies on the way between them, 7° behind the last."""
    saved = (stop("a", 2.0), stop("b", 6.0))
    assert decide_one(fleet(ann(), routes=saved), job(lat=5.0)).position == 1
    behind = decide_one(fleet(ann(), routes=saved), job(lat=7.0))
    assert (behind.position, behind.added_travel_s) == pytest.approx((2, H))


def test_on_a_tie_the_day_that_ends_earlier_wins() -> None:
    """An hour at 2° costs no travel before nor after the stop at 2°; before it the hour fills the wait.

    Where the job has to wait for 10:30 itself, it goes behind the half hour of the stop.
    """
    saved = (stop("a", 2.0, windowStart=1000), stop("b", 3.0))
    decision = decide_one(fleet(ann(), routes=saved), job(lat=2.0, onSiteSeconds=3600))
    assert (decision.position, decision.start_s) == pytest.approx((0, 9 * H))
    saved = (stop("a", 2.0, windowStart=1000, onSiteSeconds=1800), stop("b", 3.0))
    other = decide_one(fleet(ann(), routes=saved), job(lat=2.0, onSiteSeconds=3600, windowStart=1030))
    assert (other.position, other.start_s) == pytest.approx((1, 10.5 * H))


def test_on_a_full_tie_the_earlier_position_wins() -> None:
    saved = (stop("a", 2.0), stop("b", 2.0), stop("c", 3.0))
    assert decide_one(fleet(ann(), routes=saved), job(lat=2.0)).position == 0


# ---- load ----


def test_the_load_is_drop_offs_until_dropped_and_pick_ups_from_then_on() -> None:
    """Capacity 3, two to drop at 2°, two picked up at 3°: 2, 0, 2 on board."""
    van = ann(vehicle_capacity=3)
    saved = (stop("a", 2.0, itemsToDropoff=2), stop("b", 3.0, itemsToPickup=2))
    cases = [
        ({"itemsToDropoff": 1}, 0),
        ({"itemsToDropoff": 2}, None),
        ({"itemsToPickup": 1}, 0),
        ({"itemsToPickup": 2}, None),
        ({"itemsToDropoff": 1, "itemsToPickup": 1}, 0),
        ({}, 0),
    ]
    for items, position in cases:
        decision = decide_one(fleet(van, routes=saved), job(lat=1.5) | items)
        assert decision.position == position, items
        if position is None:
            assert decision.reasons == {"over_capacity": (1, "ann")}


def test_the_load_can_ask_for_a_later_position() -> None:
    """Three to pick up with two to drop at 4°: only after the drop, though it lies before it."""
    saved = (stop("a", 4.0, itemsToDropoff=2),)
    decision = decide_one(fleet(ann(vehicle_capacity=3), routes=saved), job(lat=2.0, itemsToPickup=3))
    assert (decision.position, decision.added_travel_s) == pytest.approx((1, 2 * H))


def test_at_one_stop_the_drop_comes_before_the_pick() -> None:
    both = {"itemsToDropoff": 3, "itemsToPickup": 3}
    assert decide_one(fleet(ann(vehicle_capacity=3)), job() | both).worker == "ann"
    assert why(fleet(ann(vehicle_capacity=3)), job(itemsToDropoff=4)) == {"over_capacity": (1, "ann")}


def test_an_overloaded_vehicle_takes_jobs_without_items() -> None:
    saved = (stop("a", 2.0, itemsToDropoff=9),)
    oracle = fleet(ann(vehicle_capacity=3), routes=saved)
    assert why(oracle, job(itemsToPickup=1)) == {"over_capacity": (1, "ann")}
    assert decide_one(oracle, job()).worker == "ann"


@pytest.mark.parametrize("capacity", [0, -1, None])
def test_no_capacity_is_no_limit(capacity: int | None) -> None:
    assert decide_one(fleet(ann(vehicle_capacity=capacity)), job(itemsToDropoff=99)).worker == "ann"


# ---- caps ----


def test_the_job_cap_counts_open_stops_of_the_day_with_this_one() -> None:
    saved = (stop("a"), stop("b", tsDoneSuccess=1), stop("c", day=TUESDAY))
    oracle = fleet(ann(), routes=saved, max_jobs_per_day=2)
    assert decide_one(oracle, job("d")).worker == "ann"
    assert why(oracle, job("e")) == {"at_job_cap": (1, "ann")}


def test_the_distance_cap_is_great_circle_from_the_reference() -> None:
    """Two degrees are 222.39 km."""
    saved = (stop("a", 3.0),)
    assert decide_one(fleet(ann(), routes=saved, max_distance_km=222.4), job(lat=3.0)).worker == "ann"
    oracle = fleet(ann(), routes=saved, max_distance_km=222.3)
    assert why(oracle, job(lat=3.0)) == {"over_distance": (1, "ann")}
