"""The engine's settings, checked when they are made."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from engine.clock import find_zone
from engine.errors import EngineError

POLICIES: Final = ("nearest", "least_detour")
ORDERS: Final = ("priority", "regret")

_SHIFT: Final = re.compile(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """How the engine decides.

    Attributes:
        policy: "nearest" (least distance from the reference position) or "least_detour" (least added travel).
        order: "priority" (then input order) or "regret" (then what would lose most by waiting), for the jobs of one
            batch.
        regret_s: most time that the order "regret" may take of a batch, seconds; what is left then is taken in the
            order "priority".
        improve_s: most time to improve the routes after a batch, seconds; 0: they stay as decided.
        seed: of the random choices in that improvement; the same one gives the same routes unless the time ran out.
        timezone: IANA name of the account's zone, for members without one.
        default_shift: "HH:MM-HH:MM" for members without hours of their own or of a team; an end before the start runs
            past midnight.
        working_hours_unit: "hhmm" or "minutes", for schedules that can be read both ways.
        circuity: road metres per great-circle metre.
        max_location_age_s: a live location older than this is no reference position of today.
        stale_location: "use" or "ignore" the last known location when there is nothing better.
        assignable_roles: roles whose members take jobs.
        unavailable_labels: status labels of members who take none.
        member_skills: username to skills, for members whose record has no `skills` list.
        max_jobs_per_day: most open stops of a member and day, 0 for no limit.
        max_distance_km: farthest destination from the reference position, great circle, 0 for no limit.

    Raises:
        EngineError: names the setting that cannot be used.
    """

    policy: str = "nearest"
    order: str = "priority"
    regret_s: float = 10.0
    improve_s: float = 0.0
    seed: int = 0
    timezone: str = "UTC"
    default_shift: str = "00:00-24:00"
    working_hours_unit: str = "hhmm"
    circuity: float = 1.3
    max_location_age_s: float = 900.0
    stale_location: str = "use"
    assignable_roles: tuple[str, ...] = ("worker",)
    unavailable_labels: tuple[str, ...] = ()
    member_skills: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    max_jobs_per_day: int = 0
    max_distance_km: float = 0.0

    def __post_init__(self) -> None:
        _one_of("policy", self.policy, POLICIES)
        _one_of("order", self.order, ORDERS)
        _one_of("working_hours_unit", self.working_hours_unit, ("hhmm", "minutes"))
        _one_of("stale_location", self.stale_location, ("use", "ignore"))
        zone: object = self.timezone
        if not isinstance(zone, str) or find_zone(zone) is None:
            raise EngineError(f"{self.timezone!r} is no known time zone", field="timezone")
        read_default_shift(self.default_shift)
        if not _number(self.circuity) or self.circuity <= 0:
            raise EngineError(f"must be above 0, not {self.circuity!r}", field="circuity")
        for name in ("max_location_age_s", "max_distance_km", "regret_s", "improve_s"):
            value = getattr(self, name)
            if not _number(value) or value < 0:
                raise EngineError(f"must be 0 or above, not {value!r}", field=name)
        for name in ("max_jobs_per_day", "seed"):
            whole: object = getattr(self, name)
            if isinstance(whole, bool) or not isinstance(whole, int) or whole < 0:
                raise EngineError(f"must be a whole number, 0 or above, not {whole!r}", field=name)
        _texts("assignable_roles", self.assignable_roles)
        _texts("unavailable_labels", self.unavailable_labels)
        listed: object = self.member_skills
        if not isinstance(listed, Mapping):
            raise EngineError("must map usernames to skills", field="member_skills")
        for skills in listed.values():
            _texts("member_skills", skills)


def read_default_shift(text: object) -> tuple[int, int]:
    """`HH:MM-HH:MM` as (start, end) in seconds; an end before or at the start lies on the next day.

    "00:00-00:00" is a day off and comes back as (0, 0).
    """
    match = _SHIFT.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise EngineError(f"{text!r} is not of the form HH:MM-HH:MM", field="default_shift")
    h1, m1, h2, m2 = (int(part) for part in match.groups())
    start, end = h1 * 3600 + m1 * 60, h2 * 3600 + m2 * 60
    if m1 > 59 or m2 > 59 or start > 86400 or end > 86400:
        raise EngineError(f"{text!r} is not within 00:00 to 24:00", field="default_shift")
    if (start or end) and end <= start:
        end += 86400
    return start, end


def _one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise EngineError(f"must be one of {', '.join(allowed)}, not {value!r}", field=name)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _texts(name: str, values: object) -> None:
    if not isinstance(values, tuple | list | frozenset | set) or not all(isinstance(v, str) for v in values):
        raise EngineError(f"must be a list of texts, not {values!r}", field=name)
