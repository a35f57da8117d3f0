"""The client of one Hellotracks account."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec
import orjson

from dispatcher.errors import ConfigError
from dispatcher.hellotracks.address import Address
from dispatcher.hellotracks.created import CreatedJob, keys_of, matched, request_body
from dispatcher.hellotracks.day_search import DaySearch
from dispatcher.hellotracks.day_stops import DayStops
from dispatcher.hellotracks.job_stream import ForeignArray
from dispatcher.hellotracks.names import NamesInThreads
from dispatcher.hellotracks.remote_job import RemoteJob, from_v1, identity
from dispatcher.hellotracks.verdict import Reply, document, foreign, items, listed
from dispatcher.hellotracks.wire import Sink, Wire
from dispatcher.model.secret import Secret


class Assignment(msgspec.Struct, frozen=True):
    """What `autoassign` did.

    Attributes:
        assigned: ids of the jobs that have a member now.
        unassigned: ids of the jobs for which none was found.
        jobs: all job objects considered.
    """

    assigned: tuple[str, ...]
    unassigned: tuple[str, ...]
    jobs: list[dict[str, Any]]


class HellotracksClient:
    """Speaks to one Hellotracks account over keep-alive connections. Open it with `async with`.

    A call is one request: nothing is repeated here, and no redirect is followed. Every method raises `NotSent`,
    `OutcomeUnknown`, `Throttled`, `Rejected` or `Denied` (see `dispatcher.errors`); a cancelled call raises
    `CancelledError`, and its request may have arrived.

    Args:
        base_url: with or without a trailing slash or `/api`.
        api_key: the account's key; it is sent in the header `API-Key` and shown nowhere.
        request_timeout_s: for a whole request, the wait for a connection included.
        connect_timeout_s: for getting a connection (a free one of `max_connections`, or a new one).
        max_connections: at most this many requests are under way at once, the others wait for their turn.
        session: a session to use instead of an own one; it is not closed, and its connection limit counts.
        user_agent: the header of that name.
        now: Unix time in seconds, used for a `Retry-After` that names a date.

    Raises:
        ConfigError: a setting cannot be used.

    Example:
        async with HellotracksClient(base_url="https://api.hellotracks.com", api_key=key) as hellotracks:
            accounts = await hellotracks.get_accounts()
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: Secret | str,
        request_timeout_s: float = 10.0,
        connect_timeout_s: float = 5.0,
        max_connections: int = 16,
        session: aiohttp.ClientSession | None = None,
        user_agent: str = "hellotracks-dispatcher",
        now: Callable[[], float] = time.time,
    ) -> None:
        self._address = Address(base_url)
        self._api_key = _checked_key(api_key)
        if not user_agent.isprintable() or not user_agent.isascii():
            raise ConfigError("user_agent must be printable ASCII")
        self._timeout = _timeout(request_timeout_s, connect_timeout_s)
        self._max_connections = _checked_connections(max_connections)
        self._foreign_session = session
        self._own_session: aiohttp.ClientSession | None = None
        self._user_agent = user_agent
        self._now = now
        self._wire: Wire | None = None
        self._retired: list[aiohttp.ClientSession] = []

    async def __aenter__(self) -> Self:
        session = self._foreign_session
        if session is None:
            session = self._own_session = self._new_session()
        self._wire = self._new_wire(session)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._wire = None
        session, self._own_session = self._own_session, None
        if session is not None:
            self._retired.append(session)
        while self._retired:
            await self._retired.pop().close()

    def __repr__(self) -> str:
        return f"HellotracksClient({self._address.origin}, {'open' if self._wire else 'closed'})"

    def change(
        self, *, api_key: Secret | str, request_timeout_s: float, connect_timeout_s: float, max_connections: int
    ) -> None:
        """Calls that begin from now on use these; those under way end as they began.

        Raises:
            ConfigError: a setting cannot be used; nothing changes.
        """
        key, timeout = _checked_key(api_key), _timeout(request_timeout_s, connect_timeout_s)
        connections = _checked_connections(max_connections)
        self._api_key, self._timeout = key, timeout
        grown, self._max_connections = connections != self._max_connections, connections
        if self._wire is None:
            return
        session = self._foreign_session or self._own_session
        if session is None:
            return
        if grown and self._own_session is not None:
            # what is under way on the old one ends there; its idle connections close by themselves
            self._retired.append(self._own_session)
            session = self._own_session = self._new_session()
        self._wire = self._new_wire(session)

    async def create_jobs(
        self,
        bodies: Sequence[bytes],
        *,
        autoassign: bool = False,
        send_route_change: bool = False,
        is_template: bool = False,
    ) -> list[CreatedJob | None]:
        """POST createjobs. One answer per body, in order; None for a job that the reply does not name: look it up.

        Args:
            bodies: each one job as a JSON object in UTF-8 that carries its `uidSecondary`.
            autoassign: let the server choose members (the whole request's switch, as the next two).
            send_route_change: tell the assignees at once.
            is_template: create templates.

        Raises:
            ValueError: a body is not a JSON object. Nothing was sent.
        """
        keys = keys_of(bodies)
        content = request_body(
            bodies, autoassign=autoassign, send_route_change=send_route_change, is_template=is_template
        )
        reply = await self._opened().call("createjobs", self._address.api("createjobs"), content)
        return matched(keys, bodies, reply)

    async def get_jobs(
        self, *, day: int | None = None, worker: str | None = "*", ids: Iterable[str] = ()
    ) -> list[dict[str, Any]]:
        """POST getjobs. The job objects as they came, all in memory.

        Args:
            day: YYYYMMDD, 0 for undated jobs, None for the server's today.
            worker: username, "*" for everyone, "" for unassigned jobs, None to leave it out.
            ids: Hellotracks' ids; asked for alone, without the "*".
        """
        data: dict[str, Any] = {}
        wanted = list(ids)
        if wanted:
            data["ids"] = wanted
        if day is not None:
            data["day"] = day
        if worker is not None and not (wanted and worker == "*"):
            data["worker"] = worker
        reply = await self._post("getjobs", data)
        return _objects(listed(reply, document(reply), "jobs"))

    async def find_in_day(self, day: int | None, keys: Collection[str]) -> dict[str, RemoteJob]:
        """Those of `keys` that are among the jobs of a day, whoever has them. A key that is missing is not on that day.

        The reply is read job by job: memory does not grow with the day. Where a key stands twice, a job that is not
        archived goes before one that is, then the first.

        Args:
            day: YYYYMMDD, 0 for undated jobs, None for the server's today.
            keys: `uidSecondary` values looked for.
        """
        search = DaySearch(keys)
        await self._list_day(day, search)
        return search.found

    async def open_stops(self, day: int) -> list[dict[str, Any]]:
        """The jobs of a day that somebody has and that are not over, with the fields that a day route needs.

        The reply is read job by job: memory grows with the stops, not with the day.

        Args:
            day: YYYYMMDD, 0 for undated jobs.
        """
        return (await self.day_stops(day)).stops

    async def day_stops(self, day: int) -> DayStops:
        """The same with what else the listing says: jobs that were rejected, and how new it is at least.

        Args:
            day: YYYYMMDD, 0 for undated jobs.
        """
        stops = DayStops()
        await self._list_day(day, stops)
        return stops

    async def find_job(self, key: str) -> RemoteJob | None:
        """GET /v1/jobs?externalId=KEY. None when the server has no such job.

        Raises:
            OutcomeUnknown: also when the answer is about other jobs only, so that it says nothing about this key.
        """
        url = self._address.v1("jobs", {"externalId": key, "limit": "1"})
        reply = await self._opened().call("jobs?externalId", url)
        answer = items(reply)
        for item in answer:
            job = from_v1(item) if isinstance(item, dict) else None
            if job is not None and job.key == key:
                return job
        if answer:
            raise foreign(
                Reply(action=reply.action, http_status=reply.http_status, body=b""), "another job than asked for"
            )
        return None

    async def get_accounts(self) -> list[dict[str, Any]]:
        """POST getaccounts. The member objects that the key's owner may see."""
        reply = await self._post("getaccounts", {})
        return _objects(listed(reply, document(reply), "accounts"))

    async def get_company(self) -> dict[str, Any]:
        """POST getcompany. The company object."""
        reply = await self._post("getcompany", {})
        company = document(reply).get("company")
        if not isinstance(company, dict):
            raise foreign(reply, "no object 'company'")
        return company

    async def edit_jobs(
        self,
        changes: Mapping[str, Mapping[str, Any]],
        *,
        notify: bool | None = None,
        send_route_change: bool = False,
    ) -> list[dict[str, Any]]:
        """POST editjobs. Returns the job objects of the reply, perhaps none.

        Args:
            changes: Hellotracks' id -> the fields to change.
            notify: send progress notifications; None leaves it to the server.
            send_route_change: tell the assignees at once.
        """
        data: dict[str, Any] = {"jobs": changes}
        if notify is not None:
            data["notify"] = notify
        if send_route_change:
            data["sendRouteChange"] = True
        jobs = document(await self._post("editjobs", data)).get("jobs")
        return _objects(jobs) if isinstance(jobs, list) else []

    async def delete_jobs(self, ids: Iterable[str]) -> None:
        """POST deletejobs. They are gone for good.

        Args:
            ids: Hellotracks' ids.
        """
        document(await self._post("deletejobs", {"jobs": list(ids)}))

    async def autoassign(
        self,
        jobs: Iterable[str],
        workers: Iterable[str],
        *,
        method: str = "distance",
        day: int = 0,
        pickup_capacity: int | None = None,
        dropoff_capacity: int | None = None,
    ) -> Assignment:
        """POST autoassign: let the server place jobs that exist. A job without a member is an ordinary outcome.

        Args:
            jobs: Hellotracks' ids.
            workers: usernames of the candidates.
            method: "distance", "zones" or "size".
            day: YYYYMMDD, 0 for today.
            pickup_capacity: items, None for no limit.
            dropoff_capacity: items, None for no limit.
        """
        data: dict[str, Any] = {"jobs": list(jobs), "workers": list(workers), "method": method, "day": day}
        if pickup_capacity is not None:
            data["pickupCapacity"] = pickup_capacity
        if dropoff_capacity is not None:
            data["dropoffCapacity"] = dropoff_capacity
        reply = await self._post("autoassign", data)
        decoded = document(reply)
        assigned, unassigned = (
            tuple(filter(None, map(identity, listed(reply, decoded, name))))
            for name in ("assignedJobs", "unassignedJobs")
        )
        considered = decoded.get("jobs")
        return Assignment(assigned, unassigned, _objects(considered) if isinstance(considered, list) else [])

    async def forward(self, action: str, content: bytes) -> bytes:
        """POST a request of somebody else's to an `/api` action. The content of the reply as it came, whatever it says.

        Args:
            action: such as "locate".
            content: the whole body, `data` envelope included.
        """
        return (await self._opened().call(action, self._address.api(action), content)).body

    async def _list_day(self, day: int | None, sink: DaySearch | DayStops) -> None:
        data: dict[str, Any] = {"worker": "*"} if day is None else {"worker": "*", "day": day}
        try:
            reply = await self._post("getjobs", data, sink=sink)
        except ForeignArray as exc:
            raise foreign(Reply(action="getjobs", http_status=200, body=b""), str(exc)) from exc
        for job in listed(reply, document(reply), "jobs"):
            # only a reply that the stream could not take apart still has jobs here
            sink.look_at(job)

    async def _post(self, action: str, data: Mapping[str, Any], *, sink: Sink | None = None) -> Reply:
        content = orjson.dumps({"data": data})
        return await self._opened().call(action, self._address.api(action), content, sink=sink)

    def _new_session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._max_connections, resolver=NamesInThreads()),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    def _new_wire(self, session: aiohttp.ClientSession) -> Wire:
        return Wire(session, api_key=self._api_key, timeout=self._timeout, user_agent=self._user_agent, now=self._now)

    def _opened(self) -> Wire:
        if self._wire is None:
            raise RuntimeError("the client is not open: use it inside `async with`")
        return self._wire


def _objects(jobs: Iterable[Any]) -> list[dict[str, Any]]:
    return [job for job in jobs if isinstance(job, dict)]


def _timeout(request_s: float, connect_s: float) -> aiohttp.ClientTimeout:
    for name, value in (("request_timeout_s", request_s), ("connect_timeout_s", connect_s)):
        if not (value > 0 and math.isfinite(value)):
            raise ConfigError(f"{name} must be a number of seconds above 0, not {value}")
    return aiohttp.ClientTimeout(
        total=request_s,
        connect=connect_s,
        sock_connect=connect_s,
        sock_read=request_s,
        # aiohttp rounds longer time-outs up to whole seconds; a lease may depend on this one
        ceil_threshold=math.inf,
    )


def _checked_connections(most: int) -> int:
    if most < 1:
        raise ConfigError(f"max_connections must be 1 or more, not {most}")
    return most


def _checked_key(api_key: Secret | str) -> Secret:
    text = (api_key.reveal() if isinstance(api_key, Secret) else api_key).strip()
    if not text:
        raise ConfigError("api_key is empty")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ConfigError("api_key has characters that no key has (spaces, control characters or other than ASCII)")
    return Secret(text)
