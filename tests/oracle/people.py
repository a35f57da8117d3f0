"""The oracle's members: who may take a job at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.oracle.shifts import team_ids

ROLE_NAMES = {"dispatcher": "operator", "administrator": "admin"}
"""The API writes two of the roles in two ways."""


def is_eligible(account: Mapping[str, Any], *, is_today: bool, settings: Mapping[str, Any]) -> bool:
    """Has a username and an assignable role, is active, and (today) on duty and not labelled as unavailable."""
    if not account.get("username"):
        return False
    role = account.get("role") or ""
    if ROLE_NAMES.get(role, role) not in [ROLE_NAMES.get(name, name) for name in settings["assignable_roles"]]:
        return False
    if account.get("active_status"):
        return False
    if is_today and is_off_duty(account):
        return False
    label = account.get("status_label") or ""
    return plain(label) not in [plain(name) for name in settings["unavailable_labels"]]


def is_off_duty(account: Mapping[str, Any]) -> bool:
    states = account.get("states")
    return account.get("moving") == "offduty" or (isinstance(states, Mapping) and states.get("moving") == "offduty")


def is_in_team(account: Mapping[str, Any], job: Mapping[str, Any]) -> bool:
    team = job.get("teamId") or 0
    return team == 0 or team in team_ids(account)


def has_skills(account: Mapping[str, Any], job: Mapping[str, Any], settings: Mapping[str, Any]) -> bool:
    """Whether the member has every skill that the job asks for."""
    skills = account.get("skills")
    if not isinstance(skills, list):
        skills = settings["member_skills"].get(account.get("username"), ())
    owned = {plain(skill) for skill in skills}
    return all(plain(skill) in owned for skill in comma_list(custom_field(job, "skills")))


def is_excluded(account: Mapping[str, Any], job: Mapping[str, Any]) -> bool:
    """Whether the job names the member, by username or uid, among those who must not get it."""
    excluded = comma_list(custom_field(job, "excluded_workers"))
    return any(name in excluded for name in (account.get("username"), account.get("uid")) if name)


def custom_field(job: Mapping[str, Any], name: str) -> object:
    """A custom field from the list `customFields`, else from `custom_<name>`."""
    for entry in job.get("customFields") or []:
        if entry.get("key") == name:
            return entry.get("val")
    return job.get(f"custom_{name}")


def comma_list(value: object) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else []


def plain(text: object) -> str:
    return str(text).strip().lower()
