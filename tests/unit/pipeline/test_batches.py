"""Which jobs share a request."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.model.records import IS_TEMPLATE, SEND_ROUTE_CHANGE, SpooledJob
from dispatcher.pipeline.batches import Batch, Outbox
from tests.unit.pipeline.jobs import spooled


def outbox(jobs: list[SpooledJob], *, max_jobs: int = 3, max_bytes: int = 1 << 20) -> Outbox:
    box = Outbox(max_jobs=max_jobs, max_bytes=max_bytes)
    box.put(jobs)
    return box


def all_batches(box: Outbox) -> list[Batch]:
    batches = []
    while box.ready(partial=True):
        batches.append(box.take())
    return batches


def test_a_job_with_a_worker_never_rides_in_an_autoassign_request() -> None:
    jobs = [spooled(1, autoassign=True), spooled(2, autoassign=True, worker="ann"), spooled(3, worker="bob")]
    batches = all_batches(outbox(jobs))
    assert [(b.lane.autoassign, b.seqs) for b in batches] == [(True, [1]), (False, [2, 3])]


def test_jobs_that_differ_in_a_switch_travel_apart() -> None:
    jobs = [spooled(1), spooled(2, switches=SEND_ROUTE_CHANGE), spooled(3, switches=IS_TEMPLATE), spooled(4)]
    assert sorted(b.seqs for b in all_batches(outbox(jobs))) == [[1, 4], [2], [3]]


def test_a_request_is_full_at_the_limit_of_jobs_and_keeps_their_order() -> None:
    batches = all_batches(outbox([spooled(n) for n in range(7)]))
    assert [b.seqs for b in batches] == [[0, 1, 2], [3, 4, 5], [6]]


def test_a_request_stays_below_the_limit_of_bytes() -> None:
    jobs = [spooled(n, body=b"x" * 400) for n in range(4)]
    batches = all_batches(outbox(jobs, max_jobs=10, max_bytes=1100))
    assert [b.seqs for b in batches] == [[0, 1], [2, 3]]


def test_a_job_larger_than_the_limit_of_bytes_goes_alone() -> None:
    batches = all_batches(outbox([spooled(1, body=b"x" * 5000), spooled(2)], max_bytes=1000))
    assert [b.seqs for b in batches] == [[1], [2]]


def test_a_partial_request_waits_while_more_jobs_are_coming() -> None:
    box = outbox([spooled(1), spooled(2)])
    assert not box.ready(partial=False)
    box.put([spooled(3)])
    assert box.ready(partial=False)


def test_the_halves_of_a_refused_batch_stay_together_and_apart_from_others() -> None:
    box = outbox([spooled(n) for n in range(1, 4)])
    box.split(box.take())
    box.put([spooled(n) for n in (1, 2, 3, 9)])
    assert sorted(b.seqs for b in all_batches(box)) == [[1, 2], [3], [9]]


def test_halving_ends_with_the_bad_job_alone() -> None:
    """A batch of 200 with one bad job needs no more than 2 log2(200) + 1 refusals and passes."""
    box = outbox([spooled(n) for n in range(200)], max_jobs=200)
    requests = 0
    passed: set[int] = set()
    while box.ready(partial=True):
        batch = box.take()
        requests += 1
        if 77 not in batch.seqs:
            passed.update(batch.seqs)
            box.forget(batch)
        elif len(batch.jobs) > 1:
            box.split(batch)
            box.put(batch.jobs)
    assert passed == set(range(200)) - {77}
    assert requests <= 2 * 8 + 1


def test_a_job_that_was_refused_alone_goes_alone_again() -> None:
    batches = all_batches(outbox([spooled(1), spooled(2, refusals=1), spooled(3)]))
    assert sorted(b.seqs for b in batches) == [[1, 3], [2]]


def test_a_request_that_was_too_large_makes_all_later_ones_smaller() -> None:
    box = outbox([spooled(n) for n in range(8)], max_jobs=8)
    box.shrink(box.take())
    box.put([spooled(n) for n in range(8)])
    assert [len(b.jobs) for b in all_batches(box)] == [4, 4]


def test_retries_wait_for_their_budget_while_first_sends_go_on() -> None:
    box = outbox([spooled(1, attempts=2), spooled(2)])
    assert box.take(retries=False).seqs == [2]
    assert not box.ready(partial=True, retries=False)
    assert box.take(retries=True).seqs == [1]


def test_drain_gives_everything_back() -> None:
    box = outbox([spooled(n, worker="ann" if n % 2 else None) for n in range(5)])
    assert sorted(job.seq for job in box.drain()) == [0, 1, 2, 3, 4]
    assert box.waiting == 0


@given(
    jobs=st.lists(
        st.builds(
            dict,
            worker=st.sampled_from([None, "ann"]),
            autoassign=st.booleans(),
            switches=st.integers(0, 7),
            attempts=st.integers(0, 2),
            refusals=st.integers(0, 1),
        ),
        max_size=60,
    ),
    max_jobs=st.integers(1, 7),
)
def test_every_job_leaves_once_in_a_request_that_suits_it(jobs: list[dict[str, int]], max_jobs: int) -> None:
    """Nothing is lost or doubled, no request is over-full, and no request mixes what must not be mixed."""
    batches = all_batches(outbox([spooled(seq, **fields) for seq, fields in enumerate(jobs)], max_jobs=max_jobs))
    assert sorted(seq for b in batches for seq in b.seqs) == list(range(len(jobs)))
    for batch in batches:
        assert 1 <= len(batch.jobs) <= max_jobs
        assert not any(job.worker for job in batch.jobs if batch.lane.autoassign)
        assert len({bool(job.switches & SEND_ROUTE_CHANGE) for job in batch.jobs}) == 1
        assert len({bool(job.switches & IS_TEMPLATE) for job in batch.jobs}) == 1
