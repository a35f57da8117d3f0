"""`dispatcher plan`: one document, made of the files alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.acceptance.command import Ended, run

NOW = "2026-11-30T07:00:00+01:00"
DAY = 20261130


def member(name: str, lat: float, **fields: Any) -> dict[str, Any]:
    return {
        "uid": name,
        "username": f"{name}@acme.com",
        "role": "worker",
        "teams": [1],
        "timezone": "Europe/Rome",
        "route_start_lat": lat,
        "route_start_lng": 7.0,
        "working_hours": {"monday": {"start": 800, "end": 1700}},
    } | fields


def job(key: str, lat: float, **fields: Any) -> dict[str, Any]:
    return {"uidSecondary": key, "destinationLat": lat, "destinationLng": 7.0, "day": DAY} | fields


def plan(tmp_path: Path, members: list[dict[str, Any]], jobs: Any, *flags: str, routes: Any = None) -> Ended:
    (tmp_path / "members.json").write_bytes(orjson.dumps({"status": 0, "accounts": members}))
    (tmp_path / "jobs.json").write_bytes(orjson.dumps(jobs))
    if routes is not None:
        (tmp_path / "routes.json").write_bytes(orjson.dumps({"status": 0, "jobs": routes}))
        flags = ("--routes", "routes.json", *flags)
    arguments = ("plan", "--members", "members.json", "--jobs", "jobs.json", "--now", NOW, "--json")
    return run(*arguments, *flags, cwd=tmp_path)


def test_the_document_has_the_agreed_shape(tmp_path: Path) -> None:
    """Ann starts at 45.0 at 08:00; the job is 0.01 degrees away: 1112 m, 1.3 times that at 50 km/h is 104 s."""
    ended = plan(tmp_path, [member("ann", 45.0)], [job("A", 45.01), job("B", 45.02, teamId=7)])
    assert ended.status == 0, ended.err
    document = ended.document
    assert document["summary"] == {"jobs": 2, "assigned": 1, "unassigned": 1}
    first, second = document["jobs"]
    assert {name: first[name] for name in ("index", "key", "worker", "position")} == {
        "index": 0,
        "key": "A",
        "worker": "ann@acme.com",
        "position": 0,
    }
    assert first["distance_m"] == pytest.approx(1111.95, abs=0.01)
    assert first["added_travel_s"] == pytest.approx(104.08, abs=0.01)
    assert first["start_s"] == pytest.approx(8 * 3600 + 104.08, abs=0.01)
    assert second == {
        "index": 1,
        "key": "B",
        "worker": None,
        "reasons": {"team_mismatch": {"count": 1, "example": "ann@acme.com"}},
    }


def test_saved_stops_count(tmp_path: Path) -> None:
    stop = job("OLD", 45.0, worker="ann@acme.com", number=1, onSiteSeconds=8 * 3600, tsCreated=1)
    members = [member("ann", 45.0), member("bob", 45.5)]
    ended = plan(tmp_path, members, [job("A", 45.01, onSiteSeconds=7200)], routes=[stop])
    assert ended.document["jobs"][0]["worker"] == "bob@acme.com"


def test_a_job_that_names_its_member_is_kept_and_counts_as_assigned(tmp_path: Path) -> None:
    ended = plan(tmp_path, [member("ann", 45.0)], {"data": {"jobs": [job("A", 45.5, worker="ann@acme.com")]}})
    (row,) = ended.document["jobs"]
    assert (row["worker"], row["preassigned"]) == ("ann@acme.com", True)
    assert ended.document["summary"]["assigned"] == 1


@pytest.mark.parametrize("place", [{"destinationLat": None}, {"destinationLat": 0, "destinationLng": 0}])
def test_a_job_without_a_place_gets_the_reason(tmp_path: Path, place: dict[str, Any]) -> None:
    plain = job("A", 45.0) | place
    if plain["destinationLat"] is None:
        plain["destinationLng"] = None
    ended = plan(tmp_path, [member("ann", 45.0)], [plain])
    assert ended.status == 0, ended.err
    assert ended.document["jobs"][0]["reasons"] == {"bad_coordinates": {"count": 1, "example": "ann@acme.com"}}


def test_without_members_the_reason_says_so(tmp_path: Path) -> None:
    ended = plan(tmp_path, [], [job("A", 45.0)])
    assert ended.document["jobs"][0]["reasons"] == {"no_members": {"count": 0, "example": None}}


def test_a_bad_job_is_named_beside_the_plan_of_the_others(tmp_path: Path) -> None:
    ended = plan(tmp_path, [member("ann", 45.0)], [job("A", 45.01), job("B", 45.0, windowStart=2575)])
    assert ended.status == 2
    assert ended.document["summary"] == {"jobs": 1, "assigned": 1, "unassigned": 0, "refused": 1}
    assert [(e["index"], e["key"], e["field"]) for e in ended.document["errors"]] == [(1, "B", "windowStart")]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--set", "circuitty=2"), "circuity"),
        (("--policy", "best"), "policy"),
        (("--set", "timezone=Mars/Olympus"), "timezone"),
        (("--now", "tomorrow"), "--now"),
        (("--routes", "nowhere.json"), "nowhere.json"),
    ],
)
def test_bad_use_ends_with_status_2_and_a_word(tmp_path: Path, flags: tuple[str, ...], words: str) -> None:
    ended = plan(tmp_path, [member("ann", 45.0)], [job("A", 45.01)], *flags)
    assert ended.status == 2
    assert words in ended.err
    assert "Traceback" not in ended.err


def test_settings_change_the_plan(tmp_path: Path) -> None:
    jobs = [job("A", 45.01), job("B", 45.01)]
    ended = plan(tmp_path, [member("ann", 45.0)], jobs, "--set", "max_jobs_per_day=1", "--policy", "least_detour")
    assert ended.document["jobs"][1]["reasons"] == {"at_job_cap": {"count": 1, "example": "ann@acme.com"}}


def test_without_an_engine_nothing_is_assigned(tmp_path: Path) -> None:
    ended = plan(tmp_path, [member("ann", 45.0)], [job("A", 45.01)], "--policy", "none")
    assert ended.document["jobs"] == [{"index": 0, "key": "A", "worker": None, "reasons": {}}]


def test_explain_names_the_nearer_member_and_the_cause(tmp_path: Path) -> None:
    """Bob is nearer, but his shift ends at 08:10: the job would end later."""
    bob = member("bob", 45.01, working_hours={"monday": {"start": 800, "end": 810}})
    ended = plan(tmp_path, [member("ann", 45.0), bob], [job("A", 45.01)], "--explain", "A")
    assert ended.status == 0, ended.err
    said = ended.document["explanation"]
    assert said["chosen"]["worker"] == "ann@acme.com"
    (passed,) = said["passed_over"]
    assert (passed["worker"], passed["code"]) == ("bob@acme.com", "shift_too_short")
    assert "08:10" in passed["detail"]


def test_a_key_to_explain_that_is_not_in_the_file_is_bad_use(tmp_path: Path) -> None:
    ended = plan(tmp_path, [member("ann", 45.0)], [job("A", 45.01)], "--explain", "B")
    assert ended.status == 2
    assert "no job of the file has this key" in ended.err


def test_a_table_for_people(tmp_path: Path) -> None:
    (tmp_path / "members.json").write_bytes(orjson.dumps([member("ann", 45.0)]))
    (tmp_path / "jobs.csv").write_text("uidSecondary,destinationLat,destinationLng,day\nA,45.01,7.0,20261130\n")
    ended = run("plan", "--members", "members.json", "--jobs", "jobs.csv", "--now", NOW, cwd=tmp_path)
    assert ended.status == 0, ended.err
    assert "ann@acme.com" in ended.out
    assert "08:01" in ended.out
