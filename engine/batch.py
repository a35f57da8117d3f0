"""A batch of jobs: whose key is known leaves, who names a member enters, then the others are decided in their order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.book import Book
from engine.clock import day_ordinal
from engine.deadline import Deadline
from engine.decision import MEMBER_REASONS, Decision, Reason
from engine.fit import REASONS
from engine.job import Job
from engine.registry import Entry
from engine.regret import take_by_regret
from engine.route import figures
from engine.scan import count_reasons
from engine.search import decide
from engine.state import FOUND, Ints, Records, Words


def decide_batch(book: Book, jobs: Sequence[Job], *, reasons: bool) -> list[Decision]:
    """Decide jobs that have been read, in input order."""
    for key in {job.key for job in jobs if job.key is not None}:
        book.drop_key(key)
    return _Batch(book, jobs).run(reasons=reasons)


class _Batch:
    def __init__(self, book: Book, jobs: Sequence[Job]) -> None:
        self.book = book
        self.jobs = jobs
        self.handle = book.registry.new_handles(len(jobs))
        self.records, self.needs, self.excluded = book.columns(jobs, self.handle)
        self.found = np.zeros(len(jobs), dtype=FOUND)
        self.seen: set[str] = set()
        self.deadline = Deadline(book.settings.regret_s)

    def run(self, *, reasons: bool) -> list[Decision]:
        jobs = self.jobs
        named = [i for i, job in enumerate(jobs) if job.member is not None]
        others = sorted((i for i, job in enumerate(jobs) if job.member is None), key=lambda i: -jobs[i].priority)
        decisions: dict[int, Decision] = {}
        if named:
            self._enter(named)
            decisions = {i: self.figures(i) for i in named}
        size = (len(jobs), REASONS) if reasons and others else (0, REASONS)
        self.counts, self.first = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
        run: list[int] = []
        for i in others:
            key = jobs[i].key
            if key is not None:
                if key in self.seen:
                    self._search(run)
                    run = []
                    self.book.drop_key(key)
                self.seen.add(key)
            run.append(i)
        self._search(run)
        for i, best in zip(others, self.found[others].tolist(), strict=True):
            decisions[i] = self._decision(i, best)
        return [decisions[i] for i in range(len(jobs))]

    def _enter(self, named: list[int]) -> None:
        """Jobs that name their member go into the routes; a later version of a key takes the place of an earlier one."""
        book = self.book
        waiting: list[int] = []
        slots: list[int] = []
        for i in named:
            job = self.jobs[i]
            if job.key is not None:
                if job.key in self.seen:
                    book.days.enter(self.records[waiting], slots, behind_floor=True)
                    waiting, slots = [], []
                    book.drop_key(job.key)
                self.seen.add(job.key)
            member = book.named_member(job)
            if member is None:
                continue
            today = int(book.days.today[member])
            day = today if job.day == 0 else day_ordinal(job.day)
            if day is not None and day >= today:
                waiting.append(i)
                slots.append(book.days.slot(day, member))
                book.registry.add(self.handle + i, Entry(job.key, None, day, member))
        book.days.enter(self.records[waiting], slots, behind_floor=True)

    def figures(self, index: int) -> Decision:
        """The decision of a job that named its member, read off the routes."""
        return read_off(self.book, index, self.jobs[index], self.handle + index)

    def _search(self, run: list[int]) -> None:
        """Decide the jobs `run` one after the other and note where they went."""
        if not run:
            return
        book, found = self.book, self.found
        order = np.array(run, dtype=np.int64)
        run_search(book, self.records, order, self.needs, self.excluded, found, self.counts, self.first)
        day_of = {row: day for day, row in book.days.rows.items()}
        for i, (*_, member, row, _, _) in zip(run, found[run].tolist(), strict=True):
            if member >= 0:
                book.registry.add(self.handle + i, Entry(self.jobs[i].key, None, day_of[row], member))

    def _by_regret(self, order: Ints) -> Ints:
        """Decide the jobs of each priority by regret; returns those for which there was no time."""
        book = self.book
        priorities = np.array([self.jobs[i].priority for i in order.tolist()], dtype=np.int64)
        for priority in np.unique(priorities)[::-1]:
            left = take_by_regret(
                book.days, len(book.members), self.records, order[priorities == priority], self.needs, self.excluded,
                book.settings.policy == "least_detour", *book.caps(), self.found, self.counts, self.first, self.deadline,
            )  # fmt: skip
            if len(left):
                return np.concatenate([left, order[priorities < priority]])
        return order[:0]

    def _decision(self, index: int, best: tuple[Any, ...]) -> Decision:
        distance, added, start, member, _, position, _ = best
        job = self.jobs[index]
        if member >= 0:
            worker = self.book.members[member].username
            return Decision(index, job.key, worker, distance, added, position, start)
        why = None
        if len(self.counts):
            why = overall_reason(self.book, job) or reasons_by_code(self.book, self.counts[index], self.first[index])
        return Decision(index, job.key, None, None, None, None, None, reasons=why)


def run_search(
    book: Book,
    records: Records,
    order: Ints,
    needs: Words,
    excluded: Words,
    found: Records,
    counts: Ints,
    first: Ints,
) -> None:
    """Decide the records `order` one after the other; the answers go to `found`, and to `counts` and `first` when they have rows."""
    if not book.members:
        found["member"][order] = -1
        return
    days = book.days
    rows = days.today_rows()
    days.ready()
    detour = book.settings.policy == "least_detour"
    done = 0
    while True:
        done = decide(
            days.state, len(book.members), rows, records, order, done, needs, excluded, detour, *book.caps(),
            found, counts, first,
        )  # fmt: skip
        if done == len(order):
            return
        days.grow_pool()


def read_off(book: Book, index: int, job: Job, handle: int) -> Decision:
    """The decision of a job that is a stop by order of its caller; nulls when it is none."""
    member = book.named_member(job)
    worker = job.member if member is None else book.members[member].username or job.member
    if handle not in book.registry:
        return Decision(index, job.key, worker, None, None, None, None, preassigned=True)
    entry = book.registry[handle]
    slot = book.days.slot(entry.day, entry.member)
    position, start, added, distance = figures(book.days.state.slots, book.days.state.stops, slot, handle)
    metres = None if math.isnan(distance) else float(distance)
    return Decision(index, job.key, worker, metres, float(added), int(position), float(start), preassigned=True)


def why_nobody(book: Book, job: Job) -> dict[str, Reason]:
    """Reasons of the members who cannot take a job, on the routes as they stand without it."""
    overall = overall_reason(book, job)
    if overall is not None:
        return overall
    records, needs, excluded = book.columns([job], 0)
    rows = book.days.today_rows()
    counts, first = np.zeros(REASONS, dtype=np.int64), np.zeros(REASONS, dtype=np.int64)
    count_reasons(
        book.days.state, len(book.members), rows, records, 0, needs, excluded, *book.caps(), counts, first
    )  # fmt: skip
    return reasons_by_code(book, counts, first)


def overall_reason(book: Book, job: Job) -> dict[str, Reason] | None:
    """The reason that concerns the job as a whole, None when its members must be asked."""
    if not book.members:
        return {"no_members": Reason(0, None)}
    if math.isnan(job.lat):
        return {"bad_coordinates": Reason(len(book.members), book.members[0].name)}
    return None


def reasons_by_code(book: Book, counts: Ints, first: Ints) -> dict[str, Reason]:
    """The codes that were counted."""
    return {
        code: Reason(count, book.members[member].name)
        for code, count, member in zip(MEMBER_REASONS, counts.tolist(), first.tolist(), strict=True)
        if count
    }
