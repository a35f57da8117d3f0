"""What is said of a createjobs request once its outcome is known: one event for the log. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from dispatcher.errors import RemoteError
from dispatcher.model.event import Event
from dispatcher.model.records import Change
from dispatcher.model.state import State
from dispatcher.pipeline.batches import Batch
from dispatcher.pipeline.turn import outcome_of

_NAMES = {
    State.CONFIRMED: "confirmed",
    State.REJECTED: "rejected",
    State.DEAD: "dead",
    State.UNKNOWN: "unknown",
    State.ASSIGNED: "retried",
}


def batch_sent(
    account: str,
    batch: Batch,
    changes: Iterable[Change],
    error: RemoteError | None,
    *,
    job_bytes: int,
    seconds: float,
    waited_s: float,
) -> Event:
    """The event of a request that has ended.

    Args:
        account: its name.
        batch: what went out.
        changes: what becomes of its jobs.
        error: how it failed, None when it did not.
        job_bytes: size of the jobs' bodies.
        seconds: from the request's start to the end of its reply.
        waited_s: what it waited before, for limits, concurrency and pauses.
    """
    became = dict.fromkeys(_NAMES.values(), 0)
    for change in changes:
        became[_NAMES[change.to]] += len(change.seqs)
    first, last = batch.jobs[0], batch.jobs[-1]
    return Event(
        "batch sent",
        account=account,
        jobs=len(batch.jobs),
        bytes=job_bytes,
        first=first.key,
        last=last.key,
        attempt=1 + max(job.attempts for job in batch.jobs),
        autoassign=batch.lane.autoassign,
        send_route_change=batch.lane.send_route_change,
        is_template=batch.lane.is_template,
        outcome=outcome_of(error),
        http_status=200 if error is None else error.http_status,
        seconds=round(seconds, 6),
        waited_s=round(waited_s, 6),
        **became,
        error=None if error is None else str(error),
    )
