"""The engine: a fleet's day routes, and who takes the next job."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from engine.clock import day_ordinal
from engine.days import Days, job_records
from engine.decision import MEMBER_REASONS, Decision, Reason, RouteStop
from engine.errors import EngineError
from engine.fit import REASONS
from engine.fleet import LAST_MOMENT, Fleet, Traits
from engine.job import Job, read_job, read_stop
from engine.member import Member, MemberReader, read_teams
from engine.registry import Entry, Registry
from engine.route import figures
from engine.scan import count_reasons
from engine.search import decide
from engine.settings import EngineSettings
from engine.state import FOUND, PAST, TODAY, Ints, Records, Words

_DEFAULT: Final = EngineSettings()


class Engine:
    """Decides, job by job, which member takes it, by the rules of the documentation; exact, pure, safe to call from any thread.

    Args:
        accounts: the `accounts` of a `getaccounts` reply.
        routes: the `jobs` of a `getjobs` reply, of any days.
        company: the `company` of a `getcompany` reply.
        settings: see `EngineSettings`.
        now: Unix seconds.

    Attributes:
        warnings: what was odd in the data, one line each.
        settings: as given.
        members: usernames (else uids) in input order.

    Raises:
        EngineError: `now` is no time.
    """

    def __init__(
        self,
        accounts: Sequence[Mapping[str, Any]],
        *,
        routes: Sequence[Mapping[str, Any]] = (),
        company: Mapping[str, Any] | None = None,
        settings: EngineSettings = _DEFAULT,
        now: float,
    ) -> None:
        self.settings = settings
        self._lock = threading.RLock()
        self._reader = MemberReader(settings, read_teams(company))
        self.warnings: list[str] = self._reader.warnings
        self._by_username: dict[str, int] = {}
        self._by_uid: dict[str, int] = {}
        members: list[Member] = []
        for record in accounts:
            member = self._read_member(record)
            if member is not None:
                self._name(member, len(members))
                members.append(member)
        self._members = members
        self._days = Days(Fleet(members, settings), Traits(members), _moment(now))
        self._registry = Registry()
        self.add_routes(routes)

    @property
    def now(self) -> float:
        """Unix seconds of the last decision."""
        return self._days.now

    @property
    def members(self) -> tuple[str, ...]:
        """Names of the members in input order."""
        return tuple(member.name for member in self._members)

    def decide(
        self, jobs: Sequence[Mapping[str, Any]], *, now: float | None = None, reasons: bool = False
    ) -> list[Decision]:
        """Decide a batch and change the day routes accordingly.

        Stops whose key is in the batch leave; jobs that name a member enter; then the others are decided by priority and input order.

        Args:
            jobs: in Hellotracks' field names; missing and null fields take their defaults.
            now: Unix seconds, the engine's own when None.
            reasons: give every job without a member the reasons why, as they were at its turn.

        Returns:
            One decision per job, in input order.

        Raises:
            EngineError: a job's field cannot be read (index and field are named); nothing has changed.
        """
        read = [read_job(index, job) for index, job in enumerate(jobs)]
        moment = None if now is None else _moment(now)
        with self._lock:
            if moment is not None:
                self._days.advance(moment)
            return self._decide(read, reasons=reasons)

    def reasons(self, job: Mapping[str, Any], *, now: float | None = None) -> dict[str, Reason]:
        """Why members cannot take a job on the routes as they stand; members who could are not counted. Changes nothing."""
        read = read_job(0, job)
        moment = None if now is None else _moment(now)
        with self._lock:
            if moment is not None:
                self._days.advance(moment)
            overall = self._overall(read)
            if overall is not None:
                return overall
            records, needs, excluded = self._columns([read], 0)
            counts, first = np.zeros(REASONS, dtype=np.int64), np.zeros(REASONS, dtype=np.int64)
            count_reasons(
                self._days.state, len(self._members), self._days.today_rows(), records, 0, needs, excluded,
                *self._caps(), counts, first,
            )  # fmt: skip
            return self._reasons(counts, first)

    def add_routes(self, jobs: Sequence[Mapping[str, Any]]) -> None:
        """Add saved stops (the `jobs` of a `getjobs` reply); a stop that is known by key or id is replaced."""
        with self._lock:
            stops: list[tuple[Job, int, int]] = []
            for record in jobs:
                if not isinstance(record, Mapping):
                    self.warnings.append("routes: an entry that is no object was left out")
                    continue
                self._forget_saved(record)
                stop = read_stop(record)
                day = None if stop is None else day_ordinal(stop.day)
                if stop is None or day is None:
                    continue
                member = self._member_named(stop)
                if member is None:
                    self.warnings.append(f"routes: {stop.key or stop.uid}: {stop.member} is no member of this fleet")
                else:
                    stops.append((stop, member, day))
            handle = self._registry.new_handles(len(stops))
            for stop, member, day in stops:
                self._days.put(stop, member, day, handle)
                self._registry.add(handle, Entry(stop.key, stop.uid, day, member))
                handle += 1

    def cancel(self, keys: Iterable[str]) -> int:
        """Stops with these keys (or ids) leave their routes; returns how many there were."""
        with self._lock:
            handles = {handle: None for key in keys for handle in self._registry.of_name(key)}
            for handle in handles:
                self._drop(handle)
            return len(handles)

    def route(self, worker: str, day: int) -> list[RouteStop]:
        """A member's day route as it stands.

        Args:
            worker: username.
            day: YYYYMMDD, 0 for the member's today.

        Raises:
            EngineError: there is no such member or day.
        """
        with self._lock:
            member = self._by_username.get(worker)
            if member is None:
                raise EngineError(f"{worker!r} is no member", field="worker")
            ordinal = int(self._days.today[member]) if day == 0 else day_ordinal(day)
            if ordinal is None:
                raise EngineError(f"{day} is no day YYYYMMDD", field="day")
            s = self._days.slot(ordinal, member)
            slot, stops = self._days.state.slots[s], self._days.state.stops
            clock = float(slot["start"])
            route = []
            for stop in stops[slot["offset"] : slot["offset"] + slot["n"]]:
                name = self._registry.name(int(stop["handle"]))
                arrive, clock = clock + float(stop["leg"]), float(stop["leave"])
                route.append(RouteStop(name, arrive, float(stop["start"]), clock))
            return route

    def _read_member(self, record: object) -> Member | None:
        if not isinstance(record, Mapping):
            self.warnings.append("accounts: an entry that is no object was left out")
            return None
        member = self._reader.read(record)
        if member.username is None:
            self.warnings.append(f"{member.name or 'a member'}: has no username and takes no jobs")
        elif member.username in self._by_username:
            self.warnings.append(f"{member.name}: is there twice, the first one stands")
            return None
        return member

    def _name(self, member: Member, index: int) -> None:
        if member.username is not None:
            self._by_username[member.username] = index
        if member.uid is not None:
            self._by_uid.setdefault(member.uid, index)

    def _member_named(self, job: Job) -> int | None:
        if job.member is None:
            return None
        return (self._by_uid if job.by_uid else self._by_username).get(job.member)

    def _forget_saved(self, record: Mapping[str, Any]) -> None:
        """Drop the stop that a newer record of the same job replaces."""
        for name, find in (("uidSecondary", self._registry.of_key), ("id", self._registry.of_name)):
            value = record.get(name)
            if isinstance(value, str) and value:
                for handle in find(value):
                    self._drop(handle)

    def _drop(self, handle: int) -> None:
        entry = self._registry.drop(handle)
        self._days.take_out(entry.day, entry.member, handle)

    def _drop_key(self, key: str | None) -> None:
        if key is not None:
            for handle in self._registry.of_key(key):
                self._drop(handle)

    def _caps(self) -> tuple[int, float]:
        return self.settings.max_jobs_per_day, self.settings.max_distance_km * 1000.0

    def _columns(self, jobs: list[Job], handle: int) -> tuple[Records, Words, Words]:
        """Jobs as records, with the bits they need and the members they exclude; makes the rows of their days."""
        records = job_records(jobs, list(range(handle, handle + len(jobs))))
        needs: list[int] = []
        excluded: list[int] = []
        traits = self._days.traits
        rows: dict[int, int] = {0: TODAY}
        for record, job in zip(records, jobs, strict=True):
            row = rows.get(job.day)
            if row is None:
                row = rows[job.day] = self._row(job.day)
            record["row"] = row
            if job.team or job.skills:
                bits = traits.needed(job.team, job.skills)
                record["need"], record["needs"], record["team"] = len(needs), len(bits), job.team != 0
                needs += bits
            if job.excluded:
                out = {i for name in job.excluded for i in self._excluded(name)}
                record["excluded"], record["excludes"] = len(excluded), len(out)
                excluded += sorted(out)
        return records, np.array(needs, dtype=np.uint64), np.array(excluded, dtype=np.uint64)

    def _excluded(self, name: str) -> set[int]:
        return {index[name] for index in (self._by_username, self._by_uid) if name in index}

    def _row(self, day: int) -> int:
        ordinal = day_ordinal(day)
        if ordinal is None or not self._members or ordinal < self._days.first_today():
            return PAST
        return self._days.row(ordinal)

    def _decide(self, jobs: list[Job], *, reasons: bool) -> list[Decision]:
        for key in {job.key for job in jobs if job.key is not None}:
            self._drop_key(key)
        handle = self._registry.new_handles(len(jobs))
        named = [i for i, job in enumerate(jobs) if job.member is not None]
        others = sorted((i for i, job in enumerate(jobs) if job.member is None), key=lambda i: -jobs[i].priority)
        records, needs, excluded = self._columns(jobs, handle)
        decisions: list[Decision | None] = [None] * len(jobs)
        seen: set[str] = set()
        self._enter_named(jobs, named, records, handle, seen)
        for i in named:
            decisions[i] = self._figures(i, jobs[i], handle + i)
        size = (len(jobs), REASONS) if reasons and others else (0, REASONS)
        counts, first = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
        found = np.zeros(len(jobs), dtype=FOUND)
        run: list[int] = []
        for i in others:
            key = jobs[i].key
            if key is not None and key in seen:
                self._search(jobs, run, records, needs, excluded, found, counts, first)
                run = []
                self._drop_key(key)
            if key is not None:
                seen.add(key)
            run.append(i)
        self._search(jobs, run, records, needs, excluded, found, counts, first)
        for i in others:
            decisions[i] = self._decision(i, jobs[i], found[i], counts, first)
        return [decision for decision in decisions if decision is not None]

    def _enter_named(self, jobs: list[Job], named: list[int], records: Records, handle: int, seen: set[str]) -> None:
        """Jobs that name their member go into the routes; a later version of a key takes the place of an earlier one."""
        waiting: list[tuple[int, int]] = []

        def flush() -> None:
            which = np.array([i for i, _ in waiting], dtype=np.int64)
            slots = np.array([s for _, s in waiting], dtype=np.int64)
            self._days.enter(records[which], slots, behind_floor=True)
            waiting.clear()

        for i in named:
            job = jobs[i]
            if job.key is not None:
                if job.key in seen:
                    flush()
                    self._drop_key(job.key)
                seen.add(job.key)
            member = self._member_named(job)
            if member is None:
                continue
            today = int(self._days.today[member])
            day = today if job.day == 0 else day_ordinal(job.day)
            if day is not None and day >= today:
                waiting.append((i, self._days.slot(day, member)))
                self._registry.add(handle + i, Entry(job.key, None, day, member))
        if waiting:
            flush()

    def _figures(self, index: int, job: Job, handle: int) -> Decision:
        """The decision of a job that named its member, read off the routes."""
        member = self._member_named(job)
        worker = job.member if member is None else self._members[member].username or job.member
        position, start, added, distance = -1, math.nan, math.nan, math.nan
        if handle in self._registry.handles():
            entry = self._registry[handle]
            s = self._days.slot(entry.day, entry.member)
            position, start, added, distance = figures(self._days.state, s, handle)
        there = position >= 0
        return Decision(
            index=index,
            key=job.key,
            worker=worker,
            distance_m=float(distance) if there and not math.isnan(distance) else None,
            added_travel_s=float(added) if there else None,
            position=int(position) if there else None,
            start_s=float(start) if there else None,
            preassigned=True,
        )

    def _search(
        self,
        jobs: list[Job],
        run: list[int],
        records: Records,
        needs: Words,
        excluded: Words,
        found: Records,
        counts: Ints,
        first: Ints,
    ) -> None:
        """Decide the jobs `run` one after the other and note where they went."""
        found["member"][run] = -1
        if not run or not self._members:
            return
        rows = self._days.today_rows()
        order = np.array(run, dtype=np.int64)
        detour = self.settings.policy == "least_detour"
        done = 0
        while True:
            done = decide(
                self._days.state, len(self._members), rows, records, order, done, needs, excluded, detour,
                *self._caps(), found, counts, first,
            )  # fmt: skip
            if done == len(order):
                break
            self._days.grow_pool()
        days = {row: day for day, row in self._days.rows.items()}
        for i in run:
            best = found[i]
            if best["member"] >= 0:
                entry = Entry(jobs[i].key, None, days[int(best["row"])], int(best["member"]))
                self._registry.add(int(records[i]["handle"]), entry)

    def _decision(self, index: int, job: Job, found: Any, counts: Ints, first: Ints) -> Decision:
        if found["member"] < 0:
            why = None
            if len(counts):
                why = self._overall(job) or self._reasons(counts[index], first[index])
            return Decision(index, job.key, None, None, None, None, None, reasons=why)
        return Decision(
            index=index,
            key=job.key,
            worker=self._members[found["member"]].username,
            distance_m=float(found["distance"]),
            added_travel_s=float(found["added"]),
            position=int(found["position"]),
            start_s=float(found["start"]),
        )

    def _overall(self, job: Job) -> dict[str, Reason] | None:
        """The reason that concerns the job as a whole, None when its members must be asked."""
        if not self._members:
            return {"no_members": Reason(0, None)}
        if math.isnan(job.lat):
            return {"bad_coordinates": Reason(len(self._members), self._members[0].name)}
        return None

    def _reasons(self, counts: Ints, first: Ints) -> dict[str, Reason]:
        return {
            code: Reason(int(count), self._members[int(member)].name)
            for code, count, member in zip(MEMBER_REASONS, counts, first, strict=True)
            if count
        }


def _moment(now: float) -> float:
    if isinstance(now, bool) or not isinstance(now, int | float) or not 0 <= now <= LAST_MOMENT:
        raise EngineError(f"must be Unix seconds, not {now!r}", field="now")
    return float(now)
