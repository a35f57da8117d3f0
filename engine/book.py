"""Members by name, their days and the stops in them: what every public call works on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from engine.clock import day_ordinal
from engine.days import Days
from engine.fleet import Fleet
from engine.job import Job, read_stop
from engine.json_value import coordinates, positive
from engine.member import Member, MemberReader, read_teams
from engine.planting import Planter, ball_tree
from engine.records import job_records
from engine.registry import Entry, Registry
from engine.settings import EngineSettings
from engine.state import PAST, TODAY, Records, Words
from engine.twin import twin_of

_NO_WORDS: Final = np.zeros(0, dtype=np.uint64)

KEPT_DAYS: Final = 1
"""Days that stay in memory after they have passed for everybody."""
WARNINGS_KEPT: Final = 1000
"""An engine that lives for months must not keep every oddity it was ever told."""


class Book:
    """A fleet and its stops.

    Attributes:
        members: in input order.
        days: the state by day.
        registry: the stops by name.
        warnings: what was odd in the data, one line each.
    """

    def __init__(
        self,
        accounts: Sequence[Mapping[str, Any]],
        company: Mapping[str, Any] | None,
        settings: EngineSettings,
        now: float,
        planter: Planter = ball_tree,
    ) -> None:
        self.settings = settings
        self.reader = MemberReader(settings, read_teams(company))
        self.warnings = self.reader.warnings
        self.by_username: dict[str, int] = {}
        self.by_uid: dict[str, int] = {}
        self.members: list[Member] = []
        for record in accounts:
            self._read_account(record)
        self.days = Days(self.members, Fleet(self.members, settings), now, planter)
        self.registry = Registry()

    def copy(self) -> Book:
        """The same fleet and stops, to be changed apart."""
        warnings = self.warnings.copy()
        return twin_of(
            self,
            reader=twin_of(self.reader, warnings=warnings),
            warnings=warnings,
            by_username=self.by_username.copy(),
            by_uid=self.by_uid.copy(),
            members=self.members.copy(),
            days=self.days.copy(),
            registry=self.registry.copy(),
        )

    def _read_account(self, record: object) -> None:
        if not isinstance(record, Mapping):
            self.warnings.append("accounts: an entry that is no object was left out")
            return
        member = self.reader.read(record)
        if member.username is None:
            self.warnings.append(f"{member.name or 'a member'}: has no username and takes no jobs")
        elif member.username in self.by_username:
            self.warnings.append(f"{member.name}: is there twice, the first one stands")
            return
        self.name(member, len(self.members))
        self.members.append(member)

    def name(self, member: Member, index: int) -> None:
        """Let a member be found by its names."""
        if member.username is not None:
            self.by_username[member.username] = index
        if member.uid is not None:
            self.by_uid.setdefault(member.uid, index)

    def put_members(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Newer records of members, or new members, who come last in input order."""
        changed: dict[int, None] = {}
        for record in records:
            member = self.reader.read(record)
            index = self.by_username.get(member.username) if member.username else self.by_uid.get(member.uid or "")
            if index is None:
                index = len(self.members)
                self.members.append(member)
                self.days.add_member(member)
            else:
                self.members[index] = member
                self.days.fleet.put(index, member)
            self.name(member, index)
            changed[index] = None
        if changed:
            self.days.refresh(list(changed))
        del self.warnings[WARNINGS_KEPT:]

    def put_location(self, index: int, lat: float, lng: float, seen_s: float) -> None:
        """A member's newest place."""
        spot = coordinates(lat, lng)
        table = self.days.fleet.table
        table["location"][index] = spot or (math.nan, math.nan)
        table["seen_s"][index] = positive(seen_s)
        self.days.locate(index)

    def named_member(self, job: Job) -> int | None:
        """The member that a job names, None when the fleet does not know it."""
        if job.member is None:
            return None
        return (self.by_uid if job.by_uid else self.by_username).get(job.member)

    def advance(self, now: float) -> None:
        """Let time go on; days that are long over are forgotten with their stops."""
        if not self.days.advance(now) or not self.members:
            return
        over = {day for day in self.days.known_days() if day < self.days.first_today - KEPT_DAYS}
        if over:
            for handle in [handle for handle in self.registry.handles() if self.registry[handle].day in over]:
                self.drop(handle)
            self.days.close(over)

    def add_saved(self, records: Iterable[object]) -> None:
        """Saved jobs become stops of their members; a stop that is known by key or id is replaced."""
        stops: list[tuple[Job, int, int]] = []
        for record in records:
            if not isinstance(record, Mapping):
                self.warnings.append("routes: an entry that is no object was left out")
                continue
            self._forget_saved(record)
            stop = read_stop(record)
            day = None if stop is None else day_ordinal(stop.day)
            if stop is None or day is None:
                continue
            member = self.named_member(stop)
            if member is None:
                self.warnings.append(f"routes: {stop.key or stop.uid}: {stop.member} is no member of this fleet")
            else:
                stops.append((stop, member, day))
        handle = self.registry.new_handles(len(stops))
        for stop, member, day in stops:
            self.days.put(stop, member, day, handle)
            self.registry.add(handle, Entry(stop.key, stop.uid, day, member))
            handle += 1
        del self.warnings[WARNINGS_KEPT:]

    def _forget_saved(self, record: Mapping[str, Any]) -> None:
        for name, find in (("uidSecondary", self.registry.of_key), ("id", self.registry.of_name)):
            value = record.get(name)
            if isinstance(value, str) and value:
                for handle in find(value):
                    self.drop(handle)

    def drop(self, handle: int) -> None:
        """A stop leaves its route."""
        entry = self.registry.drop(handle)
        self.days.take_out(entry.day, entry.member, handle)

    def drop_key(self, key: str) -> None:
        """The stops with a key leave their routes."""
        for handle in self.registry.of_key(key):
            self.drop(handle)

    def columns(self, jobs: Sequence[Job], handle: int) -> tuple[Records, Words, Words]:
        """Jobs as records, with the bits they need and the members they exclude; makes the rows of their days."""
        records = job_records(jobs, handle)
        needs: list[int] = []
        excluded: list[int] = []
        rows: dict[int, int] = {0: TODAY}
        for i, job in enumerate(jobs):
            row = rows.get(job.day)
            if row is None:
                row = rows[job.day] = self.row(job.day)
            if row != 0:
                records["row"][i] = row
            if job.team or job.skills:
                bits = self.days.traits.needed(job.team, job.skills)
                records["need"][i], records["needs"][i], records["team"][i] = len(needs), len(bits), job.team != 0
                needs += bits
            if job.excluded:
                out = {
                    index[name] for name in job.excluded for index in (self.by_username, self.by_uid) if name in index
                }
                records["excluded"][i], records["excludes"][i] = len(excluded), len(out)
                excluded += sorted(out)
        return records, _words(needs), _words(excluded)

    def row(self, day: int) -> int:
        """The row of a day YYYYMMDD, PAST when it is over for everybody."""
        ordinal = day_ordinal(day)
        if ordinal is None or not self.members or ordinal < self.days.first_today:
            return PAST
        return self.days.row(ordinal)

    def caps(self) -> tuple[int, float]:
        """The settings' limits as the kernels take them: jobs a day, metres."""
        return self.settings.max_jobs_per_day, self.settings.max_distance_km * 1000.0


def _words(values: list[int]) -> Words:
    return np.array(values, dtype=np.uint64) if values else _NO_WORDS
