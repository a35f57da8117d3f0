"""What the log says of a request: its outcome in the gate's words, and what became of each job."""

from __future__ import annotations

import random
from typing import Any

import pytest

from dispatcher.errors import Denied, NotSent, OutcomeUnknown, Rejected, RemoteError, Throttled
from dispatcher.model.state import State
from dispatcher.pipeline.batches import Batch, Lane
from dispatcher.pipeline.moves import DeliveryRules, answered, failed
from dispatcher.pipeline.sent import batch_sent
from tests.unit.pipeline.jobs import spooled

BATCH = Batch(
    Lane(autoassign=True, send_route_change=False, is_template=False),
    (spooled(1, key="A"), spooled(2, key="B", attempts=2), spooled(3, key="C")),
)


def fields(error: RemoteError | None, *ids: str | None, jobs: Batch = BATCH) -> dict[str, Any]:
    if error is None:
        settlement = answered(jobs.jobs, ids, now=0.0)
    else:
        settlement = failed(jobs.jobs, error, now=0.0, rules=DeliveryRules(), rng=random.Random(1))
    event = batch_sent("acme", jobs, settlement.changes, error, job_bytes=300, seconds=0.25, waited_s=1.5)
    assert event.name == "batch sent"
    return event.fields


def counts(said: dict[str, Any]) -> dict[str, int]:
    return {name: said[name] for name in ("confirmed", "rejected", "dead", "unknown", "retried") if said[name]}


def test_a_request_that_passed_says_what_it_carried_and_how_long_it_took() -> None:
    said = fields(None, "1", None, "3")
    assert counts(said) == {"confirmed": 2, "unknown": 1}
    assert (said["account"], said["jobs"], said["bytes"], said["first"], said["last"]) == ("acme", 3, 300, "A", "C")
    assert (said["outcome"], said["http_status"], said["error"]) == ("ok", 200, None)
    assert (said["attempt"], said["autoassign"], said["seconds"], said["waited_s"]) == (3, True, 0.25, 1.5)


@pytest.mark.parametrize(
    ("error", "outcome", "became"),
    [
        (NotSent("no connection"), "not_sent", "retried"),
        (Throttled("slow down", http_status=429, retry_after_s=3), "throttled", "retried"),
        (OutcomeUnknown("time-out", backpressure=True, server_done=False), "backpressure", "unknown"),
        (OutcomeUnknown("cut", http_status=502), "failed", "unknown"),
        (Denied("no", http_status=401), "denied", "retried"),
        (Rejected("bad", http_status=400), "refused", "retried"),
    ],
)
def test_a_request_that_failed_says_how_and_what_becomes_of_its_jobs(
    error: RemoteError, outcome: str, became: str
) -> None:
    said = fields(error)
    assert counts(said) == {became: 3}
    assert (said["outcome"], said["http_status"], said["error"]) == (outcome, error.http_status, str(error))


def test_a_job_that_is_refused_for_good_counts_as_rejected() -> None:
    alone = Batch(BATCH.lane, (spooled(9, key="BAD", refusals=2),))
    said = fields(Rejected("bad", http_status=400, remote_words="no such day"), jobs=alone)
    assert counts(said) == {State.REJECTED.value: 1}
