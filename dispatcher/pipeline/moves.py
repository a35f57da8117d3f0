"""What happens to the jobs of a request: the delivery rules as pure functions.

Every function takes what was learnt and `now`, and returns the changes to write. Nothing here waits, sends or stores,
and nothing elsewhere decides a job's state once it is assigned.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from dispatcher.errors import Denied, NotSent, OutcomeUnknown, Rejected, RemoteError, Throttled
from dispatcher.flow import full_jitter_s
from dispatcher.model.records import Change, SpooledJob
from dispatcher.model.state import State

REFUSALS_TO_REJECT = 3
"""how often a job is refused alone before it is believed: a server that stumbles once must not cost a good job"""
COMMIT_S = 1.0
"""how long the write before a request may take; a request whose write took longer does not go out"""
LOOK_UP_DELAY_S = 0.2
"""a closed connection says that the server is through with the request; this lets its commit become visible"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRules:
    """The numbers the moves depend on.

    Attributes:
        max_attempts: attempts after which a job is dead; refusals, 429s and unsent requests do not count.
        request_timeout_s: after a crash, how long the request that was under way may still be at work.
        unknown_grace_s: how long after a time-out the server may still carry the request out.
    """

    max_attempts: int = 12
    request_timeout_s: float = 10.0
    unknown_grace_s: float = 5.0


class Next(StrEnum):
    """What the sender does about the batch beyond writing the changes."""

    DONE = "done"
    SPLIT = "split"
    SHRINK = "shrink"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Settlement:
    """Changes to write, what the sender does next, and the keys whose place in a day route is free again."""

    changes: list[Change] = field(default_factory=list)
    then: Next = Next.DONE
    freed: list[str] = field(default_factory=list)


def start(jobs: Sequence[SpooledJob], *, now: float, rules: DeliveryRules) -> Change:
    """The write before the request goes out.

    After a crash the jobs read as unknown, and `settle_by` says from when a look-up that finds nothing is final: the
    write, the request and what the server does after its client has gone all fit in before. See `may_go`.
    """
    return Change(
        seqs=[job.seq for job in jobs],
        to=State.SENDING,
        expect=(State.ASSIGNED,),
        add_attempts=1,
        sent_at=now,
        settle_by=now + COMMIT_S + rules.request_timeout_s + rules.unknown_grace_s,
    )


def may_go(started: float, *, now: float) -> bool:
    """Whether a request may go out now, when the write of its `start` began at `started`.

    A store that was slow (or a full disk, on which the write was repeated) has used up time that `settle_by` counts on.
    """
    return now <= started + COMMIT_S


def answered(jobs: Sequence[SpooledJob], ids: Sequence[str | None], *, now: float) -> Settlement:
    """The server answered with status 0. Jobs it returned are confirmed; one it left out is looked up."""
    done = [(job.seq, remote_id) for job, remote_id in zip(jobs, ids, strict=True) if remote_id is not None]
    missing = [job.seq for job, remote_id in zip(jobs, ids, strict=True) if remote_id is None]
    changes: list[Change] = []
    if done:
        seqs, remote_ids = zip(*done, strict=True)
        changes.append(Change(seqs=seqs, to=State.CONFIRMED, expect=(State.SENDING,), remote_ids=remote_ids, error=""))
    if missing:
        changes.append(_unknown(missing, now=now, settle_by=now, error="the reply left this job out"))
    return Settlement(changes)


def failed(
    jobs: Sequence[SpooledJob], error: RemoteError, *, now: float, rules: DeliveryRules, rng: random.Random
) -> Settlement:
    """The request failed; the error's type says what may be done."""
    seqs = [job.seq for job in jobs]
    words = str(error)
    match error:
        case OutcomeUnknown():
            settle_by = now if error.server_done else now + rules.unknown_grace_s
            return Settlement([_unknown(seqs, now=now, settle_by=settle_by, error=words)])
        case Denied():
            return Settlement([_not_carried_out(seqs, next_at=0.0, error=words)], Next.STOP)
        case Throttled():
            wait_s = max(error.retry_after_s or 0.0, full_jitter_s(1, rng))
            return Settlement([_not_carried_out(seqs, next_at=now + wait_s, error=words)])
        case NotSent():
            return Settlement([_not_carried_out(seqs, next_at=now + full_jitter_s(1, rng), error=words)])
        case Rejected():
            return _refused(jobs, error, now=now, rng=rng)
        case _:
            return Settlement([_unknown(seqs, now=now, settle_by=now + rules.unknown_grace_s, error=words)])


def _refused(jobs: Sequence[SpooledJob], error: Rejected, *, now: float, rng: random.Random) -> Settlement:
    seqs = [job.seq for job in jobs]
    if len(jobs) > 1:
        then = Next.SHRINK if error.too_large else Next.SPLIT
        return Settlement([_not_carried_out(seqs, next_at=0.0, error=None)], then)
    job = jobs[0]
    words = error.remote_words
    if error.too_large or job.refusals + 1 >= REFUSALS_TO_REJECT:
        change = Change(
            seqs=seqs, to=State.REJECTED, expect=(State.SENDING,), add_refusals=1, error=words, add_attempts=-1
        )
        return Settlement([change], freed=[job.key] if job.worker else [])
    change = Change(
        seqs=seqs,
        to=State.ASSIGNED,
        expect=(State.SENDING,),
        add_attempts=-1,
        add_refusals=1,
        next_at=now + full_jitter_s(job.refusals, rng),
        error=words,
    )
    return Settlement([change])


def looked_up(
    jobs: Sequence[SpooledJob],
    found: Mapping[str, str | None],
    *,
    asked_at: float,
    now: float,
    rules: DeliveryRules,
    rng: random.Random,
) -> Settlement:
    """A look-up of unknown jobs is back.

    Args:
        jobs: the jobs that were looked up.
        found: per key that the server has with this very content, its `id`; None for one that it has with other
            content. Keys that the server does not have are absent.
        asked_at: Unix seconds before the question went out: the answer says nothing about anything later.
        now: Unix seconds.
        rules: see `DeliveryRules`.
        rng: jitter.
    """
    confirmed: list[tuple[int, str]] = []
    again: list[SpooledJob] = []
    early: list[SpooledJob] = []
    for job in jobs:
        remote_id = found.get(job.key)
        if remote_id is not None:
            confirmed.append((job.seq, remote_id))
        elif asked_at < job.settle_by:
            early.append(job)
        else:
            again.append(job)
    settlement = Settlement()
    if confirmed:
        seqs, ids = zip(*confirmed, strict=True)
        settlement.changes.append(
            Change(seqs=seqs, to=State.CONFIRMED, expect=(State.UNKNOWN,), remote_ids=ids, error="")
        )
    if early:
        wait_s = min(1.0, max(LOOK_UP_DELAY_S, max(job.settle_by for job in early) - now))
        settlement.changes.append(
            Change(seqs=[job.seq for job in early], to=State.UNKNOWN, expect=(State.UNKNOWN,), next_at=now + wait_s)
        )
    dead = [job for job in again if job.attempts >= rules.max_attempts]
    if dead:
        settlement.changes.append(
            Change(
                seqs=[job.seq for job in dead],
                to=State.DEAD,
                expect=(State.UNKNOWN,),
                error=f"given up after {rules.max_attempts} attempts; the last request did not arrive",
            )
        )
        settlement.freed.extend(job.key for job in dead if job.worker)
    by_attempts: dict[int, list[int]] = {}
    for job in again:
        if job.attempts < rules.max_attempts:
            by_attempts.setdefault(job.attempts, []).append(job.seq)
    for attempts, seqs_again in by_attempts.items():
        settlement.changes.append(
            Change(
                seqs=seqs_again,
                to=State.ASSIGNED,
                expect=(State.UNKNOWN,),
                next_at=now + full_jitter_s(attempts - 1, rng),
            )
        )
    return settlement


def look_up_failed(
    jobs: Sequence[SpooledJob], error: RemoteError, *, now: float, failures: int, rng: random.Random
) -> Change:
    """The look-up itself failed: the jobs stay unknown and are looked up later."""
    wait_s = LOOK_UP_DELAY_S + full_jitter_s(failures, rng)
    if isinstance(error, Throttled) and error.retry_after_s:
        wait_s = max(wait_s, error.retry_after_s)
    return Change(
        seqs=[job.seq for job in jobs],
        to=State.UNKNOWN,
        expect=(State.UNKNOWN,),
        next_at=now + wait_s,
        error=f"look-up failed: {error}",
    )


def _unknown(seqs: Sequence[int], *, now: float, settle_by: float, error: str) -> Change:
    return Change(
        seqs=seqs,
        to=State.UNKNOWN,
        expect=(State.SENDING,),
        next_at=now + LOOK_UP_DELAY_S,
        settle_by=settle_by,
        error=error,
    )


def _not_carried_out(seqs: Sequence[int], *, next_at: float, error: str | None) -> Change:
    return Change(seqs=seqs, to=State.ASSIGNED, expect=(State.SENDING,), add_attempts=-1, next_at=next_at, error=error)
