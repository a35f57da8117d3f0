"""The oracle of a fleet that changes: records, places, and stops that are moved, done or offered to somebody else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from tests.oracle.clock import calendar_day
from tests.oracle.days import Stop, enter_by_order, positions
from tests.oracle.oracle import Oracle, PlainDecision


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

    def holder(self, key: str) -> tuple[int, date, Stop]:
        """Who has the stop with this key, and on which day."""
        found = [(*at, stop) for at, route in self.routes.items() for stop in route if stop.key == key]
        assert len(found) == 1, f"{len(found)} stops with the key {key}"
        return found[0]

    def member_index(self, worker: str) -> int:
        member = self._find("username", worker)
        assert member is not None
        return member
