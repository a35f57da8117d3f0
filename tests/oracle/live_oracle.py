"""The oracle of a fleet that changes: records, places, and stops that are moved, done or offered to somebody else."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from datetime import date
from typing import Any

from tests.oracle.clock import calendar_day
from tests.oracle.days import Stop, enter_by_order, positions
from tests.oracle.decisions import Counts, PlainDecision
from tests.oracle.oracle import Oracle, destination


class LiveOracle(Oracle):
    """The same rules after each change: nothing is kept but the members' records and the stops."""

    def advance(self, now: float) -> None:
        self._at(now)

    def update_location(self, worker: str, lat: float, lng: float, *, seen_s: float | None = None) -> None:
        """The member was seen somewhere."""
        seen = self.now if seen_s is None else seen_s
        member = self.member_index(worker)
        self.members[member] = {**self.members[member], "location": {"lat": lat, "lng": lng, "ts": seen * 1000}}
        self._days.clear()

    def update_member(self, record: Mapping[str, Any]) -> None:
        """A newer record of a member, whose stops stay, or a new member, who comes last."""
        member = self._find("username", record["username"])
        if member is None:
            self.members.append(record)
        else:
            self.members[member] = record
        self._days.clear()

    def move(self, key: str, worker: str, *, day: int | None = None, position: int | None = None) -> PlainDecision:
        """Put a stop into a route whatever the rules say, only not before a stop under way."""
        _, held_on, stop = self.holder(key)
        member = self.member_index(worker)
        to = held_on if day is None else calendar_day(day) if day else self.today(member)
        assert to is not None
        self.cancel([key])
        route = self._route(member, to)
        if position is None:
            enter_by_order(route, stop, allowed=positions(route))
        else:
            route.insert(min(max(position, positions(route)[0]), len(route)), stop)
        return self._with_figures(PlainDecision(0, key, worker), member, to, stop)

    def reassign(self, job: Mapping[str, Any], *, now: float | None = None) -> PlainDecision:
        """Offer a job to everybody but the member who holds it and the one it names."""
        self._at(now)
        passed_over = {self._member_named_by(job)} if job.get("worker") or job.get("receiverUid") else set()
        if any(stop.key == job["uidSecondary"] for route in self.routes.values() for stop in route):
            passed_over.add(self.holder(job["uidSecondary"])[0])
        self.passed_over = {member for member in passed_over if member is not None}
        decision = self._choose(0, job)
        self.passed_over = set()
        return decision

    # ---- what an explanation tells ----

    def best_two(self, job: Mapping[str, Any]) -> tuple[PlainDecision | None, PlainDecision | None]:
        """Who would take a job that is no stop, and who would if that member could not; nothing changes."""
        first = deepcopy(self)._choose(0, job)
        if first.worker is None:
            return None, None
        others = deepcopy(self)
        others.passed_over = {self.member_index(first.worker)}
        second = others._choose(0, job)
        return first, second if second.worker is not None else None

    def refusals(self, job: Mapping[str, Any]) -> Counts:
        """The reasons of those members who cannot take the job, when others can."""
        if not self.members or destination(job) is None:
            return self.reasons(job)
        counts: Counts = {}
        for member, name in enumerate(self.names()):
            code = self.code_of(job, member)
            if code is not None:
                count, example = counts.get(code, (0, name))
                counts[code] = count + 1, example
        return counts

    def code_of(self, job: Mapping[str, Any], member: int) -> str | None:
        """Why this member cannot take the job; None when it fits."""
        if any(each.member == member for each in self.candidates(job)):
            return None
        return self._barrier(job, member) or self._obstacle(job, member)

    def distances(self, job: Mapping[str, Any]) -> dict[str, float]:
        """Great circle to the job for every member that has a reference position on its day."""
        whole = range(len(self.members))
        return {
            self.names()[i]: self._distance(job, i) for i in whole if self._member_day(job, i)[0].begins is not None
        }

    def names(self) -> list[str]:
        return [str(self._name(member)) for member in range(len(self.members))]

    def holder(self, key: str) -> tuple[int, date, Stop]:
        """Who has the stop with this key, and on which day."""
        found = [(*at, stop) for at, route in self.routes.items() for stop in route if stop.key == key]
        assert len(found) == 1, f"{len(found)} stops with the key {key}"
        return found[0]

    def member_index(self, worker: str) -> int:
        member = self._find("username", worker)
        assert member is not None
        return member
