"""What becomes of decided jobs: the assign rules as pure functions, beside those of delivery in `moves.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import orjson

from dispatcher.model.records import AUTOASSIGN, Change, SpooledJob
from dispatcher.model.state import State

HOLD_RETRY_S = 15.0
"""a held job is offered again this often"""
WAITING = (State.ACCEPTED, State.HELD)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignRules:
    """How jobs are decided.

    Attributes:
        engine: False for `policy = "none"`: jobs keep the caller's switches.
        fallback: `autoassign`, `unassigned` or `hold`.
    """

    engine: bool
    fallback: str


class Found(Protocol):
    """What the engine says of one job; `worker` None: nobody can take it."""

    @property
    def worker(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Assignment:
    """Changes to write, and how many jobs went which way.

    Attributes:
        changes: one for each way.
        assigned: jobs that got a member from the engine.
        preassigned: jobs whose caller named the member.
        fallback: jobs that went the way of the fallback.
    """

    changes: list[Change] = field(default_factory=list)
    assigned: int = 0
    preassigned: int = 0
    fallback: int = 0


def assign(
    jobs: Sequence[SpooledJob], decisions: Sequence[Found | None] | None, *, now: float, rules: AssignRules
) -> Assignment:
    """Turn decisions into changes.

    A job that names its member keeps it, one that got a member is sent with it, and the fallback has the others.

    Args:
        jobs: accepted or held jobs.
        decisions: the engine's, aligned with `jobs`, None for a job that nobody takes; None when there is no usable
            engine.
        now: Unix seconds.
        rules: see `AssignRules`.
    """
    named = [job.seq for job in jobs if job.preassigned]
    found: list[tuple[int, str, str]] = []
    left: list[SpooledJob] = []
    said: Sequence[Found | None] = [None] * len(jobs) if decisions is None else decisions
    for job, decision in zip(jobs, said, strict=True):
        if job.preassigned:
            continue
        if decision is None or decision.worker is None:
            left.append(job)
        else:
            found.append((job.seq, decision.worker, note(decision)))
    changes: list[Change] = []
    if named:
        changes.append(Change(seqs=named, to=State.ASSIGNED, expect=WAITING, autoassign=False))
    if found:
        seqs, workers, notes = zip(*found, strict=True)
        changes.append(
            Change(seqs=seqs, to=State.ASSIGNED, expect=WAITING, workers=workers, notes=notes, autoassign=False)
        )
    changes.extend(_fall_back(left, now=now, rules=rules))
    return Assignment(changes, assigned=len(found), preassigned=len(named), fallback=len(left))


def _fall_back(jobs: Sequence[SpooledJob], *, now: float, rules: AssignRules) -> list[Change]:
    if not jobs:
        return []
    if rules.engine and rules.fallback == "hold":
        return [
            Change(
                seqs=[job.seq for job in jobs],
                to=State.HELD,
                expect=WAITING,
                next_at=now + HOLD_RETRY_S,
                error="no member can take it now",
            )
        ]
    always = rules.engine and rules.fallback == "autoassign"
    by_wish: dict[bool, list[int]] = {}
    for job in jobs:
        by_wish.setdefault(always or bool(job.switches & AUTOASSIGN), []).append(job.seq)
    return [Change(seqs=seqs, to=State.ASSIGNED, expect=WAITING, autoassign=wish) for wish, seqs in by_wish.items()]


def note(decision: Found) -> str:
    """A decision as the short JSON text that the receipt keeps."""
    figures = ("distance_m", "added_travel_s", "position", "start_s")
    return orjson.dumps({name: getattr(decision, name) for name in figures}).decode()
