"""Makes the records of a world in Hellotracks' own field names: members, teams, saved stops, jobs, settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from tests.oracle.pools import (
    BAD_HOURS,
    BAD_WINDOWS,
    DAYS,
    HOME_ZONES,
    HOURS,
    LONG_STAYS,
    MAPS,
    MODES,
    NO_PLACES,
    NOWS,
    OTHER_ZONES,
    STAYS,
    WINDOWS,
)
from tests.oracle.sources import Source

Json = dict[str, Any]


class WorldMaker:
    """Makes the records of one world, which share a map, a zone and a day."""

    def __init__(self, source: Source, *, maps: Mapping[str, Sequence[tuple[float, float]]] = MAPS) -> None:
        self.source = source
        self.now = source.pick(NOWS)
        self.zone = source.pick(HOME_ZONES)
        self.map = maps[source.pick(tuple(maps))]
        self.loaded = source.pick((False, False, True))
        self.staffed = source.pick((False, False, True))
        self.stays = source.pick((STAYS, STAYS, LONG_STAYS))
        self.favourite_day = source.pick((self.day(1), self.day(1), 0, self.day(0)))

    # ---- members ----

    def account(self, index: int) -> Json:
        source = self.source
        account: Json = {"uid": f"u{index}", "username": f"m{index}", "role": "worker", "timezone": self.zone}
        start = self.place("route_start_lat", "route_start_lng")
        account |= source.pick((start, start, {"location": self.location()}, start | {"location": self.location()}))
        if self.source.pick((False, True)):
            account |= self.place("route_end_lat", "route_end_lng")
        hours = source.pick((None, self.hours(), self.hours()))
        if hours is not None:
            account["working_hours"] = hours
        account["teams"] = source.pick(([], [1], [2, 1], [1, 2, 3], [9, 3]))
        account["travel_mode"] = source.pick(MODES) if source.rarely() else "car"
        if self.loaded:
            account["vehicle_capacity"] = source.pick((0, 2, 3, 5))
        if self.staffed:
            account |= source.pick(({}, {"skills": ["gas"]}, {"skills": [" GAS", "Water"]}, {"skills": []}))
        if source.rarely():
            account["route_start_time"] = source.pick((-1, 0, 540, 615, 1439, None, 1500))
        if source.rarely():
            account["timezone"] = source.pick(OTHER_ZONES)
        for _ in range(2):
            if source.rarely():
                account |= source.pick(self.oddities())
        return account

    def oddities(self) -> tuple[Json, ...]:
        """What makes a member unusual; most of these keep jobs away."""
        until = self.now + timedelta(hours=self.source.pick((3, 14, -1)))
        return (
            {"ignore_working_hours_until_ts": int(until.timestamp() * 1000)},
            {"working_hours": {"monday": {"start": 0, "end": 0}}}
            | {"ignore_working_hours_until_ts": int(until.timestamp() * 1000)},
            {"role": self.source.pick(("operator", "dispatcher", "admin", "administrator", "", None))},
            {"active_status": "suspended"},
            {"moving": "offduty"},
            {"states": {"moving": "offduty"}},
            {"status_label": " on BREAK"},
            {"username": self.source.pick(("", None))},
            {"teams": self.source.pick((None, [None, 1], "1"))},
            {"skills": self.source.pick((None, ["GAS"]))},
            {"location": None, "route_start_lat": None, "teams": []},
            {"location": "here"},
            {"working_hours": []},
            {"vehicle_capacity": -1},
            {"moving": "idling", "states": None},
        )

    def location(self) -> Json:
        age = self.source.pick((60, 900, 901, -60, 86_400))
        ts = self.source.pick((0, None)) if self.source.rarely() else int((self.now.timestamp() - age) * 1000)
        return self.place("lat", "lng") | ({} if ts is None else {"ts": ts})

    def hours(self) -> Any:
        """A schedule: mostly the same on all days, sometimes with gaps and garbage."""
        source = self.source
        if source.rarely():
            return source.pick(({}, {"source": "team"}, None, "always", []))
        start, end = source.pick(HOURS)
        schedule: Json = {day: {"start": start, "end": end} for day in DAYS}
        if source.rarely():
            schedule[source.pick(DAYS)] = source.pick(BAD_HOURS)
        if source.rarely():
            start, end = source.pick(HOURS)
            schedule[source.pick(DAYS)] = {"start": start, "end": end}
        if source.rarely():
            del schedule[DAYS[self.now.weekday()]]
        return schedule | {"source": "individual"}

    def company(self) -> Json | None:
        if self.source.rarely():
            return self.source.pick((None, {}, {"teams_config": None}))
        teams: list[Json] = [
            {"id": 1},
            {"id": 2, "working_hours": self.hours()},
            {"id": 3, "working_hours": self.hours()},
        ]
        names = self.source.pick((("route_start_lat", "route_start_lng"), ("start_lat", "start_lng"), ("lat", "lng")))
        teams[1]["route"] = self.place(*names)
        if self.source.rarely():
            teams.insert(0, self.source.pick(({"name": "no id"}, {"id": None}, {"id": 9, "working_hours": None})))
        teams[-1]["route"] = self.source.pick((None, {}, self.place("lat", "lng")))
        return {"uid": "acme", "teams_config": teams}

    # ---- jobs ----

    def job(self, index: int, members: int) -> Json:
        """A valid job of a batch."""
        source = self.source
        job = self.task()
        window = source.pick(WINDOWS)
        job |= {"windowStart": window[0], "windowEnd": window[1]}
        key = source.pick((f"j{index}", f"j{index}", f"j{source.between(0, 3)}", f"s{source.between(0, 3)}", "", None))
        job |= {} if key is None else {"uidSecondary": key}
        if self.staffed:
            job["teamId"] = source.pick((0, 0, 0, 0, 1, 2, 3, 4))
            job |= source.pick(
                ({}, {}, {}, {}, {"custom_skills": "gas"}, {"customFields": [{"key": "skills", "val": "WATER, gas"}]})
            )
        if source.rarely():
            names = source.pick(("m0", "u1, m2", "m0,u0,m1", "M0"))
            job |= source.pick(
                ({"custom_excluded_workers": names}, {"customFields": [{"key": "excluded_workers", "val": names}]})
            )
        job |= source.pick(
            ({}, {"priority": 5}, {"priority": 10}, {"priority": 0}, {"priority": 6}, {"priority": None})
        )
        if source.rarely():
            who = source.between(0, max(0, members - 1))
            job |= source.pick(
                ({"worker": f"m{who}"}, {"receiverUid": f"u{who}"}, {"worker": "zoe"}, {"receiverUid": "u-zoe"})
            )
            job |= self.order()
            if job.get("tsCreated") == 0:
                del job["tsCreated"]
        if source.rarely():
            job |= source.pick(
                (
                    {"worker": None, "receiverUid": ""},
                    {"teamId": None},
                    {"windowStart": None, "windowEnd": None},
                    {"onSiteSeconds": None},
                    {"itemsToDropoff": None, "itemsToPickup": None},
                    {"customFields": None},
                    {"customFields": [{"key": "colour", "val": "gas"}, {"key": "skills", "val": " , "}]},
                    {"custom_skills": "", "custom_excluded_workers": None},
                    {"day": None},
                )
            )
        return job

    def saved_job(self, index: int, members: int) -> Json:
        """A saved stop, now and then one that is over, undated, unreadable or somebody else's."""
        source = self.source
        who = source.between(0, max(0, members - 1))
        job = self.task() | {"uidSecondary": f"s{index}"} | self.order()
        job |= source.pick(
            (
                {"worker": f"m{who}"},
                {"worker": f"m{who}"},
                {"worker": "", "assigneeUsername": f"m{who}"},
                {"receiverUid": f"u{who}"},
            )
        )
        window = source.pick(BAD_WINDOWS) if source.rarely() else source.pick(WINDOWS)
        job |= {"windowStart": window[0], "windowEnd": window[1]}
        if source.rarely():
            job |= source.pick(
                (
                    {"tsCheckIn": 5},
                    {"tsDoneSuccess": 5},
                    {"tsDoneFailed": 5},
                    {"tsRejected": 5},
                    {"status": "archived"},
                    {"day": 0},
                    {"day": None},
                    {"day": 20261301},
                    {"worker": "zoe"},
                    {"onSiteSeconds": -5},
                    {"onSiteSeconds": "long"},
                    {"onSiteSeconds": 36_000},
                    {"itemsToDropoff": 9},
                    {"uidSecondary": None},
                )
            )
        if source.pick((False, False, False, False, False, True)):
            job["tsCheckIn"] = 5
        return job

    def task(self) -> Json:
        """What saved stops and jobs share: place, day, stay and items."""
        source = self.source
        task = self.place("destinationLat", "destinationLng")
        day = self.favourite_day
        if source.rarely():
            day = source.pick((0, self.day(0), self.day(1), self.day(-1), self.day(2)))
        task |= {} if day == 0 and source.rarely() else {"day": day}
        stay = source.pick(self.stays)
        task |= {} if stay is None else {"onSiteSeconds": stay}
        if self.loaded:
            task |= source.pick(
                ({}, {"itemsToDropoff": 1}, {"itemsToPickup": 2}, {"itemsToDropoff": 2, "itemsToPickup": 1})
            )
        return task

    def order(self) -> Json:
        return {
            "number": self.source.pick((0, 1, 2, 3)),
            "scheduledStart": self.source.pick((0, 0, 1000, 2000)),
            "tsCreated": self.source.pick((0, 5, 1000)),
        } | (dict.fromkeys(("number", "scheduledStart", "tsCreated")) if self.source.rarely() else {})

    def day(self, ahead: int) -> int:
        return int(f"{date(self.now.year, self.now.month, self.now.day) + timedelta(days=ahead):%Y%m%d}")

    def place(self, lat: str, lng: str) -> Json:
        where: tuple[Any, Any] = self.source.pick(self.map)
        if self.source.rarely() and self.source.rarely():
            where = self.source.pick(NO_PLACES)
        return {lat: where[0], lng: where[1]}

    # ---- settings ----

    def settings(self, members: int) -> Json:
        source = self.source
        settings: Json = {"policy": source.pick(("nearest", "least_detour")), "timezone": self.zone}
        settings["max_jobs_per_day"] = source.pick((0, 0, 0, 0, 0, 0, 4, 8))
        settings["working_hours_unit"] = source.pick(("hhmm", "hhmm", "minutes"))
        settings["unavailable_labels"] = ("On break",)
        if source.rarely():
            settings["max_distance_km"] = source.pick((2.0, 3.5, 30.0))
        if source.rarely():
            settings["default_shift"] = source.pick(("08:00-17:00", "22:00-06:00", "00:00-00:00", "06:00-06:00"))
        if source.rarely():
            settings["stale_location"] = "ignore"
        if source.rarely():
            settings["assignable_roles"] = source.pick(
                (("worker", "operator"), ("administrator", "worker"), ("", "worker"))
            )
        if source.rarely():
            settings["circuity"] = source.pick((1.0, 2.0))
        if source.rarely():
            settings["max_location_age_s"] = source.pick((0.0, 100_000.0))
        if self.staffed:
            settings["member_skills"] = {f"m{index}": ("gas", "water") for index in range(0, members, 2)}
        return settings
