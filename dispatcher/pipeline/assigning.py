"""What becomes of decided jobs: the assign rules as pure functions, beside those of delivery in `moves.py`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec
import orjson

from dispatcher.model.records import AUTOASSIGN, Change, SpooledJob
from dispatcher.model.state import State
from dispatcher.pipeline.calendar import moment

HOLD_RETRY_S = 15.0
"""a held job is offered again this often"""
WAITING = (State.ACCEPTED, State.HELD)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignRules:
    """How jobs are decided.

    Attributes:
        engine: False for `policy = "none"`: jobs keep the caller's switches.
        fallback: `autoassign`, `unassigned` or `hold`.
        hold_until_s: how long after its acceptance a job is held at most, 0 for as long as its window and day allow.
        hold_then: `autoassign` or `unassigned`, for a job that was held in vain.
        timezone: the account's, in which a job's day and window end.
    """

    engine: bool
    fallback: str
    hold_until_s: float = 0.0
    hold_then: str = "autoassign"
    timezone: str = "UTC"


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


def unplaced(jobs: Sequence[SpooledJob], decisions: Sequence[Found | None] | None) -> list[SpooledJob]:
    """The jobs that the fallback will have; arguments as for `assign`."""
    said: Sequence[Found | None] = [None] * len(jobs) if decisions is None else decisions
    return [
        job
        for job, decision in zip(jobs, said, strict=True)
        if not job.preassigned and (decision is None or decision.worker is None)
    ]


def assign(
    jobs: Sequence[SpooledJob],
    decisions: Sequence[Found | None] | None,
    *,
    now: float,
    rules: AssignRules,
    accepted_at: Mapping[int, float] | None = None,
) -> Assignment:
    """Turn decisions into changes.

    A job that names its member keeps it, one that got a member is sent with it, and the fallback has the others.

    Args:
        jobs: accepted or held jobs.
        decisions: the engine's, aligned with `jobs`, None for a job that nobody takes; None when there is no usable
            engine.
        now: Unix seconds.
        rules: see `AssignRules`.
        accepted_at: Unix time of the acceptance by row, for jobs that may be held for a certain time; a job that is
            missing was accepted now.
    """
    named = [job.seq for job in jobs if job.preassigned]
    found: list[tuple[int, str, str]] = []
    left = unplaced(jobs, decisions)
    said: Sequence[Found | None] = [None] * len(jobs) if decisions is None else decisions
    for job, decision in zip(jobs, said, strict=True):
        if not job.preassigned and decision is not None and decision.worker is not None:
            found.append((job.seq, decision.worker, note(decision)))
    changes: list[Change] = []
    if named:
        changes.append(Change(seqs=named, to=State.ASSIGNED, expect=WAITING, autoassign=False))
    if found:
        seqs, workers, notes = zip(*found, strict=True)
        changes.append(
            Change(seqs=seqs, to=State.ASSIGNED, expect=WAITING, workers=workers, notes=notes, autoassign=False)
        )
    if rules.engine and rules.fallback == "hold":
        ends = {
            job.seq: hold_until(job, accepted_at=(accepted_at or {}).get(job.seq, now), rules=rules) for job in left
        }
        changes.extend(_hold([seq for seq in ends if now < ends[seq]], ends, now=now))
        left_over = [job for job in left if now >= ends[job.seq]]
        changes.extend(_fall_back(left_over, autoassign=rules.hold_then == "autoassign"))
    else:
        changes.extend(_fall_back(left, autoassign=rules.engine and rules.fallback == "autoassign"))
    return Assignment(changes, assigned=len(found), preassigned=len(named), fallback=len(left))


def hold_until(job: SpooledJob, *, accepted_at: float, rules: AssignRules) -> float:
    """Unix time from which it is no use to hold a job any longer; infinite when there is none.

    A job with a day can be held until its window closes there, or until that day ends; an undated one waits for as long
    as it takes. `hold_until_s` ends both earlier.
    """
    until = accepted_at + rules.hold_until_s if rules.hold_until_s else math.inf
    if job.day:
        try:
            until = min(until, moment(job.day, _window_end(job.body), rules.timezone))
        except ValueError:
            until = min(until, accepted_at)  # no such day: nobody will ever take it
    return until


class _Window(msgspec.Struct, gc=False):
    windowEnd: Any = None  # noqa: N815 - Hellotracks' own name


_read_window = msgspec.json.Decoder(_Window).decode


def _window_end(body: bytes) -> int:
    end = _read_window(body).windowEnd
    plain = isinstance(end, int) and 0 < end < 2400 and end % 100 < 60
    return end if plain else 2400


def _hold(seqs: Sequence[int], ends: Mapping[int, float], *, now: float) -> list[Change]:
    """Held rows are offered again in a while, and at the latest when their time is over."""
    by_time: dict[float, list[int]] = {}
    for seq in seqs:
        by_time.setdefault(min(now + HOLD_RETRY_S, ends[seq]), []).append(seq)
    return [
        Change(seqs=rows, to=State.HELD, expect=WAITING, next_at=at, error="no member can take it now")
        for at, rows in by_time.items()
    ]


def _fall_back(jobs: Sequence[SpooledJob], *, autoassign: bool) -> list[Change]:
    """Sent without a member; a caller's wish for `autoassign` is never dropped."""
    by_wish: dict[bool, list[int]] = {}
    for job in jobs:
        by_wish.setdefault(autoassign or bool(job.switches & AUTOASSIGN), []).append(job.seq)
    return [Change(seqs=seqs, to=State.ASSIGNED, expect=WAITING, autoassign=wish) for wish, seqs in by_wish.items()]


def note(decision: Found) -> str:
    """A decision as the short JSON text that the receipt keeps."""
    figures = ("distance_m", "added_travel_s", "position", "start_s")
    return orjson.dumps({name: getattr(decision, name) for name in figures}).decode()
