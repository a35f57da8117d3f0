"""What two looks at a daemon say of its accounts: counts, rates, and what work waits for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from dispatcher.cli.scrape import Scrape

STATES = ("accepted", "assigned", "sending", "unknown", "held", "confirmed", "rejected", "dead")
SETTLED = frozenset({"confirmed", "rejected", "dead"})
WAITS = {
    "limit": "the rate limit",
    "concurrency": "a free request",
    "blocked": "back-pressure to end",
    "breaker": "the server to come back",
    "denied": "access",
}
"""Reasons of `dispatcher_waited_seconds_total` in words."""
LEAST_WAIT = 0.02
"""Part of the time between two looks that must have been waited to be worth a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """What the daemon knows of an account's members.

    Attributes:
        members: how many there are.
        age_s: since they were read, None before the first time.
        usable: False while the fallback decides for want of them.
    """

    members: int
    age_s: float | None
    usable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One account. Rates are per second since the look before, None at the first look and after a restart.

    Attributes:
        account: its name.
        ready: takes jobs and sends them.
        reason: why not, "" when it is.
        jobs: in the spool, by state.
        accepted_per_s, confirmed_per_s: jobs.
        throttled: replies 429 since the daemon's start.
        throttled_per_s: the same as a rate.
        in_flight: requests to Hellotracks under way.
        limit: how many may be, adaptive.
        most: how many it may be at most, None when the daemon does not say.
        waiting_for: what work waits for, "" for nothing.
        blocked_s: how long the account still waits for a server that asked it to.
        batch_jobs: mean jobs of a request since the start.
        round_trip_s: the usual one, None before the first.
        oldest_s: age of the oldest job that is not through, None when all are.
        fleet: None when no engine decides.
    """

    account: str
    ready: bool
    reason: str
    jobs: dict[str, int]
    accepted_per_s: float | None
    confirmed_per_s: float | None
    throttled: int
    throttled_per_s: float | None
    in_flight: int
    limit: int
    most: int | None
    waiting_for: str
    blocked_s: float
    batch_jobs: float | None
    round_trip_s: float | None
    oldest_s: float | None
    fleet: Fleet | None


def readings(now: Scrape, before: Scrape | None) -> list[Reading]:
    """Every account of a daemon; `before` is an earlier look at the same one."""
    if before is not None and before.value("process_start_time_seconds") != now.value("process_start_time_seconds"):
        before = None
    return [_reading(name, now, before) for name in now.accounts]


def _reading(name: str, now: Scrape, before: Scrape | None) -> Reading:
    requests = now.value("dispatcher_create_requests_total", account=name) or 0.0
    sent = now.value("dispatcher_sent_jobs_total", account=name) or 0.0
    most = now.value("dispatcher_concurrency_limit_max", account=name)
    return Reading(
        account=name,
        ready=bool(now.value("dispatcher_ready", account=name)),
        reason=now.reasons.get(name, ""),
        jobs=_jobs(now, name),
        accepted_per_s=_rate(now, before, "dispatcher_accepted_jobs_total", account=name, missing=0.0),
        confirmed_per_s=_confirmed_rate(now, before, name),
        throttled=round(now.value("dispatcher_requests_total", account=name, outcome="throttled") or 0),
        throttled_per_s=_rate(now, before, "dispatcher_requests_total", account=name, outcome="throttled"),
        in_flight=round(now.value("dispatcher_requests_in_flight", account=name) or 0),
        limit=round(now.value("dispatcher_concurrency_limit", account=name) or 0),
        most=None if most is None else round(most),
        waiting_for=_waiting_for(now, before, name),
        blocked_s=now.value("dispatcher_blocked_seconds", account=name) or 0.0,
        batch_jobs=sent / requests if requests else None,
        round_trip_s=now.value("dispatcher_round_trip_seconds", account=name),
        oldest_s=_oldest_s(now, name),
        fleet=_fleet(now, name),
    )


def _jobs(now: Scrape, name: str) -> dict[str, int]:
    found = now.by("state", "dispatcher_jobs", account=name)
    return {state: round(found.get(state, 0)) for state in dict.fromkeys((*STATES, *found))}


def _oldest_s(now: Scrape, name: str) -> float | None:
    waiting = sum(count for state, count in _jobs(now, name).items() if state not in SETTLED)
    return now.value("dispatcher_jobs_oldest_unsettled_seconds", account=name) if waiting else None


def _rate(now: Scrape, before: Scrape | None, metric: str, missing: float | None = None, **labels: str) -> float | None:
    """Growth of a counter per second; `missing` stands for a counter that does not exist yet."""
    if before is None or now.monotonic <= before.monotonic:
        return None
    new, old = now.value(metric, **labels), before.value(metric, **labels)
    new, old = (missing if new is None else new), (missing if old is None else old)
    if new is None or old is None or new < old:
        return None
    return (new - old) / (now.monotonic - before.monotonic)


def _confirmed_rate(now: Scrape, before: Scrape | None, name: str) -> float | None:
    return _rate(now, before, "dispatcher_job_moves_total", account=name, state="confirmed", missing=0.0)


def _waiting_for(now: Scrape, before: Scrape | None, name: str) -> str:
    if now.value("dispatcher_denied", account=name):
        return "access: the server denies it"
    if now.value("dispatcher_breaker_open", account=name):
        return WAITS["breaker"]
    blocked_s = now.value("dispatcher_blocked_seconds", account=name) or 0.0
    if blocked_s > 0:
        return f"{WAITS['blocked']}, {math.ceil(blocked_s)} s more"
    grown = {reason: rate for reason, rate in _waits(now, before, name) if rate >= LEAST_WAIT}
    return WAITS.get(reason := max(grown, key=grown.__getitem__), reason) if grown else ""


def _waits(now: Scrape, before: Scrape | None, name: str) -> Iterator[tuple[str, float]]:
    """Part of the time since the look before that work has waited, by reason."""
    for reason in now.by("reason", "dispatcher_waited_seconds_total", account=name):
        rate = _rate(now, before, "dispatcher_waited_seconds_total", account=name, reason=reason)
        yield reason, rate or 0.0


def _fleet(now: Scrape, name: str) -> Fleet | None:
    members = now.value("dispatcher_fleet_members", account=name)
    if members is None:
        return None
    return Fleet(
        members=round(members),
        age_s=now.value("dispatcher_fleet_age_seconds", account=name),
        usable=bool(now.value("dispatcher_fleet_usable", account=name)),
    )


def document(base: str, now: Scrape, found: list[Reading]) -> dict[str, Any]:
    """The look as plain JSON values."""
    return {
        "url": base,
        "at": now.at,
        "up": True,
        "version": version(now),
        "ready": now.ready,
        "accounts": [asdict(reading) for reading in found],
    }


def version(now: Scrape) -> str:
    """The daemon's, "" when it does not say."""
    return next(iter(now.by("version", "dispatcher_build_info")), "")
