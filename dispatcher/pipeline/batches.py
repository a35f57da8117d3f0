"""Which jobs may share one request, and how requests are cut. Pure.

`autoassign`, `sendRouteChange` and `isTemplate` are switches of the whole request, so jobs that differ in them never
share one, and a job with a worker never rides in an `autoassign` request. A refused batch comes back in halves: the
jobs of one half stay together and away from all others until the bad one is alone.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Container, Iterable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from dispatcher.model.records import IS_TEMPLATE, SEND_ROUTE_CHANGE, SpooledJob

ENVELOPE_BYTES = 128
"""room for the request around the jobs: `{"data":{"jobs":[...],"autoassign":true,...}}`"""
WORKER_BYTES = 32
"""room for `"worker":"..."` added to a body, beyond the name itself"""


class Lane(NamedTuple):
    """What the jobs of a request have in common.

    Attributes:
        autoassign, send_route_change, is_template: the request's switches.
        group: half of a refused batch that its jobs must stay in, 0 for none.
        retry: they were sent before; retries draw from a budget.
    """

    autoassign: bool
    send_route_change: bool
    is_template: bool
    group: int = 0
    retry: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Jobs for one request, with its switches."""

    lane: Lane
    jobs: tuple[SpooledJob, ...]

    @property
    def seqs(self) -> list[int]:
        return [job.seq for job in self.jobs]

    def without(self, seqs: Container[int]) -> Batch:
        """The batch without the jobs of these rows."""
        return Batch(self.lane, tuple(job for job in self.jobs if job.seq not in seqs))


def lane_of(job: SpooledJob, group: int = 0) -> Lane:
    """The lane a decided job travels in. A worker always wins over a wish for `autoassign`."""
    autoassign = job.autoassign and not job.worker
    if group:
        return _lane(autoassign, job.switches)._replace(group=group)
    return _lane(autoassign, job.switches, retry=job.attempts > 0)


@cache
def _lane(autoassign: bool, switches: int, *, retry: bool = False) -> Lane:
    """Made once for each of the few that there are: this is asked for every job."""
    return Lane(
        autoassign=autoassign,
        send_route_change=bool(switches & SEND_ROUTE_CHANGE),
        is_template=bool(switches & IS_TEMPLATE),
        retry=retry,
    )


class Outbox:
    """Claimed jobs that wait for a request, by lane; lanes take turns, oldest first.

    Bounded by whoever fills it: `waiting` says how many jobs it holds.
    """

    def __init__(self, *, max_jobs: int, max_bytes: int) -> None:
        self.max_jobs = max_jobs
        self.max_bytes = max_bytes
        self.waiting = 0
        self._lanes: OrderedDict[Lane, deque[SpooledJob]] = OrderedDict()
        self._groups: dict[int, int] = {}
        self._next_group = 1

    def __repr__(self) -> str:
        lanes = ", ".join(f"{lane}: {len(jobs)}" for lane, jobs in self._lanes.items())
        return f"<Outbox {self.waiting} waiting, max {self.max_jobs} a request, lanes {{{lanes}}}>"

    def put(self, jobs: Iterable[SpooledJob]) -> None:
        """Add claimed jobs. One that the server refused alone before goes alone again."""
        for job in jobs:
            group = self._groups.get(job.seq, 0)
            if job.refusals and not group:
                group = self._new_group([job])
            lane = lane_of(job, group)
            waiting = self._lanes.get(lane)
            if waiting is None:
                waiting = self._lanes[lane] = deque()
            waiting.append(job)
            self.waiting += 1

    def ready(self, *, partial: bool, retries: bool = True) -> bool:
        """Whether there is a request to send.

        Args:
            partial: whether one that is not full may go.
            retries: whether retries may go.
        """
        return any(
            partial or lane.group or len(jobs) >= self.max_jobs
            for lane, jobs in self._lanes.items()
            if retries or not lane.retry
        )

    def take(self, *, retries: bool = True) -> Batch:
        """Cut the next request: halves of refused batches first, then full ones, then the lane that waited longest.

        `ready(partial=True, retries=retries)` must hold.
        """
        lane = self._pick(retries=retries)
        jobs = self._lanes[lane]
        size = ENVELOPE_BYTES
        cut: list[SpooledJob] = []
        while jobs and len(cut) < self.max_jobs:
            job = jobs[0]
            size += len(job.body) + WORKER_BYTES + len(job.worker or "") + 1
            if cut and size > self.max_bytes:
                break
            cut.append(jobs.popleft())
        self.waiting -= len(cut)
        if jobs:
            self._lanes.move_to_end(lane)
        else:
            del self._lanes[lane]
        return Batch(lane, tuple(cut))

    def drain(self) -> list[SpooledJob]:
        """Take everything out, to give it back to the spool."""
        jobs = [job for lane in self._lanes.values() for job in lane]
        self._lanes.clear()
        self.waiting = 0
        return jobs

    def split(self, batch: Batch) -> None:
        """Remember the halves of a refused batch: when its jobs come back, each half travels for itself."""
        self.forget(batch)
        middle = (len(batch.jobs) + 1) // 2
        for half in (batch.jobs[:middle], batch.jobs[middle:]):
            if half:
                self._new_group(half)

    def forget(self, batch: Batch) -> None:
        """The batch passed or its jobs are settled: they belong to no group any more."""
        for job in batch.jobs:
            self._groups.pop(job.seq, None)

    def shrink(self, batch: Batch) -> None:
        """413: requests of this size are too large, for good."""
        self.max_jobs = max(1, min(self.max_jobs, len(batch.jobs) // 2))

    def _new_group(self, jobs: Iterable[SpooledJob]) -> int:
        group = self._next_group
        self._next_group += 1
        for job in jobs:
            self._groups[job.seq] = group
        return group

    def _pick(self, *, retries: bool) -> Lane:
        allowed = [lane for lane in self._lanes if retries or not lane.retry]
        for lane in allowed:
            if lane.group:
                return lane
        full = (lane for lane in allowed if len(self._lanes[lane]) >= self.max_jobs)
        return next(full, allowed[0])
