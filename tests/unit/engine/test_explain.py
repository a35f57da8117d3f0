"""Why this member, and why not the nearer ones."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.engine.people import MONDAY, STEP_M, approx, clock, engine, job, member


def test_it_names_the_chosen_the_next_best_and_the_margin() -> None:
    told = engine([member("far", 9), member("near", 2), member("nearer", 1, role="admin")]).explain(job(0, "a"))
    assert told.chosen is not None
    assert told.next_best is not None
    assert (told.key, told.chosen.worker, told.next_best.worker) == ("a", "near", "far")
    assert told.margin == approx(7 * STEP_M)
    assert [(one.worker, one.code) for one in told.passed_over] == [("nearer", "not_eligible")]
    assert "assignable_roles" in told.passed_over[0].detail


def test_it_agrees_with_the_decision_that_follows() -> None:
    for policy in ("nearest", "least_detour"):
        fleet = engine([member(f"m{i}", i * 13 % 30, vehicle_capacity=i % 3) for i in range(30)], policy=policy)
        for k in range(60):
            wanted = job(k * 7 % 30, windowEnd=1000, itemsToDropoff=k % 3, onSiteSeconds=1800)
            told = fleet.explain(wanted)
            decision = fleet.decide([wanted], reasons=True)[0]
            assert (told.chosen and told.chosen.worker) == decision.worker
            if told.chosen is None:
                assert told.reasons == decision.reasons
            else:
                assert (told.chosen.position, told.chosen.start_s) == (decision.position, decision.start_s)


def test_a_job_on_a_route_is_explained_as_if_it_were_not_there_and_stays() -> None:
    fleet = engine([member("ann"), member("bob", 9)])
    fleet.decide([job(0, "a", onSiteSeconds=36000), job(0, "b")])
    before = fleet.route("ann", MONDAY)
    told = fleet.explain(job(0, "a", onSiteSeconds=36000))
    assert told.chosen is not None
    assert told.chosen.worker == "ann"
    assert fleet.route("ann", MONDAY) == before


@pytest.mark.parametrize(
    ("record", "wanted", "words"),
    [
        (member("ann"), job(windowStart=1755), "ends 18:00; the job would end 18:05"),
        (member("ann", 30), job(windowEnd=810), "would start at 08:30 at the earliest, the window closes 08:10"),
        (member("ann"), job(windowStart=1900), "ends 18:00, the window opens 19:00"),
        (member("ann", active_status="suspended"), job(), "active_status 'suspended'"),
        (member("ann", moving="offduty"), job(), "off duty"),
        (member("ann", teams=[1]), job(teamId=2), "teams 1, the job is for team 2"),
        (member("ann"), job(custom_skills="gas,water"), "lacks gas, water"),
        (member("ann"), job(custom_excluded_workers="ann"), "excluded"),
        (member("ann", None), job(), "no location and no route start"),
        (member("ann", working_hours={"sunday": {"start": 800, "end": 900}}), job(), "no shift"),
        (member("ann", vehicle_capacity=2), job(itemsToPickup=3), "vehicle_capacity of 2"),
        (member("ann"), job(day=MONDAY - 1), "past"),
        (member("ann"), job(None), "coordinates"),
    ],
)
def test_the_words_name_the_data_that_would_change_the_answer(record: Any, wanted: Any, words: str) -> None:
    assert words in engine([record]).explain(wanted, "ann").detail


def test_the_words_name_the_settings_too() -> None:
    fleet = engine([member("ann", 20)], routes=[job(20, "x", worker="ann", onSiteSeconds=35000)], max_distance_km=30)
    assert "between two of them" in fleet.explain(job(20, onSiteSeconds=3600), "ann").detail
    assert "would be late" in fleet.explain(job(0, onSiteSeconds=600), "ann").detail
    assert "max_distance_km is 30" in fleet.explain(job(60), "ann").detail
    capped = engine([member("ann")], routes=[job(0, "x", worker="ann")], max_jobs_per_day=1)
    assert "max_jobs_per_day is 1" in capped.explain(job(), "ann").detail


def test_who_is_as_good_is_told_why_the_other_got_it() -> None:
    fleet = engine([member("ann"), member("bob"), member("cleo")], routes=[job(0, "x", worker="ann")])
    told = fleet.explain(job(0))
    assert told.chosen is not None
    assert told.chosen.worker == "bob"
    assert {one.worker: one.detail for one in told.passed_over} == {
        "ann": "as good, but has 1 stops that day and bob has 0",
        "cleo": "as good, but comes after bob in the input",
    }


def test_one_member_may_be_asked_about_who_could_take_it() -> None:
    told = engine([member("ann", 5)]).explain(job(0), "ann")
    assert (told.code, told.position, told.start_s) == (None, 0, approx(clock(8, 5)))
