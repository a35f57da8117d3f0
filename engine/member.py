"""One member as the rules see it, read from the JSON of a `getaccounts` reply."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Final

from engine.clock import find_zone
from engine.json_value import coordinates, is_amount, is_number, positive, text
from engine.settings import EngineSettings, read_default_shift
from engine.shift import Week, read_week, span

SPEED_KMH: Final = {"car": 50.0, "van": 50.0, "truck": 45.0, "motorcycle": 50.0, "bicycle": 15.0, "pedestrian": 5.0}
"""Speed by `travel_mode`; an unknown mode travels like a car."""

ROLE_NAMES: Final = {"dispatcher": "operator", "administrator": "admin"}

Place = tuple[float, float]
"""(latitude, longitude) in degrees."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member, with everything that does not depend on the day.

    Attributes:
        name: `username`, else `uid`: what examples and `members` show.
        username: what a job's `worker` takes; None when the record has none.
        uid: `uid`, else `id`.
        zone: the member's time zone.
        week: shifts per weekday, Monday first.
        until_s: Unix seconds until which working hours are ignored, 0 for none.
        barred: why role, account or label allow no jobs, "" when they do.
        off_duty: off duty now, which counts on today only.
        teams: team ids.
        skills: folded skill names.
        location: last known place.
        seen_s: Unix seconds of that place, 0 when unknown.
        route_start, route_end: places where the day starts and ends.
        route_start_s: earliest departure on the wall clock, seconds; -1 for none.
        speed_kmh: by travel mode.
        capacity: items on board, 0 for no limit.
    """

    name: str
    username: str | None
    uid: str | None
    zone: tzinfo
    week: Week
    until_s: float
    barred: str
    off_duty: bool
    teams: frozenset[int]
    skills: frozenset[str]
    location: Place | None
    seen_s: float
    route_start: Place | None
    route_end: Place | None
    route_start_s: float
    speed_kmh: float
    capacity: float


@dataclass(frozen=True, slots=True)
class Team:
    """What a team gives to members that lack it: hours and a start of the route."""

    hours: object
    start: Place | None


def read_teams(company: Mapping[str, Any] | None) -> dict[int, Team]:
    """`teams_config` of a `getcompany` reply by team id; of two with the same id the first stands."""
    teams: dict[int, Team] = {}
    listed = company.get("teams_config") if isinstance(company, Mapping) else None
    for entry in listed if isinstance(listed, Sequence) and not isinstance(listed, str | bytes) else ():
        if isinstance(entry, Mapping) and (number := _team_id(entry.get("id"))) is not None and number not in teams:
            teams[number] = Team(hours=entry.get("working_hours"), start=_team_start(entry.get("route")))
    return teams


class MemberReader:
    """Reads members under given settings and teams, and collects what was odd.

    Attributes:
        warnings: one line per oddity.
    """

    def __init__(self, settings: EngineSettings, teams: Mapping[int, Team]) -> None:
        self.warnings: list[str] = []
        self._settings = settings
        self._teams = teams
        self._roles = frozenset(ROLE_NAMES.get(role, role) for role in settings.assignable_roles)
        self._labels = frozenset(fold(label) for label in settings.unavailable_labels)
        self._member_skills = {name: _folded(skills) for name, skills in settings.member_skills.items()}
        fallback = find_zone(settings.timezone)
        assert fallback is not None, "checked by the settings"  # noqa: S101 - for the type checker
        self._zone: tzinfo = fallback
        start, end = read_default_shift(settings.default_shift)
        self._default_week: Week = (span(start, end),) * 7

    def read(self, record: Mapping[str, Any]) -> Member:
        """One record; whatever cannot be read counts as not given."""
        username = text(record.get("username"))
        uid = text(record.get("uid")) or text(record.get("id"))
        name = username or uid or ""
        teams = _team_list(record.get("teams"))
        skills = record.get("skills")
        return Member(
            name=name,
            username=username,
            uid=uid,
            zone=self._read_zone(name, record.get("timezone")),
            week=self._read_week(name, record.get("working_hours"), teams),
            until_s=positive(record.get("ignore_working_hours_until_ts")) / 1000.0,
            barred=self._barred(record, username),
            off_duty=_off_duty(record),
            teams=frozenset(teams),
            skills=_folded(skills) if isinstance(skills, list | tuple) else self._member_skills.get(name, frozenset()),
            location=place(record.get("location"), "lat", "lng"),
            seen_s=_seen(record.get("location")),
            route_start=place(record, "route_start_lat", "route_start_lng") or self._team_start(teams),
            route_end=place(record, "route_end_lat", "route_end_lng"),
            route_start_s=_start_minutes(record.get("route_start_time")),
            speed_kmh=_speed(record.get("travel_mode")),
            capacity=positive(record.get("vehicle_capacity")),
        )

    def _barred(self, record: Mapping[str, Any], username: str | None) -> str:
        role, label = record.get("role"), record.get("status_label")
        role = role if isinstance(role, str) else ""
        if username is None:
            return "has no username"
        if ROLE_NAMES.get(role, role) not in self._roles:
            return f"has the role {role!r}, which is not in assignable_roles"
        if record.get("active_status"):
            return f"has the active_status {record['active_status']!r}"
        if isinstance(label, str) and fold(label) in self._labels:
            return f"has the status label {label!r}, which is in unavailable_labels"
        return ""

    def _read_zone(self, name: str, value: object) -> tzinfo:
        if value is None or value == "":
            return self._zone
        zone = find_zone(value) if isinstance(value, str) else None
        if zone is None:
            self.warnings.append(f"{name}: unknown time zone {value!r}, {self._settings.timezone} is used")
            return self._zone
        return zone

    def _read_week(self, name: str, hours: object, teams: Sequence[int]) -> Week:
        sources: list[tuple[str, object]] = [(name, hours)]
        sources += [(f"team {number}", self._teams[number].hours) for number in teams if number in self._teams]
        for source, value in sources:
            found = read_week(value, unit=self._settings.working_hours_unit)
            if found is not None:
                week, clean = found
                if not clean:
                    self.warnings.append(f"{source}: working hours that cannot be read count as a day off")
                return week
        return self._default_week

    def _team_start(self, teams: Sequence[int]) -> Place | None:
        for number in teams:
            team = self._teams.get(number)
            if team is not None and team.start is not None:
                return team.start
        return None


def place(record: object, lat: str, lng: str) -> Place | None:
    """Coordinates of a JSON object; None when missing, null, not finite, out of range or exactly 0/0."""
    if not isinstance(record, Mapping):
        return None
    return coordinates(record.get(lat), record.get(lng))


def fold(value: str) -> str:
    """A text for comparison: trimmed, without regard to case."""
    return value.strip().casefold()


def _folded(values: Iterable[object]) -> frozenset[str]:
    return frozenset(fold(value) for value in values if isinstance(value, str) and value.strip())


def _team_id(value: object) -> int | None:
    return int(value) if is_number(value) and math.isfinite(value) and value == int(value) else None


def _team_list(value: object) -> list[int]:
    listed = value if isinstance(value, list | tuple) else []
    return [number for number in map(_team_id, listed) if number is not None]


def _team_start(route: object) -> Place | None:
    for prefix in ("route_start_", "start_", ""):
        found = place(route, f"{prefix}lat", f"{prefix}lng")
        if found is not None:
            return found
    return None


def _off_duty(record: Mapping[str, Any]) -> bool:
    states = record.get("states")
    nested = states.get("moving") if isinstance(states, Mapping) else None
    return record.get("moving") == "offduty" or nested == "offduty"


def _seen(location: object) -> float:
    return positive(location.get("ts")) / 1000.0 if isinstance(location, Mapping) else 0.0


def _start_minutes(value: object) -> float:
    return float(value) * 60.0 if is_amount(value) else -1.0


def _speed(mode: object) -> float:
    return SPEED_KMH.get(mode.strip().lower(), 50.0) if isinstance(mode, str) else 50.0
