"""Whatever comes in: an answer by the rules, a reason, or a refusal before anything has changed."""

from __future__ import annotations

from typing import Any

import pytest

from engine import Engine, EngineError
from tests.unit.engine.people import MONDAY, SIX, at, engine, job, member

BAD_FIELDS = [
    ("windowStart", 2575), ("windowStart", -1), ("windowStart", 1160), ("windowStart", "900"), ("windowEnd", 2500),
    ("windowEnd", True), ("onSiteSeconds", -1), ("onSiteSeconds", "long"), ("onSiteSeconds", float("nan")),
    ("priority", 11), ("priority", -1), ("priority", 5.5), ("priority", "high"), ("day", 20231301), ("day", "20260105"),
    ("day", -20260105), ("day", 20260105.5), ("itemsToDropoff", -1), ("itemsToPickup", "two"), ("teamId", "a"),
    ("number", []), ("worker", 7), ("receiverUid", {}), ("uidSecondary", []), ("customFields", "skills"),
    ("destinationLat", "48"), ("destinationLng", True), ("tsCreated", "now"), ("scheduledStart", float("inf")),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value"), BAD_FIELDS)
def test_a_field_that_cannot_be_read_is_named_and_nothing_has_changed(field: str, value: Any) -> None:
    fleet = engine([member("ann")], routes=[job(1, "old", worker="ann")])
    with pytest.raises(EngineError, match=field) as caught:
        fleet.decide([job(0, "old"), job(0, "new"), job(0) | {field: value}], now=SIX + 60)
    assert (caught.value.index, caught.value.field) == (2, field)
    assert [stop.key for stop in fleet.route("ann", MONDAY)] == ["old"]
    assert fleet.now == SIX


def test_a_window_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(EngineError, match="windowStart"):
        engine([member("ann")]).decide([job(windowStart=1000, windowEnd=900)])


def test_null_fields_take_their_defaults() -> None:
    names = ("day", "windowStart", "windowEnd", "onSiteSeconds", "priority", "teamId", "itemsToDropoff", "number",
             "worker", "receiverUid", "uidSecondary", "customFields", "tsCreated")  # fmt: skip
    fleet = engine([member("ann")])
    assert fleet.decide([job(0) | dict.fromkeys(names)])[0].worker == "ann"
    assert fleet.route("ann", 0)[0].leave_s - fleet.route("ann", 0)[0].start_s == 720


@pytest.mark.parametrize("thing", [None, 7, "job", []])
def test_a_job_that_is_no_object_is_refused(thing: Any) -> None:
    with pytest.raises(EngineError, match="job 0"):
        engine([member("ann")]).decide([thing])


@pytest.mark.parametrize("now", [float("nan"), float("inf"), -1.0, "noon", True])
def test_a_now_that_is_no_time_is_refused(now: Any) -> None:
    with pytest.raises(EngineError, match="now"):
        engine([member("ann")], now=now)


def test_no_jobs_and_no_members_are_answered() -> None:
    assert engine([member("ann")]).decide([]) == []
    empty = engine([])
    assert empty.decide([job(), job(worker="ann", key="a")])[1].worker == "ann"
    assert (empty.members, empty.cancel(["a"])) == ((), 0)
    empty.advance(SIX + 86400)


def test_accounts_that_are_none_are_reported_and_left_out() -> None:
    accounts: list[Any] = [None, "ann", member("ann"), member("ann", 5), {}, member("bob", username=None)]
    fleet = engine(accounts)
    assert fleet.members == ("ann", "", "uid-bob")
    assert len(fleet.warnings) == 5
    assert fleet.decide([job(5)])[0].distance_m == pytest.approx(5 * 1111.95, rel=1e-4)


GARBAGE: tuple[Any, ...] = (
    None,
    "",
    "x",
    7,
    -1,
    1e300,
    float("nan"),
    float("inf"),
    True,
    [],
    [None],
    {},
    {"start": {}},
    {"lat": "x"},
)


@pytest.mark.parametrize(
    "field",
    sorted(
        {
            *member(
                "ann",
                location={},
                teams=[],
                skills=[],
                states={},
                moving="",
                status_label="",
                ignore_working_hours_until_ts=0,
                route_end_lat=0,
                route_end_lng=0,
                route_start_time=0,
                travel_mode="",
                vehicle_capacity=0,
            )
        }
        - {"username"}
    ),
)
def test_garbage_in_a_members_record_never_raises(field: str) -> None:
    for value in GARBAGE:
        fleet = engine([member("ann", **{field: value}), member("bob")])
        decision = fleet.decide([job()], reasons=True)[0]
        assert decision.worker in {"ann", "bob"}


@pytest.mark.parametrize(
    "field",
    sorted(
        {
            *job(
                0,
                "a",
                worker="",
                windowStart=0,
                windowEnd=0,
                number=0,
                scheduledStart=0,
                tsCreated=0,
                tsCheckIn=0,
                tsDoneSuccess=0,
                itemsToDropoff=0,
                itemsToPickup=0,
                status="",
                id="",
            )
        }
    ),
)
def test_garbage_in_a_saved_job_never_raises(field: str) -> None:
    for value in GARBAGE:
        fleet = engine([member("ann"), member("bob", 1)], routes=[job(0, "a", worker="ann", id="1") | {field: value}])
        assert fleet.decide([job(windowStart=1500)])[0].worker in {"ann", "bob"}


@pytest.mark.parametrize(
    "company",
    [
        None,
        {},
        {"teams_config": None},
        {"teams_config": "x"},
        {"teams_config": [None, 7, {"id": "a"}, {"id": 1, "working_hours": 7, "route": 7}]},
    ],
)
def test_garbage_in_the_company_never_raises(company: Any) -> None:
    assert (
        engine([member("ann", None, teams=[1], location={**at(1), "ts": 1}, working_hours=None)], company=company)
        .decide([job()])[0]
        .worker
        == "ann"
    )


def test_routes_that_are_infeasible_already_still_take_what_fits() -> None:
    routes = [job(90, f"s{i}", worker="ann", windowEnd=800, onSiteSeconds=18000, number=i + 1) for i in range(4)]
    fleet: Engine = engine([member("ann")], routes=routes)
    decision, refused = fleet.decide([job(45, onSiteSeconds=0), job(45)], reasons=True)
    assert decision.position == 0
    assert list(refused.reasons or {}) == ["route_full"]


def test_jobs_of_many_days_in_one_batch_are_each_decided_on_their_own() -> None:
    fleet = engine([member("ann")])
    days = [0, MONDAY - 1, MONDAY, MONDAY + 1, 20260131, 20261231, 20991231]
    decisions = fleet.decide([job(0, day=day, onSiteSeconds=20000) for day in days], reasons=True)
    assert [d.worker for d in decisions] == ["ann", None, None, "ann", "ann", "ann", "ann"]


def test_a_stop_of_absurd_length_leaves_the_time_before_it_free() -> None:
    routes = [job(0, "x", worker="ann", onSiteSeconds=1e300, windowStart=1200)]
    decision = engine([member("ann")], routes=routes).decide([job(0, onSiteSeconds=7200)])[0]
    assert decision.position == 0
