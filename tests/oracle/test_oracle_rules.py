"""The oracle against examples counted by hand: clocks, shifts, members, reference positions and their reasons."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.oracle.degrees import DEGREE_M, MONDAY, SUNDAY, TUESDAY, H, at, decide_one, fleet, hours, job, member, why
from tests.oracle.shifts import weekday_shift

OFF = {"off_shift": (1, "ann")}


# ---- clocks ----


def test_a_clock_time_is_its_reading_on_the_day_the_clocks_change_too() -> None:
    """In Rome 2026-03-29 has 23 hours, and 2026-10-25 has 25; ten o'clock stays 36 000 s on both."""
    for day, utc_hour in ((20260329, 6), (20261025, 7)):
        ann = member(timezone="Europe/Rome", working_hours=hours(1000, 1800, "sunday"))
        decision = decide_one(fleet(ann, now=at(utc_hour, day=day)), job(day=day))
        assert decision.start_s == 10 * H
        late = decide_one(fleet(ann, now=at(utc_hour + 3, day=day)), job(day=day))
        assert late.start_s == 11 * H


def test_day_0_is_each_members_own_today() -> None:
    """At 11:30 UTC it is Tuesday 01:30 on Kiritimati and Monday 00:30 in Pago Pago."""
    far = member("far", timezone="Pacific/Kiritimati", working_hours=hours(100, 500, "tuesday"))
    near = member("near", lat=2.0, timezone="Pacific/Pago_Pago", working_hours=hours(0, 500, "monday"))
    oracle = fleet(far, near, now=at(11, 30))
    first = decide_one(oracle, job("a", day=0))
    second = decide_one(oracle, job("b", lat=2.0, day=0))
    assert (first.worker, first.start_s) == ("far", 1.5 * H)
    assert (second.worker, second.start_s) == ("near", 0.5 * H)


def test_a_day_can_be_past_for_one_and_today_for_another() -> None:
    east = member("east", timezone="Pacific/Kiritimati")
    west = member("west", timezone="Pacific/Pago_Pago", lat=None)
    assert why(fleet(east, west, now=at(11, 30)), job()) == {"past_day": (1, "east"), "no_location": (1, "west")}


def test_an_unknown_zone_falls_back_to_the_accounts() -> None:
    for zone in ("Mars/Olympus", "", None, 7, "../etc"):
        oracle = fleet(member(timezone=zone), now=at(8), timezone="Europe/Rome")
        assert decide_one(oracle, job()).start_s == 9 * H


def test_now_plays_no_part_on_a_future_day() -> None:
    ann = member(working_hours=hours(800, 1800, "monday", "tuesday"))
    oracle = fleet(ann, now=at(15))
    assert decide_one(oracle, job(day=TUESDAY)).start_s == 8 * H
    assert decide_one(oracle, job(day=MONDAY)).start_s == 15 * H


# ---- shifts ----


@pytest.mark.parametrize(
    ("hours_given", "setting", "expected"),
    [
        (hours(800, 1730), "hhmm", (8 * H, 17.5 * H)),
        (hours(800, 1730), "minutes", (8 * H, 17.5 * H)),
        (hours(600, 1200), "hhmm", (6 * H, 12 * H)),
        (hours(600, 1200), "minutes", (10 * H, 20 * H)),
        (hours(480, 1020), "hhmm", (8 * H, 17 * H)),
        (hours(0, 1440), "hhmm", (0.0, 24 * H)),
        (hours(0, 2400), "minutes", (0.0, 24 * H)),
        (hours(2200, 600), "hhmm", (22 * H, 30 * H)),
        (hours(600, 600), "hhmm", (6 * H, 30 * H)),
        (hours(0, 0), "hhmm", None),
        (hours(800, 2500), "hhmm", None),
        (hours(-5, 900), "hhmm", None),
        (hours(1975, 2000), "hhmm", None),
        ({"monday": {"start": 800}}, "hhmm", None),
        ({"monday": {"start": "eight", "end": 900}}, "hhmm", None),
        ({"monday": {"start": 8.5, "end": 900}}, "hhmm", None),
        ({"monday": None}, "hhmm", None),
        (hours(800, 1800, "tuesday"), "hhmm", None),
        (hours(600, 1200) | hours(900, 1500, "sunday"), "minutes", (6 * H, 12 * H)),
        (hours(600, 1200) | hours(480, 1200, "sunday"), "hhmm", (10 * H, 20 * H)),
        (hours(600, 1200) | hours(9999, 1200, "sunday"), "minutes", (10 * H, 20 * H)),
    ],
)
def test_a_schedule_is_read_as_a_whole(
    hours_given: dict[str, Any], setting: str, expected: tuple[float, float] | None
) -> None:
    """Above 1440 anywhere means HHMM, else a minute part of 60 or more means minutes, else the setting."""
    assert weekday_shift(hours_given, "monday", setting) == expected


def test_hours_come_from_the_member_then_the_first_team_that_has_any_then_the_setting() -> None:
    teams = [
        {"id": 1, "working_hours": {"source": "default"}},
        {"id": 2, "working_hours": hours(900, 1800)},
        {"id": 3, "working_hours": hours(1000, 1800)},
    ]
    for fields, start in (
        ({"working_hours": hours(700, 1800), "teams": [1, 2, 3]}, 7 * H),
        ({"working_hours": {"source": "team"}, "teams": [9, 1, 2, 3]}, 9 * H),
        ({"working_hours": {}, "teams": [3, 2]}, 10 * H),
        ({"teams": [1]}, 11 * H),
        ({}, 11 * H),
    ):
        oracle = fleet(member(**fields), teams=teams, default_shift="11:00-18:00")
        assert decide_one(oracle, job()).start_s == start


def test_a_day_without_hours_is_a_day_off() -> None:
    assert why(fleet(member(working_hours=hours(800, 1800, "tuesday"))), job()) == OFF
    assert why(fleet(member(), default_shift="00:00-00:00"), job()) == OFF


def test_the_default_shift_may_run_past_midnight() -> None:
    oracle = fleet(member(lat=1.0), default_shift="22:00-02:00")
    assert decide_one(oracle, job("a", lat=4.0)).start_s == 25 * H
    assert why(oracle, job("b", lat=9.0)) == {"shift_too_short": (1, "ann")}


def test_a_day_that_starts_at_the_shifts_end_takes_nothing() -> None:
    ann = member(working_hours=hours(800, 1200))
    assert why(fleet(ann, now=at(12)), job()) == OFF
    assert decide_one(fleet(ann, now=at(11, 59)), job()).start_s == 11 * H + 59 * 60
    assert why(fleet(ann | {"route_start_time": 720}), job()) == OFF


def test_the_day_starts_at_the_latest_of_shift_route_start_time_and_now() -> None:
    ann = member(working_hours=hours(800, 1800))
    assert decide_one(fleet(ann), job()).start_s == 8 * H
    assert decide_one(fleet(ann | {"route_start_time": 570}), job()).start_s == 9.5 * H
    assert decide_one(fleet(ann | {"route_start_time": -1}), job()).start_s == 8 * H
    assert decide_one(fleet(ann | {"route_start_time": 570}, now=at(10)), job()).start_s == 10 * H


def test_an_override_widens_todays_shift_until_it_ends() -> None:
    """Until 20:00 on a day off: 19:00 to 20:00. With a morning shift: 08:00 to 20:00."""
    until = {"ignore_working_hours_until_ts": at(20) * 1000}
    off = member(working_hours=hours(0, 0)) | until
    assert decide_one(fleet(off, now=at(19)), job(onSiteSeconds=3600)).start_s == 19 * H
    assert why(fleet(off, now=at(19)), job(onSiteSeconds=3601)) == {"shift_too_short": (1, "ann")}
    morning = member(working_hours=hours(800, 1200)) | until
    assert decide_one(fleet(morning, now=at(19)), job(onSiteSeconds=3600)).start_s == 19 * H
    early = fleet(morning, now=at(6))
    assert decide_one(early, job()).start_s == 6 * H
    assert why(fleet(off, now=at(20)), job()) == OFF
    assert why(fleet(off, now=at(19, day=SUNDAY)), job()) == OFF


def test_an_override_may_reach_past_midnight() -> None:
    off = member(working_hours=hours(0, 0), ignore_working_hours_until_ts=at(2, day=TUESDAY) * 1000)
    assert decide_one(fleet(off, now=at(23)), job(onSiteSeconds=3 * 3600)).start_s == 23 * H


# ---- who may ----


@pytest.mark.parametrize(
    "fields",
    [
        {"role": "admin"},
        {"role": None},
        {"role": ""},
        {"active_status": "suspended"},
        {"moving": "offduty"},
        {"states": {"moving": "offduty"}},
        {"status_label": " on BREAK "},
    ],
)
def test_some_members_take_nothing_today(fields: dict[str, Any]) -> None:
    oracle = fleet(member(**fields), now=at(8), unavailable_labels=("On break",))
    assert why(oracle, job()) == {"not_eligible": (1, "ann")}


def test_off_duty_counts_today_only() -> None:
    assert decide_one(fleet(member(moving="offduty"), now=at(8)), job(day=TUESDAY)).worker == "ann"


def test_roles_have_two_spellings() -> None:
    assert decide_one(fleet(member(role="dispatcher"), assignable_roles=("operator",)), job()).worker == "ann"
    assert decide_one(fleet(member(role="admin"), assignable_roles=("administrator",)), job()).worker == "ann"
    assert decide_one(fleet(member(role=None), assignable_roles=("",)), job()).worker == "ann"


def test_a_member_without_a_username_is_named_by_uid_and_not_eligible() -> None:
    assert why(fleet(member(username="")), job()) == {"not_eligible": (1, "u-ann")}


def test_a_member_seen_twice_counts_once_as_seen_first() -> None:
    oracle = fleet(member(role="admin"), member())
    assert why(oracle, job()) == {"not_eligible": (1, "ann")}


def test_a_job_for_a_team_goes_to_its_members() -> None:
    oracle = fleet(member("ann", teams=[1]), member("bob", lat=5.0, teams=[2, 3]), member("cid"))
    assert decide_one(oracle, job(teamId=3)).worker == "bob"
    assert why(oracle, job(teamId=4)) == {"team_mismatch": (3, "ann")}


def test_a_job_asks_for_skills_in_either_form_and_the_list_wins() -> None:
    oracle = fleet(member(skills=["Gas ", "water"]))
    assert decide_one(oracle, job(custom_skills="GAS, water")).worker == "ann"
    assert why(oracle, job(custom_skills="gas, heat")) == {"missing_skill": (1, "ann")}
    asked = [{"key": "skills", "val": "heat"}]
    assert why(oracle, job(customFields=asked, custom_skills="gas")) == {"missing_skill": (1, "ann")}


def test_skills_come_from_the_setting_only_without_a_list() -> None:
    known = {"ann": ("gas",)}
    assert decide_one(fleet(member(), member_skills=known), job(custom_skills="gas")).worker == "ann"
    assert why(fleet(member(skills=[]), member_skills=known), job(custom_skills="gas")) == {"missing_skill": (1, "ann")}


def test_a_job_excludes_members_by_username_or_uid_exactly() -> None:
    oracle = fleet(member("ann"), member("bob"), member("Cid", lat=9.0))
    assert decide_one(oracle, job(custom_excluded_workers="ann, u-bob, cid")).worker == "Cid"
    assert why(fleet(member()), job(custom_excluded_workers="ann")) == {"excluded": (1, "ann")}


# ---- where the day begins ----


def live(lat: float, ts: float | None) -> dict[str, Any]:
    return {"lat": lat, "lng": 10.0} | ({} if ts is None else {"ts": ts * 1000})


@pytest.mark.parametrize(
    ("fields", "degrees"),
    [
        ({"location": live(5.0, at(8) - 900)}, 4),
        ({"location": live(5.0, at(9))}, 4),
        ({"location": live(5.0, at(8) - 901), "lat": 3.0}, 2),
        ({"location": live(5.0, at(8) - 901), "teams": [1, 2]}, 7),
        ({"location": live(5.0, at(8) - 901)}, 4),
        ({"location": live(5.0, None)}, 4),
        ({"location": live(5.0, 0), "lat": 3.0}, 2),
        ({"location": {"lat": 95.0, "lng": 10.0, "ts": at(8) * 1000}, "lat": 3.0}, 2),
        ({"location": {"lat": 0, "lng": 0, "ts": at(8) * 1000}, "lat": 3.0}, 2),
        ({"location": {"lat": None, "lng": 0, "ts": at(8) * 1000}, "lat": 3.0}, 2),
    ],
)
def test_the_reference_is_live_then_own_then_the_teams_then_last_known(fields: dict[str, Any], degrees: int) -> None:
    teams = [{"id": 1, "route": {"start_lat": 0, "start_lng": 0}}, {"id": 2, "route": {"lat": 8.0, "lng": 10.0}}]
    ann = member(**({"lat": None} | fields))
    decision = decide_one(fleet(ann, teams=teams, now=at(8)), job())
    assert decision.distance_m == pytest.approx(degrees * DEGREE_M)


@pytest.mark.parametrize("names", [("route_start_lat", "route_start_lng"), ("start_lat", "start_lng"), ("lat", "lng")])
def test_a_teams_route_start_has_three_shapes(names: tuple[str, str]) -> None:
    teams = [{"id": 1, "route": {names[0]: 4.0, names[1]: 10.0}}]
    decision = decide_one(fleet(member(lat=None, teams=[1]), teams=teams), job())
    assert decision.distance_m == pytest.approx(3 * DEGREE_M)


def test_on_a_future_day_the_live_location_is_only_the_last_resort() -> None:
    seen = live(5.0, at(8))
    oracle = fleet(member(lat=3.0, location=seen), now=at(8))
    assert decide_one(oracle, job(day=TUESDAY)).distance_m == pytest.approx(2 * DEGREE_M)
    oracle = fleet(member(lat=None, location=seen), now=at(8))
    assert decide_one(oracle, job(day=TUESDAY)).distance_m == pytest.approx(4 * DEGREE_M)
    oracle = fleet(member(lat=None, location=seen), now=at(8), stale_location="ignore")
    assert why(oracle, job(day=TUESDAY)) == {"no_location": (1, "ann")}
    assert decide_one(oracle, job(day=MONDAY)).worker == "ann"


# ---- distance ----


def test_distance_is_the_great_circle_over_the_date_line_and_the_pole() -> None:
    """From 1° E of the date line to 1° W of it are 2°; from 89° N over the pole to 89° N are 2° as well."""
    east = member("east", lat=None, route_start_lat=0.0, route_start_lng=179.0)
    north = member("north", lat=None, route_start_lat=89.0, route_start_lng=10.0)
    over_line = decide_one(fleet(east), job() | {"destinationLat": 0.0, "destinationLng": -179.0})
    over_pole = decide_one(fleet(north), job() | {"destinationLat": 89.0, "destinationLng": -170.0})
    assert over_line.distance_m == pytest.approx(2 * DEGREE_M)
    assert over_pole.distance_m == pytest.approx(2 * DEGREE_M)


@pytest.mark.parametrize(
    ("mode", "seconds"),
    [("car", 3600), ("van", 3600), ("truck", 4000), ("bicycle", 12_000), ("pedestrian", 36_000), ("hovercraft", 3600)],
)
def test_travel_time_follows_the_members_mode(mode: str, seconds: float) -> None:
    decision = decide_one(fleet(member(travel_mode=mode)), job(lat=2.0))
    assert decision.added_travel_s == pytest.approx(seconds)


def test_the_example_times_are_what_their_names_say() -> None:
    assert at(8) == datetime(2026, 11, 30, 8, tzinfo=ZoneInfo("UTC")).timestamp()
    assert datetime.fromtimestamp(at(8), UTC).strftime("%A %Y%m%d") == f"Monday {MONDAY}"
