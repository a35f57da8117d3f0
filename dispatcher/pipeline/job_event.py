"""What a webhook says of a job, in both generations of action names, as one event: pure reading, nothing is applied."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from dispatcher.hellotracks.remote_job import identity


class Told(StrEnum):
    """What an event says about a job's place in the day routes."""

    OPEN = "open"
    """the job is open and is what the event carries"""
    OVER = "over"
    """it is done, failed, rejected, archived or nobody's: it has no place"""
    DELETED = "deleted"
    """it is gone for good"""
    UNCLEAR = "unclear"
    """something happened to it, but what it carries does not say where the job stands now"""


RANK = {Told.UNCLEAR: 0, Told.OPEN: 1, Told.OVER: 2, Told.DELETED: 3}
"""Of two events of the same moment the one with the higher rank counts."""

_LOOK = ("jobcreated", "jobupdated", "jobchecked", "jobcheckin", "jobcheckout", "jobrestored")
_OVER = ("jobcompleted", "jobarchived")
_DELETED = ("jobdeleted",)
IGNORED = frozenset({"alerttriggered", "placechecked", "placecheckin", "placecheckout"})
"""Acknowledged, and of no consequence for day routes."""
KNOWN = frozenset({*_LOOK, *_OVER, *_DELETED})

_STAMPS = (
    "tsCreated",
    "tsAssigned",
    "tsAccepted",
    "tsRejected",
    "tsCheckIn",
    "tsCheckOut",
    "tsDoneSuccess",
    "tsDoneFailed",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """One event of one job.

    Attributes:
        told: see there.
        id: Hellotracks' id, "" when it is not known.
        key: `uidSecondary`, "" when it has none.
        day: YYYYMMDD, 0 for an undated job.
        saved_ms: when the job was saved in this state, 0 when nothing says so.
        job: the job object as it came.
    """

    told: Told
    id: str
    key: str
    day: int
    saved_ms: int
    job: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What tells the job from others."""
        return self.id or self.key

    @property
    def names(self) -> tuple[str, ...]:
        """All its names."""
        return tuple(name for name in (self.key, self.id) if name)

    def follows(self, saved_ms: int, told: Told) -> bool:
        """Whether this is news to somebody who knows an event of that time; without a time it always is."""
        if told is Told.DELETED:
            return False
        if self.told is Told.DELETED or not self.saved_ms or not saved_ms:
            return True
        return (self.saved_ms, RANK[self.told]) > (saved_ms, RANK[told])


def action_name(action: str) -> str:
    """An action in one spelling: the set-up's keys have underscores (`job_created`), deliveries have none."""
    return action.strip().lower().replace("_", "")


def read_events(action: str, job_id: str, jobs: Iterable[Mapping[str, Any]]) -> list[JobEvent]:
    """The events of one delivery.

    Args:
        action: as `action_name` gives it, one of `KNOWN`.
        job_id: the delivery's own `id`, which stands in for that of a job object without one.
        jobs: the job objects that it carries; none: only `job_id` is known.
    """
    carried = list(jobs) or [{}]
    alone = len(carried) == 1
    events = (_read(action, job_id if alone else "", job) for job in carried)
    return [event for event in events if event.name]


def _read(action: str, job_id: str, job: Mapping[str, Any]) -> JobEvent:
    saved_ms = _whole(job.get("tsSaved")) or max((_whole(job.get(name)) for name in _STAMPS), default=0)
    if action == "jobcheckin" and not _whole(job.get("tsCheckIn")):
        job = {**job, "tsCheckIn": saved_ms or 1}
    return JobEvent(
        told=_told(action, job),
        id=identity(job.get("id")) or job_id,
        key=identity(job.get("uidSecondary")),
        day=_whole(job.get("day")),
        saved_ms=saved_ms,
        job=job,
    )


def _told(action: str, job: Mapping[str, Any]) -> Told:
    if action in _DELETED:
        return Told.DELETED
    if action in _OVER:
        return Told.OVER
    if any(_whole(job.get(name)) for name in ("tsDoneSuccess", "tsDoneFailed", "tsRejected")):
        return Told.OVER
    if job.get("status") == "archived":
        return Told.OVER
    people = [job[name] for name in ("worker", "assigneeUsername", "receiverUid") if name in job]
    if not people or "day" not in job:
        return Told.UNCLEAR
    return Told.OPEN if any(people) else Told.OVER


def _whole(value: object) -> int:
    """A number of a job object, also as text; anything else, and what is negative, is 0."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 2**63:
        return 0
    return int(value)
