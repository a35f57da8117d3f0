"""The rules of assignment in the plainest form: for every job try every member at every position and compare.

Nothing here is fast and nothing is shared with the engine. It reads top to bottom as the specification: `clock`,
`shifts`, `places`, `people` and `days` hold the parts, this file the order in which jobs are decided and the reasons.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from tests.oracle.clock import calendar_day, number, today_in, zone_of
from tests.oracle.days import (
    Day,
    Stop,
    Walk,
    amount,
    batch_stop,
    best_insertion,
    day_of,
    enter_by_order,
    is_open,
    load_allows,
    positions,
    saved_stop,
    walk,
    with_stop,
)
from tests.oracle.decisions import SETTINGS, Candidate, Counts, Json, PlainDecision
from tests.oracle.people import has_skills, is_eligible, is_excluded, is_in_team
from tests.oracle.places import EQUAL, Place, metres, place


class Oracle:
    """A fleet and its day routes, decided by trying everything."""

    def __init__(
        self,
        accounts: Sequence[Json],
        *,
        routes: Sequence[Json] = (),
        company: Json | None = None,
        settings: Json | None = None,
        now: float,
    ) -> None:
        self.settings = {**SETTINGS, **(settings or {})}
        self.now = now
        self.teams = {team.get("id"): team for team in (company or {}).get("teams_config") or []}
        self.members: list[Json] = []
        for account in accounts:
            username = account.get("username")
            if not username or all(username != other.get("username") for other in self.members):
                self.members.append(account)
        self.routes: dict[tuple[int, date], list[Stop]] = {}
        self.passed_over: set[int] = set()
        self._days: dict[tuple[int, date], Day] = {}
        for job in routes:
            self._save(job)

    # ---- one batch ----

    def decide(self, jobs: Sequence[Json], *, now: float | None = None) -> list[PlainDecision]:
        """Decide a batch and keep what it changes."""
        self._at(now)
        self.cancel(job["uidSecondary"] for job in jobs if job.get("uidSecondary"))
        decisions: dict[int, PlainDecision] = {}
        entered: list[tuple[int, int, date, Stop]] = []
        for index, job in enumerate(jobs):
            if names_member(job):
                named = self._member_named_by(job)
                decisions[index] = self._kept(index, job, named)
                self.cancel([job["uidSecondary"]] if job.get("uidSecondary") else [])
                if named is not None and not self._day(named, self._job_date(job, named)).is_past:
                    day, stop = self._job_date(job, named), batch_stop(job)
                    route = self._route(named, day)
                    enter_by_order(route, stop, allowed=positions(route))
                    entered.append((index, named, day, stop))
        for index, named, day, stop in entered:
            if stop in self._route(named, day):
                decisions[index] = self._with_figures(decisions[index], named, day, stop)

        rest = [index for index in range(len(jobs)) if index not in decisions]
        for index in sorted(rest, key=lambda index: -priority(jobs[index])):
            decisions[index] = self._choose(index, jobs[index])
        return [decisions[index] for index in range(len(jobs))]

    def _choose(self, index: int, job: Json) -> PlainDecision:
        """The one member for a job that names none; its stop enters the member's route."""
        key = job.get("uidSecondary") or None
        self.cancel([key] if key is not None else [])
        candidates = self.candidates(job)
        if not candidates:
            return PlainDecision(index, key, None, reasons=self.reasons(job))
        if self.settings["policy"] == "nearest":
            least = min(each.distance for each in candidates)
            candidates = [each for each in candidates if each.distance <= least + EQUAL]
        else:
            least = min(each.insertion.added for each in candidates)
            candidates = [each for each in candidates if each.insertion.added <= least + EQUAL]
        winner = min(candidates, key=lambda each: (each.stops, each.member))
        route = self._route(winner.member, self._job_date(job, winner.member))
        route.insert(winner.insertion.position, batch_stop(job))
        return PlainDecision(
            index,
            key,
            self.members[winner.member]["username"],
            winner.distance,
            winner.insertion.added,
            winner.insertion.position,
            winner.insertion.start,
        )

    def candidates(self, job: Json) -> list[Candidate]:
        """Every member whom the job fits somewhere, in input order."""
        found = []
        for member in range(len(self.members)):
            if destination(job) is None or self._barrier(job, member) is not None:
                continue
            day, stops = self._member_day(job, member)
            insertion = best_insertion(day, stops, batch_stop(job), self._capacity(member))
            if insertion is not None:
                found.append(Candidate(member, self._distance(job, member), len(stops), insertion))
        return found

    def _kept(self, index: int, job: Json, named: int | None) -> PlainDecision:
        """A job that names its member stays with that member."""
        worker = job.get("worker") or job.get("receiverUid")
        if named is not None:
            worker = self._name(named)
        return PlainDecision(index, job.get("uidSecondary") or None, worker, preassigned=True)

    def _with_figures(self, kept: PlainDecision, named: int, date_: date, stop: Stop) -> PlainDecision:
        """The figures of a job that named its member, read off the route as it stands."""
        day, route = self._day(named, date_), self._route(named, date_)
        position = route.index(stop)
        whole, without = walk(day, route), walk(day, route[:position] + route[position + 1 :])
        distance = metres(day.begins, stop.place) if day.begins is not None and stop.place is not None else None
        return PlainDecision(
            kept.index,
            kept.key,
            kept.worker,
            distance,
            whole.travel - without.travel,
            position,
            whole.starts[position],
            preassigned=True,
        )

    # ---- why not ----

    def reasons(self, job: Json) -> Counts:
        """For every member the first code that is true, counted, against the routes as they stand."""
        if not self.members:
            return {"no_members": (0, None)}
        if destination(job) is None:
            return {"bad_coordinates": (len(self.members), self._name(0))}
        counts: Counts = {}
        for member in range(len(self.members)):
            code = self._barrier(job, member) or self._obstacle(job, member)
            count, example = counts.get(code, (0, self._name(member)))
            counts[code] = count + 1, example
        return counts

    def _barrier(self, job: Json, member: int) -> str | None:
        """What keeps the job from the member whatever the times of the route are."""
        account = self.members[member]
        day, stops = self._member_day(job, member)
        if day.is_past:
            return "past_day"
        if not is_eligible(account, is_today=day.is_today, settings=self.settings):
            return "not_eligible"
        if not is_in_team(account, job):
            return "team_mismatch"
        if not has_skills(account, job, self.settings):
            return "missing_skill"
        if is_excluded(account, job) or member in self.passed_over:
            return "excluded"
        if day.begins is None:
            return "no_location"
        if day.shift is None or day.starts >= day.ends - EQUAL:
            return "off_shift"
        if 0 < self.settings["max_distance_km"] * 1000 < self._distance(job, member) - EQUAL:
            return "over_distance"
        if 0 < self.settings["max_jobs_per_day"] < len(stops) + 1:
            return "at_job_cap"
        return None

    def _obstacle(self, job: Json, member: int) -> str:
        """What keeps the job out of a day that is open to it: the times alone, then the load, then the stops."""
        day, stops = self._member_day(job, member)
        new = batch_stop(job)
        alone = walk(day, [new])
        if alone.starts[0] > new.closes + EQUAL or new.opens >= day.ends - EQUAL:
            return "window_unreachable"
        if alone.end > day.ends + EQUAL:
            return "shift_too_short"
        capacity = self._capacity(member)
        if not any(load_allows(stops, with_stop(stops, new, each), new, capacity) for each in positions(stops)):
            return "over_capacity"
        return "route_full"

    # ---- the state ----

    def add_routes(self, jobs: Sequence[Json]) -> None:
        """Saved stops of a further day take the place of all stops known under their keys."""
        self.cancel([job["uidSecondary"] for job in jobs if job.get("uidSecondary")])
        for job in jobs:
            self._save(job)

    def cancel(self, keys: Iterable[str]) -> int:
        """Take the stops with these keys out of their routes; returns how many there were."""
        gone, count = set(keys), 0
        for route in self.routes.values():
            kept = [stop for stop in route if stop.key is None or stop.key not in gone]
            count += len(route) - len(kept)
            route[:] = kept
        return count

    def route_walk(self, member: int, day: date) -> tuple[list[Stop], Walk]:
        """The day route as it stands and its times."""
        route = self._route(member, day)
        return route, walk(self._day(member, day), route)

    def today(self, member: int) -> date:
        return today_in(zone_of(self.members[member], self.settings), self.now)

    def _save(self, job: Json) -> None:
        day, owner = number(job.get("day")) or 0, job.get("worker") or job.get("assigneeUsername")
        member = self._find("username", owner) if owner else self._find("uid", job.get("receiverUid"))
        date_ = calendar_day(day)
        if member is not None and date_ is not None and is_open(job):
            route = self._route(member, date_)
            enter_by_order(route, saved_stop(job), allowed=range(len(route) + 1))

    def _at(self, now: float | None) -> None:
        if now is not None and now != self.now:
            self.now = now
            self._days.clear()

    def _member_named_by(self, job: Json) -> int | None:
        if job.get("worker"):
            return self._find("username", job["worker"])
        return self._find("uid", job["receiverUid"])

    def _find(self, field: str, value: object) -> int | None:
        found = [i for i, member in enumerate(self.members) if value and member.get(field) == value]
        return found[0] if found else None

    def _name(self, member: int) -> str | None:
        return self.members[member].get("username") or self.members[member].get("uid")

    def _capacity(self, member: int) -> float:
        return amount(self.members[member].get("vehicle_capacity"))

    def _job_date(self, job: Json, member: int) -> date:
        if not job.get("day"):
            return self.today(member)
        day = calendar_day(job["day"])
        assert day is not None
        return day

    def _day(self, member: int, day: date) -> Day:
        if (member, day) not in self._days:
            self._days[member, day] = day_of(
                self.members[member], self.teams, day, now=self.now, settings=self.settings
            )
        return self._days[member, day]

    def _route(self, member: int, day: date) -> list[Stop]:
        return self.routes.setdefault((member, day), [])

    def _member_day(self, job: Json, member: int) -> tuple[Day, list[Stop]]:
        day = self._job_date(job, member)
        return self._day(member, day), self._route(member, day)

    def _distance(self, job: Json, member: int) -> float:
        begins, there = self._member_day(job, member)[0].begins, destination(job)
        assert begins is not None
        assert there is not None
        return metres(begins, there)


def destination(job: Json) -> Place | None:
    return place(job, "destinationLat", "destinationLng")


def names_member(job: Json) -> bool:
    return bool(job.get("worker") or job.get("receiverUid"))


def priority(job: Json) -> int:
    value = job.get("priority")
    return 5 if value is None else int(value)
