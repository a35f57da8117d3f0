"""The oracle against examples counted by hand: which member, in which order, named members, replaced keys, reasons."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tests.oracle.decisions import PlainDecision
from tests.oracle.degrees import DEGREE_M, SUNDAY, TUESDAY, H, at, decide_one, fleet, hours, job, member, why
from tests.oracle.oracle import Oracle

DAY_ONE = date(2026, 11, 30)


def keys(oracle: Oracle, who: int = 0, day: date = DAY_ONE) -> list[str | None]:
    return [each.key for each in oracle.route_walk(who, day)[0]]


def workers(decisions: list[PlainDecision]) -> list[str | None]:
    return [each.worker for each in decisions]


# ---- which member ----


def test_nearest_goes_by_the_reference_and_least_detour_by_the_added_travel() -> None:
    """Ann begins at 1° and goes to 4° anyway; bob begins at 4.4° and has nothing to do. The job is at 4.1°."""
    saved = (job("a", 4.0, worker="ann"),)
    staff = (member("ann", 1.0), member("bob", 4.4))
    nearest = decide_one(fleet(*staff, routes=saved), job(lat=4.1))
    assert (nearest.worker, nearest.position) == ("bob", 0)
    assert nearest.distance_m == pytest.approx(0.3 * DEGREE_M)
    assert nearest.added_travel_s == pytest.approx(0.3 * H)
    least = decide_one(fleet(*staff, routes=saved, policy="least_detour"), job(lat=4.1))
    assert (least.worker, least.position) == ("ann", 1)
    assert least.distance_m == pytest.approx(3.1 * DEGREE_M)
    assert least.added_travel_s == pytest.approx(0.1 * H)


def test_the_nearest_whom_the_job_does_not_fit_is_passed_over() -> None:
    busy = member("ann", 1.0, working_hours=hours(800, 1000))
    decision = decide_one(fleet(busy, member("bob", 9.0)), job(lat=1.0, onSiteSeconds=3 * 3600))
    assert decision.worker == "bob"


@pytest.mark.parametrize("policy", ["nearest", "least_detour"])
def test_a_tie_goes_to_fewer_stops_then_to_input_order(policy: str) -> None:
    oracle = fleet(member("ann", 1.0), member("bob", 3.0), member("cid", 1.0), policy=policy)
    assert workers(oracle.decide([job("a", 2.0)])) == ["ann"]
    oracle = fleet(member("ann", 1.0), member("bob", 1.0), policy=policy)
    assert workers(oracle.decide([job(f"j{i}", 1.0) for i in range(4)])) == ["ann", "bob", "ann", "bob"]


def test_stops_of_another_day_do_not_count_in_a_tie() -> None:
    saved = (job("a", day=TUESDAY, worker="ann"),)
    assert decide_one(fleet(member("ann"), member("bob"), routes=saved), job()).worker == "ann"


# ---- the batch ----


def test_higher_priority_first_then_input_order_and_a_missing_one_is_five() -> None:
    """Room for one visit a member: the order decides who gets the nearer member."""
    staff = (member("ann", 1.0), member("bob", 2.0), member("cid", 3.0), member("dan", 4.0))
    jobs = [job(priority=5), job(priority=6), job(), job(priority=10)]
    decisions = fleet(*staff, max_jobs_per_day=1).decide(jobs)
    assert workers(decisions) == ["cid", "bob", "dan", "ann"]
    assert [each.index for each in decisions] == [0, 1, 2, 3]


def test_each_decision_changes_the_route_that_the_next_job_sees() -> None:
    decisions = fleet(member("ann", 1.0, working_hours=hours(800, 1800))).decide(
        [
            job(lat=3.0, onSiteSeconds=3600),
            job(lat=2.0, onSiteSeconds=3600),
            job(lat=4.0, onSiteSeconds=6 * 3600),
        ]
    )
    assert [each.position for each in decisions] == [0, 0, None]
    assert decisions[1].start_s == pytest.approx(9 * H)
    assert decisions[2].reasons == {"route_full": (1, "ann")}


def test_jobs_on_many_days_have_a_route_each() -> None:
    decisions = fleet(member("ann"), max_jobs_per_day=1).decide([job("a"), job("b", day=TUESDAY), job("c")])
    assert workers(decisions) == ["ann", "ann", None]


# ---- named members ----


def test_a_named_member_keeps_the_job_whatever_the_rules_say() -> None:
    """Off shift, over the cap, outside its window, overloaded: it still enters, and its figures are the route's."""
    off = member("ann", 1.0, working_hours=hours(800, 1000), vehicle_capacity=1)
    oracle = fleet(off, member("bob"), max_jobs_per_day=1)
    first, second = oracle.decide(
        [
            job("a", 3.0, worker="ann", itemsToPickup=5, windowEnd=900),
            job("b", 2.0, receiverUid="u-ann", onSiteSeconds=9 * 3600, number=1),
        ]
    )
    assert keys(oracle) == ["b", "a"]
    assert (second.worker, second.preassigned, second.position) == ("ann", True, 0)
    assert (second.start_s, second.added_travel_s) == pytest.approx((9 * H, 0.0), abs=1e-6)
    assert (first.worker, first.preassigned, first.position) == ("ann", True, 1)
    assert (first.start_s, first.added_travel_s) == pytest.approx((19 * H, 1 * H))
    assert first.distance_m == pytest.approx(2 * DEGREE_M)


def test_named_jobs_enter_before_any_other_is_decided() -> None:
    decisions = fleet(member("ann"), member("bob", 5.0), max_jobs_per_day=1).decide(
        [
            job("a", priority=10),
            job("b", worker="ann", priority=0),
        ]
    )
    assert workers(decisions) == ["bob", "ann"]


def test_a_named_job_sorts_by_number_and_without_a_creation_time_after_those_that_have_one() -> None:
    saved = (job("s1", number=2, worker="ann"), job("s2", tsCreated=10, worker="ann"))
    oracle = fleet(member("ann"), routes=saved)
    decisions = oracle.decide(
        [
            job("late", worker="ann"),
            job("old", worker="ann", tsCreated=5),
            job("third", worker="ann", number=3),
            job("first", worker="ann", number=1),
        ]
    )
    assert keys(oracle) == ["first", "s1", "third", "old", "s2", "late"]
    assert [each.position for each in decisions] == [5, 3, 2, 0]


def test_a_named_job_sorts_behind_the_stop_under_way() -> None:
    saved = (job("s1", number=1, worker="ann"), job("s5", number=5, tsCheckIn=1, worker="ann"), job("s9", worker="ann"))
    oracle = fleet(member("ann"), routes=saved)
    assert [each.position for each in oracle.decide([job("a", number=2, worker="ann")])] == [2]
    assert keys(oracle) == ["s1", "s5", "a", "s9"]


@pytest.mark.parametrize("named", [{"worker": "zoe"}, {"receiverUid": "u-zoe"}, {"worker": "ann", "day": 20261101}])
def test_a_named_job_that_enters_no_route_is_kept_with_null_figures(named: dict[str, Any]) -> None:
    oracle = fleet(member("ann"))
    decision = decide_one(oracle, job("a") | named)
    assert decision == PlainDecision(0, "a", next(iter(named.values())), preassigned=True)
    assert keys(oracle) == []


# ---- replaced keys ----


def test_a_job_replaces_the_stop_with_its_key_whoever_held_it() -> None:
    saved = (job("a", 1.0, worker="ann"), job("b", 1.0, worker="ann"), job("a2", day=TUESDAY, worker="bob"))
    oracle = fleet(member("ann"), member("bob", 5.0), routes=saved, max_jobs_per_day=2)
    assert workers(oracle.decide([job("c"), job("a2"), job("a", 5.0)])) == ["ann", "bob", "bob"]
    assert keys(oracle, 0) == ["c", "b"]
    assert sorted(str(key) for key in keys(oracle, 1)) == ["a", "a2"]
    assert keys(oracle, 1, date(2026, 12, 1)) == []


def test_a_replaced_stop_is_gone_even_when_nobody_can_take_its_job() -> None:
    oracle = fleet(member("ann"), routes=(job("a", worker="ann"),))
    assert why(oracle, job("a", teamId=7)) == {"team_mismatch": (1, "ann")}
    assert keys(oracle) == []


def test_a_second_version_of_a_key_replaces_the_first_ones_stop() -> None:
    oracle = fleet(member("ann"), member("bob", 5.0))
    assert workers(oracle.decide([job("a", 1.0), job("b", 1.0), job("a", 5.0)])) == ["ann", "ann", "bob"]
    assert (keys(oracle, 0), keys(oracle, 1)) == (["b"], ["a"])


# ---- reasons ----


def test_no_members_counts_nobody() -> None:
    assert why(fleet(), job()) == {"no_members": (0, None)}
    assert why(fleet(), job(destinationLat=None)) == {"no_members": (0, None)}


@pytest.mark.parametrize(
    "bad",
    [
        {"destinationLat": None},
        {"destinationLat": 0, "destinationLng": 0.0},
        {"destinationLng": 180.1},
        {"destinationLat": float("nan")},
        {"destinationLng": float("inf")},
    ],
)
def test_bad_coordinates_count_every_member(bad: dict[str, Any]) -> None:
    oracle = fleet(member("ann", role="admin"), member("bob"))
    assert why(oracle, job() | bad) == {"bad_coordinates": (2, "ann")}


def test_a_place_on_the_equator_or_the_prime_meridian_is_a_place() -> None:
    oracle = fleet(member("ann"))
    assert decide_one(oracle, job(lat=0.0)).worker == "ann"
    assert decide_one(oracle, job() | {"destinationLng": 0}).worker == "ann"


def test_the_first_true_code_counts_in_the_closed_order() -> None:
    """Each member has one fault less than the one before, from the end of the list's faults to its beginning."""
    hard = job(
        lat=9.0,
        teamId=7,
        custom_skills="gas",
        custom_excluded_workers="m4,m5",
        onSiteSeconds=13 * 3600,
        windowEnd=1200,
        itemsToPickup=2,
    )
    team: dict[str, Any] = {"teams": [7]}
    skilled: dict[str, Any] = team | {"skills": ["gas"]}
    day = {"working_hours": hours(800, 1800)}
    staff = [
        member("m1", role="admin", lat=None),
        member("m2", lat=None),
        member("m3", lat=None, **team),
        member("m4", lat=None, **skilled),
        member("m5", **skilled),
        member("m6", lat=None, **skilled),
        member("m7", lat=30.0, working_hours=hours(0, 0), **skilled),
        member("m8", lat=30.0, **day, **skilled),
        member("m9", lat=7.0, **day, **skilled),
        member("m10", lat=1.0, **day, **skilled),
        member("m11", lat=9.0, **day, **skilled),
        member("m12", lat=9.0, vehicle_capacity=1, **skilled),
        member("m13", lat=9.0, **skilled),
    ]
    saved = (
        job("s9", 7.0, worker="m9"),
        job("t9", 7.0, worker="m9"),
        job("s13", worker="m13", onSiteSeconds=12 * 3600),
    )
    oracle = fleet(*staff, routes=saved, max_distance_km=1000.0, max_jobs_per_day=2)
    assert why(oracle, hard) == {
        "not_eligible": (1, "m1"),
        "team_mismatch": (1, "m2"),
        "missing_skill": (1, "m3"),
        "excluded": (2, "m4"),
        "no_location": (1, "m6"),
        "off_shift": (1, "m7"),
        "over_distance": (1, "m8"),
        "at_job_cap": (1, "m9"),
        "window_unreachable": (1, "m10"),
        "shift_too_short": (1, "m11"),
        "over_capacity": (1, "m12"),
        "route_full": (1, "m13"),
    }
    past = why(fleet(*staff, now=at(9, day=TUESDAY)), hard)
    assert past == {"past_day": (13, "m1")}


def test_saved_routes_of_a_further_day_are_added_and_cancelled_by_key() -> None:
    oracle = fleet(member("ann"), routes=(job("a", worker="ann"),), now=at(8, day=SUNDAY))
    oracle.add_routes([job("b", worker="ann", number=1), job("a", day=TUESDAY, worker="ann")])
    assert keys(oracle) == ["b"]
    assert keys(oracle, 0, date(2026, 12, 1)) == ["a"]
    assert oracle.cancel(["a", "zzz"]) == 1
    assert keys(oracle, 0, date(2026, 12, 1)) == []
