"""A plan's files, decisions and day routes as one scene."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from dispatcher.picture.crew import Crew
from dispatcher.picture.scene import Call, Crewmate, DayRoute, Place, PlannedJob, Scene, Spot
from engine import Decision, Engine, EngineSettings
from engine.decision import JOB_REASONS, MEMBER_REASONS
from engine.job import Job, read_job, read_stop
from engine.sphere import RADIUS_M

CLOSEST = {code: rank for rank, code in enumerate((*JOB_REASONS, *MEMBER_REASONS))}
"""Codes in the order in which they are asked: a member who fails a late one came closer to taking the job."""


def compose(
    *,
    accounts: Sequence[Mapping[str, Any]],
    company: Mapping[str, Any] | None,
    saved: Sequence[Mapping[str, Any]],
    jobs: Sequence[Mapping[str, Any]],
    decisions: Sequence[Decision],
    engine: Engine | None,
    settings: EngineSettings,
    policy: str,
    now: float,
) -> Scene:
    """Everything that a picture of a plan shows.

    Args:
        accounts: of a `getaccounts` reply, as given to the engine.
        company: of a `getcompany` reply.
        saved: of a `getjobs` reply: stops that members had before.
        jobs: of the plan, in Hellotracks' field names.
        decisions: one for each job, with reasons.
        engine: after it has decided; None under the policy `none` (there are no day routes then).
        settings: the engine's.
        policy: the dispatcher's.
        now: Unix seconds.
    """
    crew = Crew(accounts, company, settings, now)
    account_day = int(datetime.fromtimestamp(now, ZoneInfo(settings.timezone)).strftime("%Y%m%d"))
    spots: list[Spot] = []
    planned: list[PlannedJob] = []
    for index, (body, decision) in enumerate(zip(jobs, decisions, strict=True)):
        read = read_job(index, body)
        member = crew.number(decision.worker)
        spots.append(_spot(read, body, decision.key or ""))
        planned.append(
            PlannedJob(
                spot=spots[-1],
                day=read.day or (crew.today(member) if member >= 0 else account_day),
                member=member,
                worker=decision.worker,
                preassigned=decision.preassigned,
                start_s=decision.start_s,
                distance_m=decision.distance_m,
                added_travel_s=decision.added_travel_s,
                reason=_closest(decision),
                reasons={code: (why.count, why.example) for code, why in (decision.reasons or {}).items()},
            )
        )
    days = sorted({job.day for job in planned}) or [account_day]
    routes = (
        _routes(engine, crew, days, saved=saved, spots=spots, planned=planned, circuity=settings.circuity)
        if engine
        else []
    )
    first = crew.outsets(days[0])
    return Scene(
        now=now,
        timezone=settings.timezone,
        policy=policy,
        members=[
            Crewmate(
                name=member.name,
                title=title,
                place=outset.start,
                begin_s=outset.begin_s,
                end_s=outset.end_s,
                open=outset.open,
            )
            for member, title, outset in zip(crew.members, crew.titles, first, strict=True)
        ],
        jobs=planned,
        spots=spots,
        routes=routes,
    )


def _routes(
    engine: Engine,
    crew: Crew,
    days: Sequence[int],
    *,
    saved: Sequence[Mapping[str, Any]],
    spots: list[Spot],
    planned: Sequence[PlannedJob],
    circuity: float,
) -> list[DayRoute]:
    """The day routes as the engine holds them; stops that members had before are added to `spots`."""
    number_of: dict[str, int] = {}
    for record in saved:
        stop = read_stop(record)
        if stop is not None:
            for name in (stop.key, stop.uid):
                if name is not None:
                    number_of[name] = len(spots)
            spots.append(_spot(stop, record, stop.key or stop.uid or ""))
    number_of |= {job.spot.key: index for index, job in enumerate(planned)}
    routes = []
    for day in days:
        outsets = crew.outsets(day)
        for number, member in enumerate(crew.members):
            stops = [] if member.username is None else engine.route(member.username, day)
            if not stops:
                continue
            calls = [
                Call(spot=number_of[s.key], arrive_s=s.arrive_s, start_s=s.start_s, leave_s=s.leave_s)
                for s in stops
                if s.key in number_of
            ]
            outset = outsets[number]
            places = (outset.start, *(spots[call.spot].place for call in calls), outset.end)
            way = [place for place in places if place is not None]
            routes.append(
                DayRoute(
                    member=number,
                    day=day,
                    start=outset.start,
                    end=outset.end,
                    calls=calls,
                    travel_m=circuity * sum(_metres(a, b) for a, b in pairwise(way)),
                )
            )
    return routes


def _spot(read: Job, record: Mapping[str, Any], key: str) -> Spot:
    title = record.get("destinationName")
    return Spot(
        key=key,
        title=title.strip() if isinstance(title, str) else "",
        place=None if math.isnan(read.lat) or math.isnan(read.lng) else (read.lat, read.lng),
        opens_s=read.opens_s,
        closes_s=read.closes_s,
    )


def _closest(decision: Decision) -> str:
    """Of the reasons why not, the one that stopped the members who came closest to taking the job."""
    return max(decision.reasons or {}, key=lambda code: CLOSEST[code], default="")


def _metres(a: Place, b: Place) -> float:
    """Great circle by the haversine formula."""
    lat1, lng1, lat2, lng2 = (math.radians(angle) for angle in (*a, *b))
    h = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lng2 - lng1) / 2) ** 2
    return 2 * RADIUS_M * math.asin(math.sqrt(min(1.0, h)))
