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
from dispatcher.sandbox.request_data import (
    RefusedContentError,
    check_fields,
    check_job,
    read_changes,
    read_day,
    read_numbers,
    read_switch,
    read_texts,
    whole_or_0,
)
from dispatcher.sandbox.store import JobStore

STREAM_FROM = 2_000
"""Replies with more jobs than this are sent in pieces of `STREAM_PIECE` jobs."""
STREAM_PIECE = 500


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
        autoassign = read_switch(data, "autoassign")
        route_change = read_switch(data, "sendRouteChange")
        template = read_switch(data, "isTemplate")
        keys: list[str] = []
        poisoned = False
        for job in jobs:
            check_job(job)
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
        return self._nearest.find(place, whole_or_0(job.get("teamId"))) if place else None

    # Reading

    def _getjobs(self, data: dict[str, Any]) -> Action:
        ids = read_texts(data, "ids") + ([data["id"]] if isinstance(data.get("id"), str) else [])
        by_id = bool(ids) or "ids" in data
        day = self._today() if data.get("day") is None else read_day(data["day"])
        order_ids = read_numbers(data, "orderIds") | (
            {data["orderId"]} if isinstance(data.get("orderId"), int) else set()
        )
        worker, team = data.get("worker"), data.get("team")
        if worker is not None and not isinstance(worker, str):
            raise RefusedContentError("worker must be a text")
        wants_done, wants_active = read_switch(data, "progressSuccess"), read_switch(data, "progressActive")
        store = self._store

        def wanted(job: dict[str, Any]) -> bool:
            done = bool(job["tsDoneSuccess"])
            active = not done and not job["tsDoneFailed"]
            return (
                worker in {"*", None, job["worker"]}
                and (not team or str(job["teamId"]) == str(team))
                and (not order_ids or whole_or_0(job["orderId"]) in order_ids)
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
        uids = read_texts(data, "uids")
        return Action(lambda: success(accounts=self._people.reported(now_ms=self._now_ms(), uids=uids)))

    def _today(self) -> int:
        return int(datetime.fromtimestamp(self._now(), self._zone).strftime("%Y%m%d"))

    # Changing

    def _editjobs(self, data: dict[str, Any]) -> Action:
        changes = read_changes(data.get("jobs"))
        for fields in changes.values():
            if not isinstance(fields, dict):
                raise RefusedContentError("data.jobs must hold an object of fields for each id")
            check_fields(fields)

        def run() -> Reply:
            edits = [(row, f) for job_id, f in changes.items() if (row := self._store.row_by_id(job_id)) is not None]
            taken: set[str] = set()
            for row, fields in edits:
                key = fields.get("uidSecondary")
                if key and (key in taken or self._store.row_by_key(key) not in {None, row}):
                    return refusal(f"another job has the uidSecondary {key!r}")
                taken |= {key} if key else set()
            for row, fields in edits:
                self._store.edit(row, fields, now_ms=self._now_ms())
            return success(jobs=[self._store.full(row) for row, _ in edits])

        return Action(run)

    def _deletejobs(self, data: dict[str, Any]) -> Action:
        ids = list(read_changes(data.get("jobs")))

        def run() -> Reply:
            for job_id in ids:
                row = self._store.row_by_id(job_id)
                if row is not None:
                    self._store.delete(row)
            return success()

        return Action(run)

    def _archive(self, data: dict[str, Any], *, archived: bool) -> Action:
        ids = list(read_changes(data.get("jobs")))

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
        ids, workers = list(read_changes(data.get("jobs"))), read_texts(data, "workers", required=True)
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
                    loads[worker][name] += whole_or_0(job[name])
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
                capacity is None or loads[username][name] + whole_or_0(job[name]) <= capacity
                for name, capacity in capacities.items()
            )

        place = place_of_job(job)
        return self._nearest.find(place, whole_or_0(job["teamId"]), only=has_room) if place else None


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


def _zone(name: Any) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        return ZoneInfo("UTC")
