"""When a member's day starts and ends."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.engine.people import MIDNIGHT, MONDAY, SIX, at, clock, engine, job, member


def start_of(record: dict[str, Any], *, now: float = SIX, **fields: Any) -> float | str | None:
    """When a job at the reference position starts; a reason when it does not."""
    company = fields.pop("company", None)
    decision = engine([record], now=now, company=company).decide([job(**fields)], reasons=True)[0]
    return decision.start_s if decision.worker else next(iter(decision.reasons or {}))


def test_it_starts_with_the_shift() -> None:
    assert start_of(member("ann")) == clock(8)


def test_not_before_the_route_start_time() -> None:
    assert start_of(member("ann", route_start_time=545)) == clock(9, 5)
    assert start_of(member("ann", route_start_time=-1)) == clock(8)


def test_today_not_before_now() -> None:
    assert start_of(member("ann"), now=MIDNIGHT + clock(10) + 0.5) == clock(10) + 0.5
    assert start_of(member("ann"), now=MIDNIGHT + clock(10), day=MONDAY + 1) == clock(8)


def test_a_day_that_would_start_at_the_shifts_end_takes_nothing() -> None:
    assert start_of(member("ann"), now=MIDNIGHT + clock(18), onSiteSeconds=0) == "off_shift"
    assert start_of(member("ann"), now=MIDNIGHT + clock(17, 59), onSiteSeconds=60) == clock(17, 59)


def test_ignored_hours_widen_todays_shift() -> None:
    now = MIDNIGHT + clock(20)
    record = member("ann", ignore_working_hours_until_ts=(now + 3600) * 1000)
    assert start_of(record, now=now) == clock(20)
    assert start_of(record, now=now, onSiteSeconds=3601) == "shift_too_short"
    assert start_of(record, now=now, day=MONDAY + 1) == clock(8)


def test_ignored_hours_of_the_past_do_not_count() -> None:
    now = MIDNIGHT + clock(20)
    assert start_of(member("ann", ignore_working_hours_until_ts=now * 1000), now=now) == "off_shift"


def test_ignored_hours_may_reach_into_the_next_day() -> None:
    now = MIDNIGHT + clock(23)
    record = member("ann", working_hours={"tuesday": {"start": 900, "end": 1000}})
    record["ignore_working_hours_until_ts"] = (now + 7200) * 1000
    assert start_of(record, now=now, onSiteSeconds=7200) == clock(23)


def test_without_hours_of_ones_own_the_first_team_with_hours_counts() -> None:
    company = {
        "teams_config": [{"id": 3}, {"id": 4, "working_hours": {"monday": {"start": 480, "end": 1020}}}, {"id": 5}]
    }
    assert start_of(member("ann", working_hours={"source": "team"}, teams=[3, 4]), company=company) == clock(8)
    assert start_of(member("ann", working_hours=None, teams=[5])) == clock(6)


def test_an_overnight_shift_goes_on_past_midnight_and_not_before_it() -> None:
    night = {day: {"start": 2200, "end": 600} for day in ("sunday", "monday")}
    assert start_of(member("ann", working_hours=night)) == clock(22)
    assert start_of(member("ann", working_hours=night), onSiteSeconds=8 * 3600) == clock(22)
    assert start_of(member("ann", working_hours=night), onSiteSeconds=8 * 3600 + 1) == "shift_too_short"


def test_the_way_home_counts_before_the_shifts_end() -> None:
    home = {"route_end_lat": 0.0, "route_end_lng": at(10)["lng"]}
    assert start_of(member("ann", **home), onSiteSeconds=10 * 3600 - 600) == clock(8)
    assert start_of(member("ann", **home), onSiteSeconds=10 * 3600 - 599) == "shift_too_short"


def test_day_zero_is_everybodys_own_today() -> None:
    """At 11:00 UTC it is Tuesday 01:00 on Kiritimati: a shift on Tuesdays only is on there, not in Rome."""
    tuesdays = {"tuesday": {"start": 1, "end": 2359}}
    accounts = [
        member("rome", timezone="Europe/Rome", working_hours=tuesdays),
        member("isle", timezone="Pacific/Kiritimati", working_hours=tuesdays, moving="offduty"),
        member("atoll", 5, timezone="Pacific/Kiritimati", working_hours=tuesdays),
    ]
    fleet = engine(accounts, now=MIDNIGHT + clock(11))
    decision, refused = fleet.decide([job(day=0), job(day=0, custom_excluded_workers="atoll")], reasons=True)
    assert decision.worker == "atoll"
    assert decision.start_s == pytest.approx(clock(1, 5))
    assert {code: why.example for code, why in (refused.reasons or {}).items()} == {
        "off_shift": "rome",
        "not_eligible": "isle",
        "excluded": "atoll",
    }


@pytest.mark.parametrize("zone", ["Mars/Base", 7, "UTC+3"])
def test_an_unknown_zone_is_reported_and_the_accounts_own_is_used(zone: Any) -> None:
    fleet = engine([member("ann", timezone=zone)], timezone="Europe/Rome", now=MIDNIGHT + clock(9))
    assert fleet.decide([job()])[0].start_s == clock(10)
    assert "time zone" in fleet.warnings[0]


@pytest.mark.parametrize("day", [20260329, 20261025])
def test_on_a_day_of_a_clock_change_hours_are_where_the_clock_shows_them(day: int) -> None:
    decision = engine([member("ann", timezone="Europe/Rome")]).decide([job(day=day, windowStart=900)])[0]
    assert decision.start_s == clock(9)
