"""Changes by people while the day runs: a stop is moved, a job is taken away from its member."""

from __future__ import annotations

import math

from engine.batch import read_off
from engine.book import Book
from engine.clock import day_number, day_ordinal
from engine.decision import Decision
from engine.errors import EngineError
from engine.job import Job
from engine.records import stop_record
from engine.registry import Entry


def move_stop(book: Book, key: str, member: int, worker: str, *, day: int | None, position: int | None) -> Decision:
    """Take a stop out of its route and put it into another (see `Engine.move`)."""
    handles = book.registry.of_name(key)
    if not handles:
        raise EngineError(f"{key!r} is no stop", field="key")
    entry = book.registry[handles[0]]
    today = int(book.days.today[member])
    target = entry.day if day is None else today if day == 0 else day_ordinal(day)
    if target is None or target < today:
        raise EngineError(f"{day} is no day to come for {worker}", field="day")
    record = stop_record(book.days.stop(entry.day, entry.member, handles[0]))
    for handle in handles:
        book.drop(handle)
    handle = book.registry.new_handles(1)
    record["handle"] = handle
    book.registry.add(handle, Entry(entry.key, entry.uid, target, member))
    book.days.enter(record, [book.days.slot(target, member)], behind_floor=True, position=position)
    return read_off(book, 0, named_job(entry.key, worker, day_number(target)), handle)


def without_holder(book: Book, job: Job) -> Job:
    """The job, open to everybody but those who hold its stop or whom it names."""
    holders = {book.registry[handle].member for handle in (book.registry.of_key(job.key) if job.key else ())}
    named = book.named_member(job)
    if named is not None:
        holders.add(named)
    names = [book.members[i].username or book.members[i].name for i in sorted(holders)]
    return job._replace(member=None, excluded=(*job.excluded, *names))


def named_job(key: str | None, worker: str, day: int) -> Job:
    """A job of which only the name of its member matters."""
    return Job(
        key=key, uid=None, member=worker, by_uid=False, day=day, lat=math.nan, lng=math.nan,
        opens_s=0.0, closes_s=math.inf, on_site_s=0.0, drop=0.0, pick=0.0, priority=0,
        number=0.0, scheduled=0.0, created=0.0, team=0, skills=(), excluded=(),
        checked_in=False,
    )  # fmt: skip
