"""Whole worlds for comparing: a fleet, its saved routes, settings and batches of jobs, made dense on purpose.

Places and times come from small pools, so that ties, full days and every kind of refusal meet in most worlds. One maker
serves both sources of choice: hypothesis and a seeded `random.Random`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

from hypothesis import strategies as st

from tests.oracle.pools import DAYS, WIDE_MAPS
from tests.oracle.records import Json, WorldMaker
from tests.oracle.sources import DrawnSource, SeededSource, Source


@dataclass(frozen=True)
class World:
    """Everything a decision depends on, and the batches to decide one after the other."""

    accounts: list[Json]
    company: Json | None
    routes: list[Json]
    settings: Json
    now: float
    batches: list[list[Json]]


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
