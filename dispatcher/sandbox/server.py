"""A Hellotracks that runs on this machine: start it, talk to it over HTTP, look at what it has seen."""

from __future__ import annotations

import asyncio
import time
from array import array
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader

from dispatcher.sandbox.api import LegacyApi
from dispatcher.sandbox.cities import cities_named
from dispatcher.sandbox.fleet import generated_fleet
from dispatcher.sandbox.frontdoor import FrontDoor
from dispatcher.sandbox.introspection import change_faults, introspect, outage_end
from dispatcher.sandbox.people import People, teams_of
from dispatcher.sandbox.request_data import read_day
from dispatcher.sandbox.settings import SandboxSettings
from dispatcher.sandbox.store import JobStore
from dispatcher.sandbox.v1 import ConnectorApi
from dispatcher.sandbox.webhooks import Webhooks

STOP_PATIENCE_S = 0.5
"""How long a stop waits for replies that are on their way out."""


class Sandbox:
    """A local server that speaks the Hellotracks API.

        async with Sandbox(SandboxSettings(limits="10/s")) as sandbox:
            ...  # talk to sandbox.url
            assert sandbox.created("EXT-1") == 1

    What it has created lives in memory, as long as the object: stopped and started again it still has its jobs, on the
    same port. Everything happens in the event loop that started it, so its attributes may be read at any time there.

    Attributes:
        settings: as given.
        store: the jobs.
        people: the members.
        door: the HTTP side: faults, traffic, limits, outage.
        webhooks: posts what happens to jobs; None: nobody wants to know.
        jobs: full job objects by `uidSecondary`.
    """

    def __init__(self, settings: SandboxSettings | None = None) -> None:
        self.settings = settings = settings or SandboxSettings()
        now = settings.now()
        accounts, company, made_up = _company_of(settings, now)
        self.people = People(accounts, fresh_at_ms=int(now * 1000) if made_up else None)
        self.store = JobStore(self.people, started_ms=int(now * 1000), seed=settings.seed)
        for i, job in enumerate(settings.jobs):
            try:
                self.store.load({**job, "day": read_day(job.get("day") or 0)}, now_ms=int(now * 1000))
            except Exception as error:
                raise ValueError(f"jobs: element {i} cannot be used: {error}") from error
        self._api = LegacyApi(
            self.store,
            self.people,
            company,
            now=settings.now,
            poison=settings.poison,
            max_batch_jobs=settings.max_batch_jobs,
        )
        self.door = FrontDoor(settings, self._api, ConnectorApi(self.store, self.people, company, now=settings.now))
        self.jobs: Mapping[str, dict[str, Any]] = _JobsByKey(self.store)
        self._runner: web.ServerRunner | None = None
        self._server: web.Server | None = None
        self._port = settings.port
        self.webhooks: Webhooks | None = None
        if settings.hook_url:
            self.hook_to(settings.hook_url)

    # Life

    async def start(self) -> str:
        """Listen; returns the base URL.

        Raises:
            OSError: the address cannot be listened on.
            RuntimeError: it is running already.
        """
        if self._runner is not None:
            raise RuntimeError("the sandbox is running already")
        self.door.open()
        server = web.Server(self._handle, request_factory=self._request, handler_cancellation=True, access_log=None)
        runner = web.ServerRunner(server, shutdown_timeout=STOP_PATIENCE_S)
        await runner.setup()
        site = web.TCPSite(runner, self.settings.host, self._port, backlog=1024)
        try:
            await site.start()
        except BaseException:
            await runner.cleanup()
            raise
        self._runner, self._server, self._port = runner, server, site.port
        if self.webhooks is not None:
            self.webhooks.open()
        return self.url

    async def stop(self) -> None:
        """Close every connection and forget what was to take effect later. Harmless when it does not run."""
        runner, self._runner, self._server = self._runner, None, None
        if runner is not None:
            if self.webhooks is not None:
                await self.webhooks.close()
            await self.door.close()
            await runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def port(self) -> int:
        """The port it listens on; before the first start the one of the settings."""
        return self._port

    @property
    def url(self) -> str:
        """Base URL, without a slash at the end."""
        host = self.settings.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self._port}"

    # What it has seen

    def created(self, key: str) -> int:
        """How often a job with this `uidSecondary` was created; more than 1 only after deletions."""
        return self.store.counters(key)["creates"]

    def sends(self, key: str) -> int:
        """How often the key came in a request that took effect."""
        return self.store.counters(key)["sends"]

    def updates(self, key: str) -> int:
        """How often such a request changed the job that was there."""
        return self.store.counters(key)["updates"]

    @property
    def arrivals(self) -> Mapping[str, array[float]]:
        """Arrival times of all requests by path, monotonic seconds, in order; bounded."""
        return self.door.traffic.arrivals

    def stats(self) -> dict[str, Any]:
        """Everything counted so far, ready for JSON.

        `creates` + `updates` + `repeats` is the number of jobs in createjobs requests that took effect: made anew,
        changed, found just as they came. `http_statuses` counts replies, `closed` those that never came whole. `peaks`
        holds per limit the most requests of one key that came within one window.
        """
        store, door = self.store, self.door
        traffic = door.traffic
        return {
            "jobs": len(store),
            "members": len(self.people.accounts),
            "creates": store.created,
            "updates": store.updated,
            "repeats": store.repeated,
            "deletes": store.deleted,
            "autoassign_requests": self._api.autoassign_requests,
            "workers_in_autoassign": self._api.workers_in_autoassign,
            "route_change_requests": self._api.route_change_requests,
            "requests": dict(traffic.requests),
            "http_statuses": dict(traffic.outcomes),
            "in_flight": traffic.in_flight,
            "max_in_flight": traffic.max_in_flight,
            "overlaps": traffic.overlaps,
            "late_overlaps": traffic.late_overlaps,
            "faults": dict(door.faults.drawn),
            "peaks": dict(door.windows.peaks),
            "limit_violations": door.windows.violations,
            "outage_refused": door.outage.refused,
            "webhooks": dict(self.webhooks.tally) if self.webhooks else {},
        }

    # What can be changed while it runs

    def set_faults(self, **wish: Any) -> None:
        """Change `faults`, `faults_on`, `seed`, `slow_s`, `retry_after_s`; `next=["slow", "none"]` is a script.

        Raises:
            ValueError: something cannot be used. Nothing was changed.
        """
        change_faults(self, wish)

    def set_member(self, username: str, **fields: Any) -> None:
        """Change fields of a member, such as `moving="offduty"` or `location={"lat": …, "lng": …, "ts": …}`.

        Raises:
            ValueError: there is no such member.
        """
        self.people.change(username, fields)

    def hook_to(self, url: str) -> None:
        """Post what happens to jobs to a URL from now on."""
        settings = self.settings
        self.webhooks = Webhooks(
            url,
            header=settings.hook_header,
            key=settings.hook_key,
            style=settings.hook_style,
            account=str((settings.company or {}).get("username") or "company@sandbox.example"),
        )
        self.store.watcher = self.webhooks.happened
        if self._runner is not None:
            self.webhooks.open()

    def set_outage(
        self, *, seconds: float | None = None, down: bool | None = None, mode: str = "close", spare: object = None
    ) -> None:
        """Be down for some seconds, or until told otherwise; connections that are open now are closed.

        Args:
            seconds: how long.
            down: True: until `down=False`.
            mode: "close" closes every connection at once, "503" answers so.
            spare: the connection (aiohttp protocol) that is left open because it carries this very wish.

        Raises:
            ValueError: neither or both of `seconds` and `down`, or an unknown mode.
        """
        until = outage_end(seconds, down)
        if until is None:
            self.door.outage.end()
            return
        self.door.outage.begin(until=until, mode=mode)
        if mode == "close" and self._server is not None:
            for connection in self._server.connections:
                if connection is not spare and connection.transport is not None:
                    connection.transport.abort()

    @property
    def down(self) -> bool:
        """True during an outage."""
        return self.door.outage.is_down(time.monotonic())

    # HTTP

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path.startswith("/sandbox/"):
            return await introspect(self, request)
        return await self.door.handle(request)

    def _request(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: web.RequestHandler,
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> web.BaseRequest:
        """The ordinary request, with this sandbox's limit on the body (0: none) instead of 1 MiB."""
        loop = asyncio.get_running_loop()
        limit = self.settings.max_body_bytes
        return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=limit)


class _JobsByKey(Mapping[str, dict[str, Any]]):
    """The jobs that exist now, by `uidSecondary`; each look-up puts the full object together."""

    def __init__(self, store: JobStore) -> None:
        self._store = store

    def __getitem__(self, key: str) -> dict[str, Any]:
        row = self._store.row_by_key(key)
        if row is None:
            raise KeyError(key)
        return self._store.full(row)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._store.row_by_key(key) is not None

    def __iter__(self) -> Iterator[str]:
        return (key for key in self._store.known_keys() if key in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _company_of(settings: SandboxSettings, now: float) -> tuple[list[dict[str, Any]], dict[str, Any], bool]:
    """Members, company, and whether the members are made up."""
    if settings.members is None:
        cities = cities_named(settings.city)
        accounts, company = generated_fleet(settings.fleet_size, seed=settings.seed, now=now, cities=cities)
        return accounts, dict(settings.company or company), True
    accounts = [dict(member) for member in settings.members]
    teams = sorted({team for account in accounts for team in teams_of(account)})
    company = {
        "uid": "sandbx",
        "username": "company@sandbox.example",
        "type": "company",
        "name": "Sandbox Logistics",
        "teams_config": [{"id": team, "name": f"Team {team}"} for team in teams],
    }
    return accounts, dict(settings.company or company), False
