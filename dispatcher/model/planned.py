"""The document of a dry run: the same from the command line and from the daemon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from dispatcher.errors import FieldError


class Why(Protocol):
    """How many members could not take a job for one cause."""

    @property
    def count(self) -> int: ...
    @property
    def example(self) -> str | None: ...


class Planned(Protocol):
    """What would become of one job."""

    @property
    def index(self) -> int: ...
    @property
    def key(self) -> str | None: ...
    @property
    def worker(self) -> str | None: ...
    @property
    def distance_m(self) -> float | None: ...
    @property
    def added_travel_s(self) -> float | None: ...
    @property
    def position(self) -> int | None: ...
    @property
    def start_s(self) -> float | None: ...
    @property
    def preassigned(self) -> bool: ...
    @property
    def reasons(self) -> Mapping[str, Why] | None: ...


def plan_document(decisions: Sequence[Planned], problems: Sequence[FieldError] = ()) -> dict[str, Any]:
    """`{"summary": {…}, "jobs": [{…}]}`, with `errors` when some of the jobs could not be read.

    Args:
        decisions: of the jobs that could be read, in their order.
        problems: of the others.
    """
    rows = [_row(decision) for decision in decisions]
    assigned = sum(row["worker"] is not None for row in rows)
    document: dict[str, Any] = {
        "summary": {"jobs": len(rows), "assigned": assigned, "unassigned": len(rows) - assigned},
        "jobs": rows,
    }
    if problems:
        document["summary"]["refused"] = len({problem.index for problem in problems})
        document["errors"] = [
            {"index": p.index, "key": p.key, "field": p.field, "message": p.message, "where": p.where} for p in problems
        ]
    return document


def _row(decision: Planned) -> dict[str, Any]:
    row: dict[str, Any] = {"index": decision.index, "key": decision.key, "worker": decision.worker}
    if decision.worker is None:
        row["reasons"] = {
            code: {"count": reason.count, "example": reason.example}
            for code, reason in (decision.reasons or {}).items()
        }
        return row
    row |= {
        "distance_m": decision.distance_m,
        "added_travel_s": decision.added_travel_s,
        "position": decision.position,
        "start_s": decision.start_s,
    }
    if decision.preassigned:
        row["preassigned"] = True
    return row
