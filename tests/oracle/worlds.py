"""Whole worlds for comparing: a fleet, its saved routes, settings and batches of jobs, made dense on purpose.

Places and times come from small pools, so that ties, full days and every kind of refusal meet in most worlds. One maker
serves both sources of choice: hypothesis (which shrinks: the plainest option stands first in every pool) and a seeded
`random.Random` (fast, for bulk).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from math import asin, degrees
from random import Random
from typing import Any, Protocol, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")
Json = dict[str, Any]


class Source(Protocol):
    """Where choices come from."""

    def pick(self, options: Sequence[T]) -> T: ...

    def rarely(self) -> bool: ...

    def between(self, low: int, high: int) -> int: ...


class SeededSource:
    """Choices of a seeded generator, each with a chance of its own for everything unusual."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._rare = random.choice((0.01, 0.05, 0.2))

    def pick(self, options: Sequence[T]) -> T:
        return self._random.choice(options)

    def rarely(self) -> bool:
        return self._random.random() < self._rare

    def between(self, low: int, high: int) -> int:
        return self._random.randint(low, high)


class DrawnSource:
    """Choices of hypothesis."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self._rare = draw(st.sampled_from((30, 12, 5)))

    def pick(self, options: Sequence[T]) -> T:
        return options[self._draw(st.integers(0, len(options) - 1))]

    def rarely(self) -> bool:
        return self._draw(st.integers(1, self._rare)) == self._rare

    def between(self, low: int, high: int) -> int:
        return self._draw(st.integers(low, high))


@dataclass(frozen=True)
class World:
    """Everything a decision depends on, and the batches to decide one after the other."""

    accounts: list[Json]
    company: Json | None
    routes: list[Json]
    settings: Json
    now: float
    batches: list[list[Json]]


NOWS = (
    datetime(2026, 11, 30, 7, 30, tzinfo=UTC),
    datetime(2026, 11, 30, 4, 0, tzinfo=UTC),
    datetime(2026, 11, 30, 9, 0, 30, 500_000, tzinfo=UTC),
    datetime(2026, 11, 30, 16, 45, tzinfo=UTC),
    datetime(2026, 11, 30, 23, 30, tzinfo=UTC),
    datetime(2026, 11, 30, 10, 30, tzinfo=UTC),
    datetime(2026, 3, 29, 0, 30, tzinfo=UTC),
    datetime(2026, 3, 29, 5, 0, tzinfo=UTC),
    datetime(2026, 3, 28, 23, 30, tzinfo=UTC),
    datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
    datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
    datetime(2026, 10, 25, 6, 15, tzinfo=UTC),
)
HOME_ZONES = ("UTC", "Europe/Rome", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kolkata", "America/New_York")
OTHER_ZONES = ("Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC", "Mars/Olympus", "", None, 7)


def clustered_places(random: Random, *, count: int) -> tuple[tuple[float, float], ...]:
    """Places around a few cities, most within ten kilometres of a centre."""
    centres = ((45.46, 9.19), (45.44, 12.33), (41.9, 12.5), (46.06, 13.24), (-33.87, 151.21))
    around = [(random.choice(centres), random.gauss(0, 0.08), random.gauss(0, 0.08)) for _ in range(count)]
    return tuple((lat + north, lng + east) for (lat, lng), north, east in around)


def scattered_places(random: Random, *, count: int) -> tuple[tuple[float, float], ...]:
    """Places all over the sphere, some of them near the poles and the date line."""
    places = [(degrees(asin(random.uniform(-1, 1))), random.uniform(-180, 180)) for _ in range(count - 60)]
    places += [(random.uniform(85, 90), random.uniform(-180, 180)) for _ in range(30)]
    places += [(random.uniform(-5, 5), random.choice((-1, 1)) * random.uniform(175, 180)) for _ in range(30)]
    return tuple(places)


MAPS: dict[str, tuple[tuple[float, float], ...]] = {
    "city": tuple((45.0 + row * 0.02, 9.0 + column * 0.02) for row in range(3) for column in range(3)),
    "county": tuple((45.0 + row * 0.25, 9.0 + column * 0.25) for row in range(3) for column in range(3)),
    "date line": ((0.0, 179.9), (0.0, -179.9), (0.0, 180.0), (0.0, -180.0), (0.1, 179.95), (-0.1, -179.95)),
    "pole": ((90.0, 0.0), (90.0, 120.0), (89.9, 0.0), (89.9, 180.0), (89.9, -180.0), (89.9, -90.0), (89.8, 45.0)),
    "long way home": ((45.0, 9.0), (45.02, 9.0), (45.0, 9.02), (49.5, 9.0), (45.01, 9.0)),
    "one street": ((45.0, 9.0), (45.01, 9.0), (45.02, 9.0), (45.03, 9.0)),
}
WIDE_MAPS = {
    "clusters": clustered_places(Random(1), count=400),
    "globe": scattered_places(Random(2), count=400),
    "one street": MAPS["one street"],
    "city": MAPS["city"],
}
"""Maps of big fleets, on which a spatial index has branches to skip; on the narrow ones everything ties."""
NO_PLACES: tuple[tuple[Any, Any], ...] = (
    (None, None),
    (0, 0.0),
    (90.5, 9.0),
    (45.0, -180.5),
    (float("nan"), 9.0),
    (45.0, float("inf")),
    (45.0, None),
)
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
HOURS: tuple[tuple[Any, Any], ...] = (
    (800, 1800),
    (800, 1800),
    (700, 1200),
    (900, 1730),
    (480, 1020),
    (600, 1200),
    (2200, 600),
    (600, 600),
    (0, 2400),
    (0, 1440),
    (1300, 2130),
    (0, 0),
)
BAD_HOURS: tuple[Any, ...] = (
    {"start": 800, "end": 2575},
    {"start": -10, "end": 900},
    {"start": 1980, "end": 2000},
    {"start": 8.5, "end": 1700},
    {"start": None, "end": 1700},
    {"end": 1700},
    {},
    None,
    "closed",
)
WINDOWS = (
    (0, 2400),
    (0, 2400),
    (0, 2400),
    (0, 2400),
    (0, 0),
    (0, 1200),
    (900, 1700),
    (1200, 1800),
    (800, 1000),
    (900, 930),
    (1000, 1200),
    (1100, 1100),
    (1300, 1700),
    (1700, 1800),
    (0, 900),
    (1800, 0),
    (2200, 2359),
    (1800, 1900),
)
BAD_WINDOWS: tuple[tuple[Any, Any], ...] = (
    (2575, 2590),
    (1200, 900),
    (None, None),
    ("ten", 1100),
    (860, 999),
    (-1, 2401),
)
STAYS = (600, 0, 300, 1800, 3600, 7200, None)
LONG_STAYS = (3600, 5400, 7200, 10_800)
MODES = ("car", "truck", "bicycle", "pedestrian", "van", "motorcycle", "rocket", None)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Small dense worlds for hypothesis."""
    return world(DrawnSource(draw), members=(0, 6), stops=(0, 8), jobs=(0, 12))


def seeded_world(seed: int, *, members: tuple[int, int], stops: tuple[int, int], jobs: tuple[int, int]) -> World:
    """The world of a seed; the three ranges bound members, saved stops and jobs a batch."""
    return world(SeededSource(Random(seed)), members=members, stops=stops, jobs=jobs)


def big_world(seed: int, *, members: int, jobs: int) -> World:
    """A fleet that an index has to search, on a wide map."""
    maker = WorldMaker(SeededSource(Random(seed)), maps=WIDE_MAPS)
    return world_of(maker, members=(members // 2, members), stops=(0, members), jobs=(jobs, jobs))


def crowded_world(seed: int, *, members: int, jobs: int) -> World:
    """One city, sober records, two-hour windows and more visits than fit: what decides is *when* there is room."""
    random = Random(seed)
    places = [(45.46 + random.gauss(0, 0.05), 9.19 + random.gauss(0, 0.07)) for _ in range(members + jobs // 2)]
    now = datetime(2026, 11, 30, random.choice((4, 8)), 0, tzinfo=UTC)
    day = random.choice((20261130, 20261201))
    accounts = []
    for index in range(members):
        start = random.choice(places)
        account: Json = {"uid": f"u{index}", "username": f"m{index}", "role": "worker", "timezone": "Europe/Rome"}
        account |= {
            "route_start_lat": start[0],
            "route_start_lng": start[1],
            "teams": random.choice(([1], [2], [1, 2])),
        }
        if random.random() < 0.5:
            account |= {"route_end_lat": start[0], "route_end_lng": start[1]}
        shift = random.choice(((800, 1800), (700, 1500), (1200, 2000)))
        account |= {"working_hours": {name: {"start": shift[0], "end": shift[1]} for name in DAYS}}
        accounts.append(account | {"vehicle_capacity": random.choice((0, 0, 6))})
    batch = []
    for index in range(jobs):
        there, opens = random.choice(places), random.randint(8, 16)
        job: Json = {"uidSecondary": f"j{index}", "destinationLat": there[0], "destinationLng": there[1], "day": day}
        job |= {"windowStart": opens * 100, "windowEnd": opens * 100 + 200, "priority": random.randint(0, 10)}
        job |= {"onSiteSeconds": random.choice((600, 1200, 2400, 3600)), "teamId": random.choice((0, 1, 2))}
        batch.append(job | random.choice(({}, {}, {"itemsToDropoff": 1}, {"itemsToPickup": 1})))
    settings = {"policy": random.choice(("nearest", "least_detour")), "timezone": "Europe/Rome"}
    return World(accounts, None, [], settings, now.timestamp(), [batch])


def world(source: Source, *, members: tuple[int, int], stops: tuple[int, int], jobs: tuple[int, int]) -> World:
    return world_of(WorldMaker(source), members=members, stops=stops, jobs=jobs)


def world_of(made: WorldMaker, *, members: tuple[int, int], stops: tuple[int, int], jobs: tuple[int, int]) -> World:
    source = made.source
    accounts = [made.account(index) for index in range(source.between(*members))]
    if accounts and source.rarely():
        accounts.append(source.pick(accounts) | {"role": "worker", "teams": [1]})
    return World(
        accounts=accounts,
        company=made.company(),
        routes=[made.saved_job(index, len(accounts)) for index in range(source.between(*stops))],
        settings=made.settings(len(accounts)),
        now=made.now.timestamp(),
        batches=[
            [made.job(index, len(accounts)) for index in range(source.between(*jobs))]
            for _ in range(2 if source.rarely() else 1)
        ],
    )


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
