"""Why nobody takes a job: for each member the first true code counts."""

from __future__ import annotations

from typing import Any

import pytest

from engine import Reason
from engine.decision import JOB_REASONS, MEMBER_REASONS
from tests.unit.engine.people import MIDNIGHT, MONDAY, SIX, at, clock, engine, job, member


def only(reasons: Any) -> str:
    assert reasons is not None
    (code,) = reasons
    assert reasons[code].count == 1
    return str(code)


@pytest.mark.parametrize(
    ("record", "wanted", "settings", "code"),
    [
        (member("ann"), job(day=MONDAY - 1), {}, "past_day"),
        (member("ann", None), job(), {}, "no_location"),
        (member("ann", working_hours={"tuesday": {"start": 800, "end": 1700}}), job(), {}, "off_shift"),
        (member("ann", 9), job(), {"max_distance_km": 10}, "over_distance"),
        (member("ann", 9), job(windowEnd=800), {}, "window_unreachable"),
        (member("ann"), job(windowStart=1800), {}, "window_unreachable"),
        (member("ann"), job(windowStart=1755), {}, "shift_too_short"),
        (member("ann"), job(onSiteSeconds=36001), {}, "shift_too_short"),
        (member("ann", vehicle_capacity=1), job(itemsToPickup=2), {}, "over_capacity"),
    ],
)
def test_each_cause_has_its_code(record: Any, wanted: Any, settings: Any, code: str) -> None:
    fleet = engine([record], **settings)
    assert only(fleet.reasons(wanted)) == code
    decision = fleet.decide([wanted], reasons=True)[0]
    assert decision.worker is None
    assert only(decision.reasons) == code


def test_a_job_that_would_fit_alone_meets_a_full_route() -> None:
    routes = [job(0, "x", worker="ann", onSiteSeconds=36000)]
    assert only(engine([member("ann")], routes=routes).reasons(job())) == "route_full"


def test_at_the_cap_of_stops_a_member_takes_no_more() -> None:
    fleet = engine([member("ann")], max_jobs_per_day=2)
    decisions = fleet.decide([job(), job(), job(), job(day=MONDAY + 1)], reasons=True)
    assert [d.worker for d in decisions] == ["ann", "ann", None, "ann"]
    assert only(decisions[2].reasons) == "at_job_cap"


def test_counts_add_up_to_the_members_and_name_the_first_of_each() -> None:
    accounts = [
        member("boss", role="admin"),
        member("ann", teams=[2]),
        member("bob", None, teams=[1]),
        member("cleo", 9, teams=[1]),
        member("dan", 9, teams=[1]),
    ]
    reasons = (
        engine(accounts, now=MIDNIGHT + clock(9)).decide([job(0, teamId=1, windowEnd=900)], reasons=True)[0].reasons
    )
    assert reasons == {
        "not_eligible": Reason(1, "boss"),
        "team_mismatch": Reason(1, "ann"),
        "no_location": Reason(1, "bob"),
        "window_unreachable": Reason(2, "cleo"),
    }


def test_reasons_are_those_at_the_moment_of_the_decision() -> None:
    """The second job finds ann full; the third is given to her only later in the batch and does not count."""
    fleet = engine([member("ann")])
    decisions = fleet.decide(
        [job(0, "a", onSiteSeconds=36000), job(0, "b"), job(0, "a", onSiteSeconds=0, priority=0)], reasons=True
    )
    assert only(decisions[1].reasons) == "route_full"
    assert decisions[2].worker == "ann"


def test_no_members_count_zero_without_an_example() -> None:
    fleet = engine([])
    assert fleet.decide([job(), job(None)], reasons=True)[0].reasons == {"no_members": Reason(0, None)}
    assert fleet.reasons(job(None)) == {"no_members": Reason(0, None)}


@pytest.mark.parametrize("lat", [None, 0, 90.5, float("nan"), float("inf")])
def test_bad_coordinates_count_everybody(lat: Any) -> None:
    fleet = engine([member("ann"), member("boss", role="admin")])
    wanted = {**job(), "destinationLat": lat, "destinationLng": 0.0}
    assert fleet.decide([wanted], reasons=True)[0].reasons == {"bad_coordinates": Reason(2, "ann")}


def test_a_day_may_be_past_for_one_and_today_for_another() -> None:
    accounts = [member("isle", timezone="Pacific/Kiritimati"), member("rome", timezone="Europe/Rome")]
    fleet = engine(accounts, now=MIDNIGHT + clock(12))
    decision, second = fleet.decide([job(), job(custom_excluded_workers="rome")], reasons=True)
    assert decision.worker == "rome"
    assert second.reasons == {"past_day": Reason(1, "isle"), "excluded": Reason(1, "rome")}


def test_reasons_are_not_given_unasked_and_asking_changes_nothing() -> None:
    fleet = engine([member("ann")], routes=[job(0, "x", worker="ann")])
    assert fleet.decide([job(windowEnd=700)])[0].reasons is None
    before = fleet.route("ann", MONDAY)
    fleet.reasons(job(0, "x", worker="ann"))
    assert fleet.route("ann", MONDAY) == before


def test_members_who_could_take_it_are_not_counted() -> None:
    fleet = engine([member("ann"), member("bob", None)])
    assert fleet.reasons(job()) == {"no_location": Reason(1, "bob")}


def test_the_list_of_codes_is_closed() -> None:
    assert (*JOB_REASONS, *MEMBER_REASONS) == (
        "no_members", "bad_coordinates", "past_day", "not_eligible", "team_mismatch", "missing_skill", "excluded",
        "no_location", "off_shift", "over_distance", "at_job_cap", "window_unreachable", "shift_too_short",
        "over_capacity", "route_full",
    )  # fmt: skip


def test_locations_that_are_too_old_are_no_location_when_ignored() -> None:
    record = member("ann", None, location={**at(1), "ts": (SIX - 901) * 1000})
    assert only(engine([record], stale_location="ignore").reasons(job())) == "no_location"
