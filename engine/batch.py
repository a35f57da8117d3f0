"""A batch of jobs: whose key is known leaves, who names a member enters, then the others are decided in their order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from engine.book import Book
from engine.clock import day_ordinal
from engine.deadline import Deadline
from engine.decision import MEMBER_REASONS, Decision, Reason
from engine.fit import REASONS
from engine.job import Job
from engine.registry import Entry
from engine.route import figures
from engine.scan import count_reasons
from engine.search import decide
from engine.state import FOUND, Ints, Records, Words

_ORDER_OF_ONE: Final = np.zeros(1, dtype=np.int64)
_NO_REASONS: Final = np.zeros((0, REASONS), dtype=np.int64)


def decide_batch(book: Book, jobs: Sequence[Job], *, reasons: bool) -> list[Decision]:
    """Decide jobs that have been read, in input order."""
    for key in {job.key for job in jobs if job.key is not None}:
        book.drop_key(key)
    if len(jobs) == 1 and jobs[0].member is None and not reasons and book.settings.improve_s <= 0:
        return [_decide_one(book, jobs[0])]
    return _Batch(book, jobs).run(reasons=reasons)


def _decide_one(book: Book, job: Job) -> Decision:
    """A batch of one, without what only longer ones need."""
    handle = book.registry.new_handles(1)
    records, needs, excluded = book.columns((job,), handle)
    found = np.zeros(1, dtype=FOUND)
    run_search(book, records, _ORDER_OF_ONE, _ORDER_OF_ONE, needs, excluded, found, _NO_REASONS, _NO_REASONS)
    distance, added, start, member, row, position, _ = found[0].item()
    if member < 0:
        return Decision(0, job.key, None, None, None, None, None)
    book.registry.add(handle, Entry(job.key, None, book.days.day_of[row], member))
    return Decision(0, job.key, book.members[member].username, distance, added, position, start)


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
        if self.book.settings.improve_s > 0:
            self._improve(others)
        for i, best in zip(others, self.found[others].tolist(), strict=True):
            decisions[i] = self._decision(i, best)
        return [decisions[i] for i in range(len(jobs))]

    def _enter(self, named: list[int]) -> None:
        """Jobs that name their member go into the routes; a later version of a key replaces an earlier one."""
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
        self._decide(np.array(run, dtype=np.int64))
        self._note(run)

    def _note(self, run: list[int]) -> None:
        """Enter into the registry where jobs went."""
        day_of = self.book.days.day_of
        for i, (*_, member, row, _, _) in zip(run, self.found[run].tolist(), strict=True):
            if member >= 0:
                self.book.registry.add(self.handle + i, Entry(self.jobs[i].key, None, day_of[row], member))

    def _improve(self, others: list[int]) -> None:
        """Improve the routes; of several versions of a key only the last one is still there."""
        from engine.improve import improve  # noqa: PLC0415 - loads scikit-learn, and most batches do without

        book, settings, jobs = self.book, self.book.settings, self.jobs
        last = {jobs[i].key: i for i in others}
        standing = [i for i in others if jobs[i].key is None or last[jobs[i].key] == i]
        taken = np.array([i for i in standing if self.handle + i in book.registry], dtype=np.int64)
        free = np.array([i for i in taken.tolist() if not jobs[i].accepted and not jobs[i].checked_in], dtype=np.int64)
        absent = np.array([i for i in standing if self.found[i]["member"] < 0], dtype=np.int64)
        improve(
            book.days, self.records, self.needs, self.excluded, book.caps(), self.found, free, absent, taken,
            search=self._decide, seed=settings.seed, deadline=Deadline(settings.improve_s),
        )  # fmt: skip
        for i in free.tolist():
            book.registry.drop(self.handle + i)
        self._note([*free.tolist(), *absent.tolist()])

    def _decide(self, order: Ints) -> None:
        """Decide jobs on the routes as they stand."""
        if len(self.counts):
            self.counts[order] = self.first[order] = 0
        priorities = np.array([self.jobs[i].priority for i in order.tolist()], dtype=np.int64)
        run_search(
            self.book, self.records, order, priorities, self.needs, self.excluded, self.found, self.counts, self.first,
            self.deadline,
        )  # fmt: skip

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


def run_search(  # noqa: PLR0917 - it hands them on to kernels
    book: Book,
    records: Records,
    order: Ints,
    priorities: Ints,
    needs: Words,
    excluded: Words,
    found: Records,
    counts: Ints,
    first: Ints,
    deadline: Deadline | None = None,
) -> None:
    """Decide the records `order` (`priorities`: theirs, falling) one by one, or by regret if the settings say so.

    The answers go to `found`, and to `counts` and `first` when they have rows.
    """
    if not book.members:
        found["member"][order] = -1
        return
    days = book.days
    rows = days.today_rows()
    days.ready()
    detour = book.settings.policy == "least_detour"
    if book.settings.order == "regret":
        from engine.regret import take_all_by_regret  # noqa: PLC0415 - more kernels, which most batches do without

        order = take_all_by_regret(
            days, len(book.members), records, order, priorities, needs, excluded, detour, *book.caps(),
            found, counts, first, deadline or Deadline(book.settings.regret_s),
        )  # fmt: skip
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
