"""The `/v1` family, reading only: `{"data": {"items": [...]}}` with the connectors' own field names. No HTTP in here.

The names follow the mapping of the `/api` names; which fields the real server leaves out is not documented.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

import orjson

from dispatcher.model.job_object import progress
from dispatcher.sandbox.people import People, teams_of
from dispatcher.sandbox.reply import Reply, v1_error
from dispatcher.sandbox.store import JobStore

DEFAULT_LIMIT = 50
MAX_LIMIT = 1_000


class ConnectorApi:
    """Answers the GET requests of `/v1`."""

    def __init__(
        self, store: JobStore, people: People, company: Mapping[str, Any], *, now: Callable[[], float]
    ) -> None:
        self._store = store
        self._people = people
        self._company = company
        self._now = now

    def answer(self, path: str, query: Mapping[str, str]) -> Reply | None:
        """The reply for a path below `/v1/`, None when there is no such path."""
        try:
            if path == "jobs":
                return self._jobs(query)
            if path.startswith("jobs/"):
                return self._job(path.removeprefix("jobs/"))
            if path == "members":
                return self._members(query)
        except ValueError as wrong:
            return v1_error(str(wrong), http_status=400)
        if path == "auth/whoami":
            company = {"id": self._company.get("uid", ""), "name": self._company.get("name", "")}
            return Reply(orjson.dumps({"data": {"company": company}}))
        return None

    def _jobs(self, query: Mapping[str, str]) -> Reply:
        limit = min(_whole(query, "limit", DEFAULT_LIMIT), MAX_LIMIT)
        skip = _whole(query, "skip", 0)
        created_since, updated_since = _whole(query, "createdSince", 0), _whole(query, "updatedSince", 0)
        with_archived = query.get("includeArchived", "").lower() in {"true", "1"}
        username, wanted_progress = query.get("assigneeUsername"), query.get("progress")
        store = self._store
        if "externalId" in query:
            row = store.row_by_key(query["externalId"])
            rows = iter([] if row is None else [row])
        else:
            rows = store.rows()
        found = (
            row
            for row in rows
            if (with_archived or not store.archived(row))
            and store.created_ms(row) >= created_since
            and store.saved_ms(row) >= updated_since
            and (username is None or store.person(row).username == username)
            and (wanted_progress is None or progress(store.full(row)) == wanted_progress)
        )
        return _items([self._item(row) for row in islice(found, skip, skip + limit)])

    def _job(self, job_id: str) -> Reply:
        row = self._store.row_by_id(job_id)
        return v1_error("job not found", http_status=404) if row is None else _items([self._item(row)])

    def _members(self, query: Mapping[str, str]) -> Reply:
        at_most = min(_whole(query, "max", DEFAULT_LIMIT), MAX_LIMIT)
        text = query.get("query", "").casefold()
        members = (
            {
                "id": account.get("uid", ""),
                "username": account.get("username", ""),
                "email": account.get("email", ""),
                "name": account.get("name", ""),
                "role": account.get("role", ""),
                "teams": teams_of(account),
            }
            for account in self._people.reported(now_ms=int(self._now() * 1000))
        )
        found = (
            m
            for m in members
            if not text or any(text in str(m[n]).casefold() for n in ("id", "username", "email", "name"))
        )
        return _items(list(islice(found, at_most)))

    def _item(self, row: int) -> dict[str, Any]:
        person = self._store.person(row)
        return v1_item(self._store.full(row), email=self._people.email(person.username))


def v1_item(job: Mapping[str, Any], *, email: str = "") -> dict[str, Any]:
    """A full job object of `/api` under the names of `/v1`."""
    assignee = {"id": job["receiverUid"], "username": job["worker"], "email": email, "name": job["workerName"]}
    return {
        "id": job["id"],
        "externalId": job.get("uidSecondary", ""),
        "title": job["destinationName"],
        "address": job["destinationText"],
        "notes": job["textDispatcher"],
        "date": _date(job["day"]),
        "priority": job["priority"],
        "location": {"lat": job["destinationLat"], "lng": job["destinationLng"]},
        "timeWindow": _window(job["windowStart"], job["windowEnd"]),
        "onSiteDurationSeconds": job["onSiteSeconds"],
        "contact": {"name": job["contactName"], "phone": job["contactPhone"], "email": job["contactEmail"]},
        "customFields": _custom_fields(job),
        "placeId": job["placeUid"],
        "assigneeUsername": job["worker"],
        "assignee": assignee if job["worker"] or job["receiverUid"] else None,
        "progress": progress(job),
        "createdAt": job["tsCreated"],
        "updatedAt": job["tsSaved"],
    }


def _items(items: list[dict[str, Any]]) -> Reply:
    return Reply(orjson.dumps({"data": {"items": items}}))


def _whole(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{name} must be a whole number")
    return int(text)


def _date(day: int) -> str | None:
    return f"{day // 10_000:04d}-{day // 100 % 100:02d}-{day % 100:02d}" if day else None


def _window(start: Any, end: Any) -> dict[str, str] | None:
    """HH:mm texts; None when both ends are open or one cannot be read."""
    if not isinstance(start, int) or not isinstance(end, int) or (start == 0 and end in {0, 2400}):
        return None
    return {"start": _clock(start), "end": _clock(end or 2400)}


def _clock(hhmm: int) -> str:
    return f"{hhmm // 100:02d}:{hhmm % 100:02d}"


def _custom_fields(job: Mapping[str, Any]) -> dict[str, Any]:
    fields = {name.removeprefix("custom_"): value for name, value in job.items() if name.startswith("custom_")}
    listed = job["customFields"]
    for entry in listed if isinstance(listed, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("key"), str):
            fields[entry["key"]] = entry.get("val")
    return fields
