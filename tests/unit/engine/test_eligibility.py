"""Who may be asked at all."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.engine.people import MONDAY, engine, job, member


def first_reason(record: dict[str, Any], wanted: dict[str, Any] | None = None, **settings: Any) -> str | None:
    """Why a lone member does not take a job, None when it does."""
    fleet = engine([record], **settings)
    decision = fleet.decide([wanted or job()], reasons=True)[0]
    return None if decision.worker else next(iter(decision.reasons or {}))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, None),
        ({"role": "admin"}, "not_eligible"),
        ({"role": None}, "not_eligible"),
        ({"active_status": "suspended"}, "not_eligible"),
        ({"active_status": ""}, None),
        ({"username": ""}, "not_eligible"),
        ({"moving": "offduty"}, "not_eligible"),
        ({"states": {"moving": "offduty"}}, "not_eligible"),
        ({"states": {"moving": "halted"}}, None),
        ({"status_label": " on BREAK "}, "not_eligible"),
        ({"status_label": "Available"}, None),
    ],
)
def test_role_account_duty_and_label_decide(fields: dict[str, Any], reason: str | None) -> None:
    assert first_reason(member("ann", **fields), unavailable_labels=("On break",)) == reason


def test_off_duty_counts_on_today_only() -> None:
    record = member("ann", moving="offduty")
    assert first_reason(record, job(day=MONDAY)) == "not_eligible"
    assert first_reason(record, job(day=MONDAY + 1)) is None


@pytest.mark.parametrize(
    ("setting", "role"), [("dispatcher", "operator"), ("operator", "dispatcher"), ("admin", "administrator")]
)
def test_roles_have_two_names(setting: str, role: str) -> None:
    assert first_reason(member("ann", role=role), assignable_roles=(setting,)) is None


@pytest.mark.parametrize(
    ("teams", "team", "reason"),
    [([1, 2], 2, None), ([1], 2, "team_mismatch"), ([], 0, None), (None, 1, "team_mismatch")],
)
def test_a_team_job_is_for_its_team(teams: Any, team: int, reason: str | None) -> None:
    assert first_reason(member("ann", teams=teams), job(teamId=team)) == reason


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"skills": ["Gas ", "water"]}, None),
        ({"skills": ["water"]}, "missing_skill"),
        ({"skills": []}, "missing_skill"),
        ({}, None),  # the setting says so
    ],
)
def test_skills_come_from_the_record_else_from_the_setting(fields: dict[str, Any], reason: str | None) -> None:
    wanted = job(custom_skills=" gas")
    assert first_reason(member("ann", **fields), wanted, member_skills={"ann": ("GAS",)}) == reason


def test_the_list_of_custom_fields_wins_over_the_flat_one() -> None:
    wanted = job(custom_skills="gas", customFields=[{"key": "skills", "val": ""}])
    assert first_reason(member("ann"), wanted) is None


@pytest.mark.parametrize("name", ["ann", "uid-ann", "bob, ann"])
def test_excluded_members_are_named_by_username_or_uid(name: str) -> None:
    assert first_reason(member("ann"), job(custom_excluded_workers=name)) == "excluded"


def test_many_teams_and_skills_are_told_apart() -> None:
    """More than 64 of them, so that they fill several words."""
    fleet = engine([member(f"m{i}", teams=[i], skills=[f"s{i}"]) for i in range(1, 151)])
    wanted = [job(teamId=i, custom_skills=f"s{i}") for i in (1, 63, 64, 65, 128, 150)]
    assert [d.worker for d in fleet.decide(wanted)] == ["m1", "m63", "m64", "m65", "m128", "m150"]
    assert fleet.decide([job(teamId=1, custom_skills="s2"), job(teamId=151)])[0].worker is None
