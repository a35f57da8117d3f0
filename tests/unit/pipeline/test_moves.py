"""The delivery rules: what is learnt of a request decides the next state of each of its jobs."""

from __future__ import annotations

import random

import pytest

from dispatcher.errors import Denied, NotSent, OutcomeUnknown, Rejected, RemoteError, Throttled
from dispatcher.model.records import Change
from dispatcher.model.state import MOVES, State
from dispatcher.pipeline.moves import (
    COMMIT_S,
    REFUSALS_TO_REJECT,
    DeliveryRules,
    Next,
    Settlement,
    answered,
    failed,
    look_up_failed,
    looked_up,
    may_go,
    start,
)
from tests.unit.pipeline.jobs import spooled

RULES = DeliveryRules(max_attempts=3, request_timeout_s=10.0, unknown_grace_s=5.0)
NOW = 1000.0
PAIR = [spooled(1), spooled(2)]


def fail(error: RemoteError, jobs: list | None = None) -> Settlement:  # type: ignore[type-arg]
    return failed(jobs or PAIR, error, now=NOW, rules=RULES, rng=random.Random(1))


def only(settlement: Settlement) -> Change:
    assert len(settlement.changes) == 1
    return settlement.changes[0]


def test_the_attempt_is_written_before_the_request_with_the_time_it_may_still_be_at_work() -> None:
    change = start(PAIR, now=NOW, rules=RULES)
    assert (change.to, change.expect, list(change.seqs)) == (State.SENDING, (State.ASSIGNED,), [1, 2])
    assert (change.sent_at, change.settle_by, change.add_attempts) == (NOW, NOW + 10.0 + 5.0 + COMMIT_S, 1)


def test_a_request_whose_write_took_too_long_does_not_go_out() -> None:
    """After a crash, a look-up must not become final while the server may still be at work."""
    assert may_go(NOW, now=NOW + COMMIT_S)
    assert not may_go(NOW, now=NOW + COMMIT_S + 0.001)


def test_jobs_in_the_answer_are_confirmed_with_their_id() -> None:
    change = only(answered(PAIR, ["a", "b"], now=NOW))
    assert (change.to, list(change.seqs), list(change.remote_ids or ())) == (State.CONFIRMED, [1, 2], ["a", "b"])


def test_a_job_that_the_answer_left_out_is_looked_up() -> None:
    confirmed, unknown = answered(PAIR, ["a", None], now=NOW).changes
    assert list(confirmed.seqs) == [1]
    assert (unknown.to, list(unknown.seqs), unknown.settle_by) == (State.UNKNOWN, [2], NOW)


@pytest.mark.parametrize(("server_done", "final_in_s"), [(True, 0.0), (False, 5.0)])
def test_a_look_up_is_final_at_once_only_when_the_server_is_done(*, server_done: bool, final_in_s: float) -> None:
    change = only(fail(OutcomeUnknown("gone", server_done=server_done)))
    assert (change.to, change.settle_by) == (State.UNKNOWN, NOW + final_in_s)


def test_a_request_that_did_not_leave_costs_no_attempt() -> None:
    change = only(fail(NotSent("refused")))
    assert (change.to, change.add_attempts) == (State.ASSIGNED, -1)


def test_retry_after_is_a_floor() -> None:
    change = only(fail(Throttled("slow down", retry_after_s=7.0)))
    assert (change.to, change.add_attempts) == (State.ASSIGNED, -1)
    assert change.next_at >= NOW + 7.0


def test_denied_changes_no_job_and_stops_sending() -> None:
    settlement = fail(Denied("401"))
    assert (only(settlement).to, settlement.then) == (State.ASSIGNED, Next.STOP)


def test_a_refused_batch_is_halved() -> None:
    settlement = fail(Rejected("status 1"))
    assert (only(settlement).to, settlement.then) == (State.ASSIGNED, Next.SPLIT)


def test_a_request_that_is_too_large_shrinks_all_later_ones() -> None:
    assert fail(Rejected("413", too_large=True)).then is Next.SHRINK


def test_a_job_refused_alone_is_believed_to_be_bad_only_after_several_refusals() -> None:
    early = only(fail(Rejected("no", remote_words="bad priority"), [spooled(1, refusals=0)]))
    assert (early.to, early.add_refusals) == (State.ASSIGNED, 1)
    last = fail(
        Rejected("no", remote_words="bad priority"), [spooled(1, worker="ann", refusals=REFUSALS_TO_REJECT - 1)]
    )
    assert (only(last).to, only(last).error) == (State.REJECTED, "bad priority")
    assert last.freed == ["K-1"]


def test_a_single_job_that_is_too_large_is_rejected() -> None:
    assert only(fail(Rejected("413", too_large=True), [spooled(1)])).to is State.REJECTED


def look(found: dict[str, str | None], **fields: float) -> list[Change]:
    job = spooled(1, state=State.UNKNOWN, **fields)
    return looked_up([job], found, asked_at=NOW, now=NOW, rules=RULES, rng=random.Random(1)).changes


def test_a_job_that_is_found_is_confirmed() -> None:
    (change,) = look({"K-1": "id1"})
    assert (change.to, list(change.remote_ids or ())) == (State.CONFIRMED, ["id1"])


def test_a_job_that_is_not_there_yet_is_looked_up_again_while_the_server_may_be_at_work() -> None:
    (change,) = look({}, settle_by=NOW + 3.0, attempts=1)
    assert change.to is State.UNKNOWN
    assert NOW < change.next_at <= NOW + 1.0


def test_an_answer_says_nothing_about_what_came_after_the_question() -> None:
    """Asked while the server might be at work, answered when it might not: the job may have arrived in between."""
    job = spooled(1, state=State.UNKNOWN, settle_by=NOW, attempts=1)
    settlement = looked_up([job], {}, asked_at=NOW - 0.1, now=NOW + 0.1, rules=RULES, rng=random.Random(1))
    assert only(settlement).to is State.UNKNOWN


def test_a_job_that_is_finally_not_there_is_sent_again() -> None:
    (change,) = look({}, settle_by=NOW, attempts=1)
    assert change.to is State.ASSIGNED


def test_an_older_content_at_the_server_means_sending_again() -> None:
    (change,) = look({"K-1": None}, settle_by=NOW, attempts=1)
    assert change.to is State.ASSIGNED


def test_retries_end_in_dead_never_in_silence() -> None:
    job = spooled(1, attempts=3, worker="ann")
    settlement = looked_up([job], {}, asked_at=NOW, now=NOW, rules=RULES, rng=random.Random(1))
    assert only(settlement).to is State.DEAD
    assert settlement.freed == ["K-1"]


def test_a_failed_look_up_decides_nothing() -> None:
    change = look_up_failed(PAIR, NotSent("refused"), now=NOW, failures=3, rng=random.Random(1))
    assert (change.to, change.expect) == (State.UNKNOWN, (State.UNKNOWN,))
    assert change.next_at > NOW


@pytest.mark.parametrize(
    "error",
    [
        NotSent("a"),
        OutcomeUnknown("b"),
        OutcomeUnknown("c", server_done=False, backpressure=True),
        Throttled("d"),
        Rejected("e"),
        Rejected("f", too_large=True),
        Denied("g"),
        RemoteError("h"),
    ],
)
@pytest.mark.parametrize("size", [1, 2])
def test_every_failure_leaves_every_job_in_an_allowed_state(error: RemoteError, size: int) -> None:
    jobs = PAIR[:size]
    settlement = fail(error, jobs)
    assert sorted(seq for change in settlement.changes for seq in change.seqs) == [job.seq for job in jobs]
    for change in settlement.changes:
        assert all(change.to in MOVES[before] for before in change.expect)
