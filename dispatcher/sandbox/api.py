"""The `/api` family: POST only, `{"data": {...}}` in, `{"status": 0, ...}` out. No HTTP in here.

Where the documentation is silent this server chooses: content it refuses answers HTTP 200 with status 1 and a
`message`; ids it does not know are passed over; archived jobs are in a reply only when asked for by id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson

from dispatcher.sandbox.nearest import NearestMember, place_of_job
from dispatcher.sandbox.people import People
from dispatcher.sandbox.reply import Action, Reply, refusal, success
from dispatcher.sandbox.store import JobStore, KeyTaken

MAX_DAY = 99_991_231
STREAM_FROM = 2_000
"""Replies with more jobs than this are sent in pieces of `STREAM_PIECE` jobs."""
STREAM_PIECE = 500


class RefusedContentError(Exception):
    """The request's content cannot be used. The message goes into the reply."""


class LegacyApi:
    """Understands and carries out the calls of `/api`.

    Attributes:
        actions: the calls by their last path element; each takes `data` and answers with what to do.
    """

    def __init__(
        self,
        store: JobStore,
        people: People,
        company: Mapping[str, Any],
        *,
        now: Callable[[], float],
        poison: str = "",
        max_batch_jobs: int = 0,
    ) -> None:
        self._store = store
        self._people = people
        self._company = dict(company)
        self._nearest = NearestMember(people.accounts)
        self._now = now
        self._zone = _zone(company.get("timezone"))
        self._poison = poison
        self._max_batch_jobs = max_batch_jobs
        self.autoassign_requests = 0
        self.workers_in_autoassign = 0
        self.route_change_requests = 0
        self.actions: dict[str, Callable[[dict[str, Any]], Action | Reply]] = {
            "createjobs": self._createjobs,
            "getjobs": self._getjobs,
            "editjobs": self._editjobs,
            "deletejobs": self._deletejobs,
            "archivejobs": lambda data: self._archive(data, archived=True),
            "restorejobs": lambda data: self._archive(data, archived=False),
            "autoassign": self._autoassign,
            "getaccounts": self._getaccounts,
            "getcompany": lambda _: Action(lambda: success(company=self._company)),
        }

    def understand(self, call: str, request: dict[str, Any]) -> Action | Reply:
        """What to do for the request's body, or the refusal to answer with. Changes nothing yet."""
        data = request.get("data")
        if data is None and call in {"getaccounts", "getcompany"}:
            data = {}
        if not isinstance(data, dict):
            return refusal("data is missing" if data is None else "data must be an object")
        try:
            return self.actions[call](data)
        except RefusedContentError as refused:
            return refusal(str(refused))

    def _now_ms(self) -> int:
        return int(self._now() * 1000)

    # Creating

    def _createjobs(self, data: dict[str, Any]) -> Action | Reply:
        jobs = data.get("jobs")
        if not isinstance(jobs, list):
            raise RefusedContentError("data.jobs must be an array of job objects")
        if self._max_batch_jobs and len(jobs) > self._max_batch_jobs:
            return refusal(f"too many jobs in one request (at most {self._max_batch_jobs})", http_status=413)
        autoassign = _switch(data, "autoassign")
        route_change = _switch(data, "sendRouteChange")
        template = _switch(data, "isTemplate")
        keys: list[str] = []
        poisoned = False
        for job in jobs:
            _check_job(job)
            key = job.get("uidSecondary")
            if key:
                keys.append(key)
            if self._poison and self._poison in str(job.get("destinationName", "")):
                poisoned = True

        def run() -> Reply:
            if poisoned:
                return refusal("the request contains data that is not valid")
            self.autoassign_requests += autoassign
            self.route_change_requests += route_change
            if autoassign:
                self.workers_in_autoassign += sum(1 for job in jobs if job.get("worker") or job.get("receiverUid"))
            pick = self._pick if autoassign else None
            return Reply(jobs=self._store.upsert(jobs, now_ms=self._now_ms(), template=template, autoassign=pick))

        return Action(run, keys, len(jobs))

    def _pick(self, job: Mapping[str, Any]) -> str | None:
        place = place_of_job(job)
        return self._nearest.find(place, _number(job.get("teamId"))) if place else None

    # Reading

    def _getjobs(self, data: dict[str, Any]) -> Action:
        ids = _texts(data, "ids") + ([data["id"]] if isinstance(data.get("id"), str) else [])
        by_id = bool(ids) or "ids" in data
        day = self._today() if data.get("day") is None else read_day(data["day"])
        order_ids = _numbers(data, "orderIds") | ({data["orderId"]} if isinstance(data.get("orderId"), int) else set())
        worker, team = data.get("worker"), data.get("team")
        if worker is not None and not isinstance(worker, str):
            raise RefusedContentError("worker must be a text")
        wants_done, wants_active = _switch(data, "progressSuccess"), _switch(data, "progressActive")
        store = self._store

        def wanted(job: dict[str, Any]) -> bool:
            done = bool(job["tsDoneSuccess"])
            active = not done and not job["tsDoneFailed"]
            return (
                worker in {"*", None, job["worker"]}
                and (not team or str(job["teamId"]) == str(team))
                and (not order_ids or _number(job["orderId"]) in order_ids)
                and (not (wants_done or wants_active) or (wants_done and done) or (wants_active and active))
            )

        def found() -> Iterator[dict[str, Any]]:
            if by_id:
                rows: Iterable[int] = [row for job_id in ids if (row := store.row_by_id(job_id)) is not None]
            else:
                # an order number names its jobs on whatever day they are, unless a day is named too
                anywhere = bool(order_ids) and data.get("day") is None
                rows = (row for row in store.rows(day=None if anywhere else day) if not store.archived(row))
            for row in list(rows):
                if store.exists(row) and wanted(job := store.full(row)):
                    yield job

        return Action(lambda: _jobs_reply(found()))

    def _getaccounts(self, data: dict[str, Any]) -> Action:
        uids = _texts(data, "uids")
        return Action(lambda: success(accounts=self._people.reported(now_ms=self._now_ms(), uids=uids)))

    def _today(self) -> int:
        return int(datetime.fromtimestamp(self._now(), self._zone).strftime("%Y%m%d"))

    # Changing

    def _editjobs(self, data: dict[str, Any]) -> Action:
        changes = _changes(data.get("jobs"))
        for fields in changes.values():
            if not isinstance(fields, dict):
                raise RefusedContentError("data.jobs must hold an object of fields for each id")
            _check_fields(fields)

        def run() -> Reply:
            edited = []
            now_ms = self._now_ms()
            for job_id, fields in changes.items():
                row = self._store.row_by_id(job_id)
                if row is None:
                    continue
                try:
                    self._store.edit(row, fields, now_ms=now_ms)
                except KeyTaken as taken:
                    return refusal(str(taken))
                edited.append(self._store.full(row))
            return success(jobs=edited)

        return Action(run)

    def _deletejobs(self, data: dict[str, Any]) -> Action:
        ids = list(_changes(data.get("jobs")))

        def run() -> Reply:
            for job_id in ids:
                row = self._store.row_by_id(job_id)
                if row is not None:
                    self._store.delete(row)
            return success()

        return Action(run)

    def _archive(self, data: dict[str, Any], *, archived: bool) -> Action:
        ids = list(_changes(data.get("jobs")))

        def run() -> Reply:
            rows = [row for job_id in ids if (row := self._store.row_by_id(job_id)) is not None]
            for row in rows:
                self._store.archive(row, archived, now_ms=self._now_ms())
            return success(jobs=[self._store.full(row) for row in rows])

        return Action(run)

    def _autoassign(self, data: dict[str, Any]) -> Action:
        """Existing jobs to the nearest of the named members, each within the two capacities.

        `method` and `day` are taken and change nothing.
        """
        ids, workers = list(_changes(data.get("jobs"))), _texts(data, "workers", required=True)
        capacities = {
            "itemsToPickup": data.get("pickupCapacity"),
            "itemsToDropoff": data.get("dropoffCapacity"),
        }
        for name, capacity in capacities.items():
            if capacity is not None and not isinstance(capacity, int):
                raise RefusedContentError(f"the capacity for {name} must be a whole number")

        def run() -> Reply:
            loads = {worker: dict.fromkeys(capacities, 0) for worker in workers}
            assigned, unassigned, rows = [], [], []
            for job_id in ids:
                row = self._store.row_by_id(job_id)
                if row is None:
                    continue
                rows.append(row)
                job = self._store.full(row)
                worker = self._nearest_with_room(job, loads, capacities)
                if worker is None:
                    unassigned.append(job_id)
                    continue
                for name in capacities:
                    loads[worker][name] += _number(job[name])
                self._store.assign(row, worker, now_ms=self._now_ms())
                assigned.append(job_id)
            return success(
                assignedJobs=assigned, unassignedJobs=unassigned, jobs=[self._store.full(row) for row in rows]
            )

        return Action(run)

    def _nearest_with_room(
        self, job: dict[str, Any], loads: dict[str, dict[str, int]], capacities: dict[str, int | None]
    ) -> str | None:
        def has_room(username: str) -> bool:
            return username in loads and all(
                capacity is None or loads[username][name] + _number(job[name]) <= capacity
                for name, capacity in capacities.items()
            )

        place = place_of_job(job)
        return self._nearest.find(place, _number(job["teamId"]), only=has_room) if place else None


def read_day(value: Any) -> int:
    """YYYYMMDD as a number or as its text, 0 for undated.

    Raises:
        RefusedContentError: anything else.
    """
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 8:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_DAY:
        raise RefusedContentError("day must be YYYYMMDD or 0")
    return value


def _jobs_reply(jobs: Iterator[dict[str, Any]]) -> Reply:
    """All jobs at once, or in pieces when there are many."""
    first = list(islice(jobs, STREAM_FROM))
    following = next(jobs, None)
    if following is None:
        return success(jobs=first)

    def pieces() -> Iterator[bytes]:
        yield b'{"jobs":' + orjson.dumps([*first, following])[:-1]
        while piece := list(islice(jobs, STREAM_PIECE)):
            yield b"," + orjson.dumps(piece)[1:-1]
        yield b'],"status":0}'

    return Reply(stream=pieces())


def _check_job(job: Any) -> None:
    if not isinstance(job, dict):
        raise RefusedContentError("every element of data.jobs must be an object")
    if job.get("id"):
        raise RefusedContentError("id is set automatically and must not be sent")
    _check_fields(job)


def _check_fields(fields: dict[str, Any]) -> None:
    for name in ("uidSecondary", "worker", "receiverUid"):
        value = fields.get(name)
        if value is not None and not isinstance(value, str):
            raise RefusedContentError(f"{name} must be a text")
    if fields.get("day") is not None:
        fields["day"] = read_day(fields["day"])


def _switch(data: Mapping[str, Any], name: str) -> bool:
    """A boolean, its text, or 1 and 0; missing is False."""
    value = data.get(name)
    if isinstance(value, str) and value.lower() in {"true", "false", "1", "0", ""}:
        return value.lower() in {"true", "1"}
    if value is None or (isinstance(value, int) and value in {0, 1}):
        return bool(value)
    raise RefusedContentError(f"{name} must be true or false")


def _changes(jobs: Any) -> dict[str, Any]:
    """Jobs by id, from an object keyed by id, an array of ids, or an array of objects that carry their id."""
    if isinstance(jobs, dict):
        return jobs
    if not isinstance(jobs, list):
        raise RefusedContentError("data.jobs must name jobs by their ids")
    by_id: dict[str, Any] = {}
    for entry in jobs:
        if isinstance(entry, str):
            by_id[entry] = {}
        elif isinstance(entry, dict) and isinstance(entry.get("id"), str):
            by_id[entry["id"]] = {name: value for name, value in entry.items() if name != "id"}
        else:
            raise RefusedContentError("data.jobs must name jobs by their ids")
    return by_id


def _texts(data: Mapping[str, Any], name: str, *, required: bool = False) -> list[str]:
    value = data.get(name)
    if value is None and not required:
        return []
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise RefusedContentError(f"{name} must be an array of texts")
    return value


def _numbers(data: Mapping[str, Any], name: str) -> set[int]:
    value = data.get(name) or []
    if not isinstance(value, list) or not all(isinstance(entry, int) for entry in value):
        raise RefusedContentError(f"{name} must be an array of numbers")
    return set(value)


def _number(value: Any) -> int:
    """A whole number as it was sent; 0 for whatever else a job may carry in that field."""
    return value if isinstance(value, int) else 0


def _zone(name: Any) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        return ZoneInfo("UTC")
