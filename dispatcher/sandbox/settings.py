"""What can be chosen about a sandbox."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dispatcher.sandbox.cities import cities_named
from dispatcher.sandbox.faults import parse_faults
from dispatcher.sandbox.webhooks import STYLES
from dispatcher.sandbox.windows import parse_limits


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """Settings of one sandbox, checked when they are made.

    Attributes:
        host: address to listen on.
        port: TCP port, 0 for a free one.
        api_key: the key that clients must send; None takes any that is not empty.
        members: the `accounts` of a `getaccounts` reply; None makes up a fleet.
        company: the `company` of a `getcompany` reply; None makes one up that fits the members.
        jobs: saved job objects to start with.
        fleet_size: members of a made-up fleet.
        seed: of the fleet, the ids, the faults and the jitter.
        city: comma-separated city names for a made-up fleet; empty: the first five of the table, `all`: the whole.
        limits: such as "10/s, 300/min": sliding windows per key, answered by 429 with Retry-After. Empty: none.
        latency_s: every reply waits this long; what the request asked for is done before.
        latency_jitter_s: up to so much more, drawn per request.
        faults: shares by kind, such as "429:0.05, slow:0.02" or "all:0.3"; kinds in `FAULTS`. Empty: none.
        faults_on: paths that faults apply to.
        slow_s: how late the faults `slow` and `slow-before` are.
        retry_after_s: what the fault `429-retry-after` asks for.
        max_batch_jobs: a createjobs request with more jobs is answered by 413; 0: no limit.
        max_body_bytes: a larger body is answered by 413; 0: no limit.
        poison: a createjobs request with a job whose `destinationName` contains this text is refused as a whole,
            without saying which job it was. Empty: none is.
        hook_url: where what happens to jobs is posted to, as Hellotracks' webhooks do. Empty: nowhere.
        hook_header, hook_key: what each such delivery shows; an empty key: nothing.
        hook_style: "new" or "old", the two documented forms.
        now: the wall clock, Unix seconds.

    Raises:
        ValueError: a setting that cannot be used; the message begins with its name.
    """

    host: str = "127.0.0.1"
    port: int = 0
    api_key: str | None = None
    members: Sequence[Mapping[str, Any]] | None = None
    company: Mapping[str, Any] | None = None
    jobs: Sequence[Mapping[str, Any]] = ()
    fleet_size: int = 50
    seed: int = 0
    city: str = ""
    limits: str = ""
    latency_s: float = 0.0
    latency_jitter_s: float = 0.0
    faults: str = ""
    faults_on: Sequence[str] = ("/api/createjobs",)
    slow_s: float = 15.0
    retry_after_s: float = 1.0
    max_batch_jobs: int = 0
    max_body_bytes: int = 0
    poison: str = "POISON"
    hook_url: str = ""
    hook_header: str = "Authorization"
    hook_key: str = ""
    hook_style: str = "new"
    now: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise ValueError(f"port: {self.port} is not from 0 to 65535")
        if self.api_key == "":
            raise ValueError("api_key: must not be empty; leave it out to take any key")
        for name in (
            "fleet_size",
            "latency_s",
            "latency_jitter_s",
            "slow_s",
            "retry_after_s",
            "max_batch_jobs",
            "max_body_bytes",
        ):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name}: must not be negative")
        for name, objects in (("members", self.members or ()), ("jobs", self.jobs)):
            for i, entry in enumerate(objects):
                if not isinstance(entry, Mapping):
                    raise ValueError(f"{name}: element {i} is not an object")  # noqa: TRY004 - one type for bad settings
        if self.hook_style not in STYLES:
            raise ValueError(f'hook_style: must be one of {", ".join(STYLES)}, not "{self.hook_style}"')
        cities_named(self.city)
        parse_limits(self.limits)
        parse_faults(self.faults)
