"""What the sandbox has created, in flat columns: one row per job, the job's own fields as JSON text without braces.

A million jobs fit in some hundred megabytes: only what the caller sent is stored, full objects are made when read.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from dispatcher.model.job_object import JOB_DEFAULTS, SERVER_FIELDS, Defaults
from dispatcher.sandbox.people import NOBODY, People, Person

ARCHIVED = 1
TEMPLATE = 2

_TEMPLATE_PREFIX = "tpl-"
_ROW_DIGITS = 10

Autoassign = Callable[[Mapping[str, Any]], str | None]
"""Username for a job's fields, None when nobody can take it."""
Watcher = Callable[[str, Mapping[str, Any]], None]
"""Told a webhook's action and the full job object."""


class JobStore:
    """All jobs of the company. Rows are numbered from 0 in the order of creation and never move.

    Upserts merge: fields that were sent replace, the others stay. A deleted job's key is free again, its counters stay.

    Attributes:
        created: jobs created.
        updated: upserts that changed an existing job.
        repeated: upserts that found the job just as it came.
        deleted: jobs deleted.
        watcher: told what happens to jobs (templates and loaded jobs aside), None: nobody is.
    """

    def __init__(self, people: People, *, started_ms: int, seed: int = 0) -> None:
        self.created = self.updated = self.repeated = self.deleted = 0
        self.watcher: Watcher | None = None
        self._people = people
        self._defaults = Defaults()
        self._id_prefix = f"{started_ms // 1000 & 0xFFFFFFFF:08x}{seed * 2_654_435_761 & 0xFFFFFF:06x}"
        self._row_by_key: dict[str, int] = {}
        self._row_by_foreign_id: dict[str, int] = {}
        self._foreign_ids: dict[int, str] = {}
        self._rows_by_day: dict[int, array[int]] = {}
        self._keys: list[str] = []
        self._texts: list[bytes | None] = []
        self._persons: list[Person] = []
        self._days = array("i")
        self._created_ms = array("q")
        self._saved_ms = array("q")
        self._flags = bytearray()
        self._creates = array("I")
        self._updates = array("I")
        self._sends = array("I")

    def __len__(self) -> int:
        return self.created - self.deleted

    # Writing

    def upsert(
        self,
        jobs: Sequence[dict[str, Any]],
        *,
        now_ms: int,
        template: bool = False,
        autoassign: Autoassign | None = None,
    ) -> list[bytes]:
        """Create or update the jobs, in order; the full objects as JSON texts. The dicts are used up.

        They have been checked: `uidSecondary`, `worker` and `receiverUid` are texts or None, `day` is a whole number.
        """
        objects = []
        stamp = b',"tsCreated":%d,"tsSaved":%d' % (now_ms, now_ms)
        stamps = (stamp + b',"tsAssigned":0', stamp + b',"tsAssigned":%d' % now_ms)
        flags = TEMPLATE if template else 0
        for job in jobs:
            key = job.pop("uidSecondary", None) or ""
            worker, uid = job.pop("worker", None), job.pop("receiverUid", None)
            if None in job.values() or not _SET_BY_SERVER.isdisjoint(job):
                job = _callers_own(job)  # noqa: PLW2901 - the cleaned job takes its place
            row = self._row_by_key.get(key) if key else None
            if row is not None and self._texts[row] is not None:
                named = None if worker is None and uid is None else self._people.named(worker, uid)
                self._update(row, job, named, now_ms, autoassign)
                objects.append(orjson.dumps(self.full(row)))
                continue
            person = self._people.named(worker, uid) if worker or uid else NOBODY
            if autoassign is not None and not person.assigned:
                person = self._people.named(autoassign(job), None)
            text = _inner(job)
            row = self._append(key, text, person=person, day=job.get("day", 0), now_ms=now_ms, flags=flags)
            self._tell("jobcreated", row)
            objects.append(
                b"".join(
                    (
                        b'{"id":"',
                        self.id_of(row).encode(),
                        b'","uidSecondary":' + orjson.dumps(key) if key else b'"',
                        stamps[person.assigned],
                        person.fragment,
                        b"," + text if text else b"",
                        self._defaults.after(job),
                    )
                )
            )
        return objects

    def load(self, job: Mapping[str, Any], *, now_ms: int) -> int:
        """Take over a saved job object as it is, its `id` and times included; returns its row."""
        own = {k: v for k, v in _callers_own(job).items() if k not in JOB_DEFAULTS or JOB_DEFAULTS[k] != v}
        person = self._people.named(job.get("worker") or job.get("assigneeUsername"), job.get("receiverUid"))
        if job.get("tsAssigned"):
            own["tsAssigned"] = job["tsAssigned"]
        flags = ARCHIVED if job.get("status") == "archived" else 0
        if str(job.get("id", "")).startswith(_TEMPLATE_PREFIX):
            flags |= TEMPLATE
        row = self._append(
            job.get("uidSecondary") or "",
            _inner(own),
            person=person,
            day=own.get("day", 0),
            now_ms=now_ms,
            flags=flags,
        )
        self._created_ms[row] = job.get("tsCreated") or now_ms
        self._saved_ms[row] = job.get("tsSaved") or now_ms
        if job.get("id"):
            self._foreign_ids[row] = job["id"]
            self._row_by_foreign_id[job["id"]] = row
        return row

    def edit(self, row: int, fields: Mapping[str, Any], *, now_ms: int) -> None:
        """Change the named fields of a job; null sets a field back to its default.

        A new `uidSecondary` must not belong to another job.
        """
        key = fields.get("uidSecondary")
        if key is not None and key != self._keys[row]:
            self._row_by_key.pop(self._keys[row], None)
            self._keys[row] = key
            if key:
                self._row_by_key[key] = row
        worker, uid = fields.get("worker"), fields.get("receiverUid")
        named = None if worker is None and uid is None else self._people.named(worker, uid)
        before = self._own(row)
        own = {**before, **{k: v for k, v in fields.items() if k not in _SET_BY_SERVER}}
        if self._write(row, {k: v for k, v in own.items() if v is not None}, named, now_ms):
            self._tell(_what_happened(before, own), row)

    def assign(self, row: int, username: str, *, now_ms: int) -> None:
        """Give the job to a member."""
        if self._write(row, self._own(row), self._people.named(username, None), now_ms):
            self._tell("jobupdated", row)

    def archive(self, row: int, archived: bool, *, now_ms: int) -> None:
        """Put the job into the archive or take it out."""
        self._flags[row] = self._flags[row] & ~ARCHIVED | (ARCHIVED if archived else 0)
        self._saved_ms[row] = now_ms
        self._tell("jobarchived" if archived else "jobupdated", row)

    def delete(self, row: int) -> None:
        """Remove the job for good. Its key may be created anew; the counters of the key stay."""
        self._tell("jobdeleted", row)
        self._texts[row] = None
        self._persons[row] = NOBODY
        foreign = self._foreign_ids.pop(row, None)
        if foreign is not None:
            del self._row_by_foreign_id[foreign]
        self.deleted += 1

    # Reading

    def full(self, row: int) -> dict[str, Any]:
        """The job object with every field."""
        own, person, created = self._own(row), self._persons[row], self._created_ms[row]
        job: dict[str, Any] = {"id": self.id_of(row)}
        if self._keys[row]:
            job["uidSecondary"] = self._keys[row]
        job["tsCreated"] = created
        job["tsSaved"] = self._saved_ms[row]
        job["tsAssigned"] = created if person.assigned else 0
        job.update(person.fields)
        job.update(JOB_DEFAULTS)
        job.update(own)
        if self._flags[row] & ARCHIVED:
            job["status"] = "archived"
        return job

    def id_of(self, row: int) -> str:
        """24 hexadecimal digits, after `tpl-` for a template; the id of a loaded job is the one it came with."""
        if row in self._foreign_ids:
            return self._foreign_ids[row]
        own = f"{self._id_prefix}{row:0{_ROW_DIGITS}x}"
        return _TEMPLATE_PREFIX + own if self._flags[row] & TEMPLATE else own

    def row_by_id(self, job_id: str) -> int | None:
        """The row of a job that exists, None for an unknown or deleted one."""
        row = self._row_by_foreign_id.get(job_id)
        if row is not None:
            return row
        plain = job_id.removeprefix(_TEMPLATE_PREFIX)
        if len(plain) != len(self._id_prefix) + _ROW_DIGITS or not plain.startswith(self._id_prefix):
            return None
        try:
            row = int(plain[len(self._id_prefix) :], 16)
        except ValueError:
            return None
        return row if 0 <= row < len(self._texts) and self.exists(row) and self.id_of(row) == job_id else None

    def row_by_key(self, key: str) -> int | None:
        """The row of the job with this `uidSecondary`, None when there is none now."""
        row = self._row_by_key.get(key)
        return row if row is not None and self._texts[row] is not None else None

    def rows(self, *, day: int | None = None) -> Iterator[int]:
        """Rows of the jobs that exist, of one day when it is named, in order of creation; templates are no jobs."""
        listed: Iterable[int] = range(len(self._texts)) if day is None else sorted(self._rows_by_day.get(day, ()))
        before = -1
        for row in listed:
            here = (
                day is None or self._days[row] == day
            )  # a row that moved to another day is still listed under the old one,
            if (
                row != before and here and self.exists(row) and not self._flags[row] & TEMPLATE
            ):  # and twice if it came back
                yield row
            before = row

    def exists(self, row: int) -> bool:
        return self._texts[row] is not None

    def archived(self, row: int) -> bool:
        return bool(self._flags[row] & ARCHIVED)

    def person(self, row: int) -> Person:
        return self._persons[row]

    def created_ms(self, row: int) -> int:
        return self._created_ms[row]

    def saved_ms(self, row: int) -> int:
        return self._saved_ms[row]

    # Counters by key

    def known_keys(self, *, after: str = "") -> Iterator[str]:
        """Every `uidSecondary` that was ever created, in order of (last) creation, from behind `after` on."""
        first = self._row_by_key.get(after, -1) + 1 if after else 0
        for row in range(first, len(self._keys)):
            key = self._keys[row]
            if key and self._row_by_key.get(key) == row:
                yield key

    def counters(self, key: str) -> dict[str, int]:
        """Of one key: `creates`, `sends` (mentions that took effect) and `updates` (those that changed the job)."""
        row = self._row_by_key.get(key)
        if row is None:
            return {"creates": 0, "sends": 0, "updates": 0}
        return {"creates": self._creates[row], "sends": self._sends[row], "updates": self._updates[row]}

    # Rows

    def _append(self, key: str, text: bytes, *, person: Person, day: int, now_ms: int, flags: int) -> int:
        row = len(self._texts)
        creates, updates, sends = 1, 0, 1
        if key:
            before = self._row_by_key.get(key)
            if before is not None:
                creates += self._creates[before]
                updates += self._updates[before]
                sends += self._sends[before]
            self._row_by_key[key] = row
        self._keys.append(key)
        self._texts.append(text)
        self._persons.append(person)
        self._days.append(day)
        self._created_ms.append(now_ms)
        self._saved_ms.append(now_ms)
        self._flags.append(flags)
        self._creates.append(creates)
        self._updates.append(updates)
        self._sends.append(sends)
        self._list_under_day(row, day)
        self.created += 1
        return row

    def _update(
        self, row: int, job: dict[str, Any], named: Person | None, now_ms: int, autoassign: Autoassign | None
    ) -> None:
        own = {**self._own(row), **job}
        person = self._persons[row] if named is None else named
        if autoassign is not None and not person.assigned:
            named = self._people.named(autoassign(own), None)
        self._sends[row] += 1
        if self._write(row, own, named, now_ms):
            self._updates[row] += 1
            self.updated += 1
            self._tell("jobupdated", row)
        else:
            self.repeated += 1

    def _write(self, row: int, own: dict[str, Any], named: Person | None, now_ms: int) -> bool:
        """Store the job's own fields and its person (None: as before); True when that changed anything."""
        person = self._persons[row]
        reassigned = named is not None and named is not person
        if not reassigned and own == self._own(row):
            return False
        if reassigned and named is not None:
            self._persons[row] = named
            own["tsAssigned"] = now_ms if named.assigned else 0
        self._texts[row] = _inner(own)
        self._saved_ms[row] = now_ms
        day = own.get("day", 0)
        if day != self._days[row]:
            self._days[row] = day
            self._list_under_day(row, day)
        return True

    def _tell(self, action: str, row: int) -> None:
        if self.watcher is not None and not self._flags[row] & TEMPLATE:
            self.watcher(action, self.full(row))

    def _list_under_day(self, row: int, day: int) -> None:
        rows = self._rows_by_day.get(day)
        if rows is None:
            rows = self._rows_by_day[day] = array("I")
        rows.append(row)

    def _own(self, row: int) -> dict[str, Any]:
        text = self._texts[row]
        if text is None:
            raise LookupError(f"row {row} is deleted")
        own: dict[str, Any] = orjson.loads(b"{" + text + b"}")
        return own


_SET_BY_SERVER = frozenset(SERVER_FIELDS)


_ACTIONS = {
    "tsDoneSuccess": "jobcompleted",
    "tsDoneFailed": "jobcompleted",
    "tsCheckOut": "jobcheckout",
    "tsCheckIn": "jobcheckin",
}


def _what_happened(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """The action of an edit: what it made of the job's progress, else an update."""
    return next((action for name, action in _ACTIONS.items() if after.get(name) and not before.get(name)), "jobupdated")


def _inner(own: Mapping[str, Any]) -> bytes:
    """The object's JSON text without its braces. The slice also frees the 4 KiB that orjson's result holds."""
    return orjson.dumps(own)[1:-1]


def _callers_own(job: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in job.items() if value is not None and name not in _SET_BY_SERVER}
