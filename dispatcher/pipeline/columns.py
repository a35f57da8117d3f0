"""Jobs for the engine as columns: a few microseconds a job instead of twenty, where the jobs are plain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

if TYPE_CHECKING:
    from engine import DecisionColumns


class _Job(msgspec.Struct, gc=False):
    """What the engine reads of a job: numbers with the engine's defaults, and what says that a job is not plain."""

    uidSecondary: str  # noqa: N815 - Hellotracks' own names, here and below
    destinationLat: float = math.nan  # noqa: N815
    destinationLng: float = math.nan  # noqa: N815
    day: int = 0
    windowStart: int = 0  # noqa: N815
    windowEnd: int = 0  # noqa: N815
    onSiteSeconds: int = 720  # noqa: N815
    priority: int = 5
    teamId: int = 0  # noqa: N815
    itemsToDropoff: int = 0  # noqa: N815
    itemsToPickup: int = 0  # noqa: N815
    worker: Any = None
    receiverUid: Any = None  # noqa: N815
    customFields: Any = None  # noqa: N815
    custom_skills: Any = None
    custom_excluded_workers: Any = None
    number: Any = None
    scheduledStart: Any = None  # noqa: N815
    tsCreated: Any = None  # noqa: N815

    def is_plain(self) -> bool:
        """Whether the columns say all that the engine would read of it."""
        return not (
            self.worker
            or self.receiverUid
            or self.customFields
            or self.custom_skills
            or self.custom_excluded_workers
            or self.number
            or self.scheduledStart
            or self.tsCreated
        )


NUMBERS = (
    "destinationLat",
    "destinationLng",
    "day",
    "windowStart",
    "windowEnd",
    "onSiteSeconds",
    "priority",
    "teamId",
    "itemsToDropoff",
    "itemsToPickup",
)
_decode = msgspec.json.Decoder(_Job).decode


class Taken(NamedTuple):
    """A job that somebody takes, with the figures of the decision."""

    worker: str
    distance_m: float
    added_travel_s: float
    position: int
    start_s: float


def columns_of(bodies: Sequence[bytes]) -> dict[str, list[Any]] | None:
    """The jobs as the engine's columns; None when one of them needs more than columns say.

    Args:
        bodies: stored jobs, each with its `uidSecondary`, no key twice.
    """
    try:
        jobs = [_decode(body) for body in bodies]
    except msgspec.DecodeError:
        return None
    if not all(job.is_plain() for job in jobs):
        return None
    columns: dict[str, list[Any]] = {name: [getattr(job, name) for job in jobs] for name in NUMBERS}
    columns["uidSecondary"] = [job.uidSecondary for job in jobs]
    return columns


def taken(members: Sequence[str], decided: DecisionColumns) -> list[Taken | None]:
    """The columns' decisions job by job; None: nobody."""
    answer: list[Taken | None] = [None] * len(decided.member)
    rows = zip(
        decided.member.tolist(),
        decided.distance_m.tolist(),
        decided.added_travel_s.tolist(),
        decided.position.tolist(),
        decided.start_s.tolist(),
        strict=True,
    )
    for index, (member, *figures) in enumerate(rows):
        if member >= 0:
            answer[index] = Taken(members[member], *figures)
    return answer
