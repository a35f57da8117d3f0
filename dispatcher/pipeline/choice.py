"""Why this member: who was nearer and passed over, and who comes next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from engine import Candidate, Engine


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """What one member would make of a job.

    Attributes:
        worker: username.
        distance_m: great circle from where the member's day starts, metres; None without a place.
        added_travel_s, position, start_s: where in the day it would fit best; None when it does not.
        stops: open stops of that day, the job itself left out.
        code: why the member cannot take it, None when it can.
        detail: the cause in words; "" when there is nothing to say.
    """

    worker: str
    distance_m: float | None
    added_travel_s: float | None
    position: int | None
    start_s: float | None
    stops: int
    code: str | None
    detail: str


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Why a job goes to whom it goes, on the day routes as they stand now without the job.

    Attributes:
        policy: by which members are compared.
        given: what the member who has it makes of it; None when nobody has it, or nobody whom the fleet knows.
        chosen: who would get it now; None: nobody.
        next_best: who would get it if the chosen one could not.
        margin: by how much the next best is worse: metres (nearest) or seconds of added travel (least_detour).
        passed_over: members nearer than the chosen one, nearest first, and why each is passed over; without a chosen
            one simply the nearest.
        reasons: of all members who cannot take it, a count and an example per code.
    """

    policy: str
    given: Option | None
    chosen: Option | None
    next_best: Option | None
    margin: float | None
    passed_over: list[Option]
    reasons: dict[str, tuple[int, str | None]]


def choose(engine: Engine, job: Mapping[str, Any], worker: str | None) -> Choice | None:
    """Ask an engine; it takes a while with many members. None when it cannot read the job: nobody was chosen then.

    Args:
        engine: with the day routes as they are.
        job: in Hellotracks' field names.
        worker: username of the member who has it, None for nobody.
    """
    from engine import EngineError  # noqa: PLC0415 - only with an engine at hand

    try:
        told = engine.explain(job)
    except EngineError:
        return None
    given = engine.explain(job, worker) if worker in engine.members else None
    return Choice(
        policy=told.policy,
        given=_option(given),
        chosen=_option(told.chosen),
        next_best=_option(told.next_best),
        margin=told.margin,
        passed_over=[option for candidate in told.passed_over if (option := _option(candidate))],
        reasons={code: (reason.count, reason.example) for code, reason in told.reasons.items()},
    )


def _option(candidate: Candidate | None) -> Option | None:
    return None if candidate is None else msgspec.convert(candidate, Option, from_attributes=True)
