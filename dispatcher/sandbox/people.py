"""The sandbox's members: who a job's `worker` or `receiverUid` is, and what of the person goes into the job object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

FRESH_MS = 900_000
"""A generated member whose location was younger than this at the start keeps reporting: it stays as young."""


class Person:
    """Whom jobs are assigned to. One object per person, shared by all their jobs.

    Attributes:
        username: `worker` of the job, "" when unassigned or when only a strange uid is known.
        uid: `receiverUid` of the job, "" when unassigned or when only a strange username is known.
        assigned: False for the one person who stands for "nobody".
        fields: the job object's fields that follow.
        fragment: the same as JSON text, each field led by a comma.
    """

    __slots__ = ("assigned", "fields", "fragment", "uid", "username")

    def __init__(self, username: str, uid: str, name: str) -> None:
        self.username = username
        self.uid = uid
        self.assigned = bool(username or uid)
        self.fields = {
            "assigneeName": name,
            "assigneeUsername": username,
            "receiverUid": uid,
            "worker": username,
            "workerName": name,
        }
        self.fragment = b"," + orjson.dumps(self.fields)[1:-1]


NOBODY = Person("", "", "")


class People:
    """All members of the company, and the strangers that jobs have named.

    Attributes:
        accounts: members as `getaccounts` gives them, in input order.
    """

    def __init__(self, accounts: Sequence[Mapping[str, Any]], *, fresh_at_ms: int | None = None) -> None:
        """With `fresh_at_ms` the members' devices keep reporting: their locations stay as young as they were then."""
        self.accounts = [dict(account) for account in accounts]
        self._fresh_at_ms = fresh_at_ms
        self._by_username: dict[str, Person] = {"": NOBODY}
        self._by_uid: dict[str, Person] = {"": NOBODY}
        self._emails: dict[str, str] = {}
        for account in self.accounts:
            username, uid = _text(account.get("username")), _text(account.get("uid")) or _text(account.get("id"))
            person = Person(username, uid, _text(account.get("name")))
            if username:
                self._by_username.setdefault(username, person)
                self._emails.setdefault(username, _text(account.get("email")))
            if uid:
                self._by_uid.setdefault(uid, person)

    def named(self, worker: str | None, uid: str | None) -> Person:
        """Who is meant: `worker` first, else the uid. A name that nobody has is kept as it was sent."""
        if worker:
            person = self._by_username.get(worker)
            if person is None:
                person = self._by_username[worker] = Person(worker, "", "")
            return person
        person = self._by_uid.get(uid or "")
        if person is None:
            person = self._by_uid[uid or ""] = Person("", uid or "", "")
        return person

    def change(self, username: str, fields: Mapping[str, Any]) -> None:
        """Change fields of a member; what is not named stays.

        Raises:
            ValueError: there is no such member, or a field that cannot be changed.
        """
        if {"username", "uid", "id"} & fields.keys():
            raise ValueError("member: username, uid and id cannot be changed")
        for account in self.accounts:
            if account.get("username") == username:
                account.update(fields)
                return
        raise ValueError(f"member: there is no {username!r}")

    def email(self, username: str) -> str:
        """The member's e-mail address, "" for strangers."""
        return self._emails.get(username, "")

    def reported(self, *, now_ms: int, uids: Iterable[str] = ()) -> list[dict[str, Any]]:
        """The members as a `getaccounts` reply has them now; only those in `uids` when it is not empty."""
        wanted = set(uids)
        chosen = [a for a in self.accounts if not wanted or a.get("uid") in wanted or a.get("id") in wanted]
        if self._fresh_at_ms is None:
            return chosen
        return [_moved_on(account, self._fresh_at_ms, now_ms) for account in chosen]


def teams_of(account: Mapping[str, Any]) -> list[int]:
    """The member's team numbers, [] when there are none that can be read."""
    teams = account.get("teams")
    return [team for team in teams if isinstance(team, int)] if isinstance(teams, list) else []


def _moved_on(account: dict[str, Any], made_ms: int, now_ms: int) -> dict[str, Any]:
    location = account.get("location")
    if not isinstance(location, dict) or made_ms - location["ts"] > FRESH_MS:
        return account
    return {**account, "location": {**location, "ts": location["ts"] + now_ms - made_ms}}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
