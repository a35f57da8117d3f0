"""The members as they were read last, so that the engine is told only what has changed since."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

FIELDS = (
    "username",
    "uid",
    "id",
    "role",
    "active_status",
    "teams",
    "skills",
    "timezone",
    "working_hours",
    "ignore_working_hours_until_ts",
    "moving",
    "status_label",
    "route_start_lat",
    "route_start_lng",
    "route_end_lat",
    "route_end_lng",
    "route_start_time",
    "travel_mode",
    "vehicle_capacity",
)
"""What the engine reads of a member, but for the location and `states.moving`."""
MANY = 8
"""With more than one member in so many elsewhere, they are given to the engine as records: one tree for all of them."""


@dataclass(frozen=True, slots=True)
class Move:
    """A member was seen somewhere else: degrees, and Unix seconds."""

    username: str
    lat: float
    lng: float
    seen_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RosterChange:
    """What a new reading says that the last one did not.

    Attributes:
        others: there are other members than before, or in another order: the engine must be built anew.
        records: members of whom anything but the location changed.
        moves: members of whom the location changed.
        left: members who went off duty.
        back: members who are on duty again.
    """

    others: bool = False
    records: list[Mapping[str, Any]] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    left: frozenset[str] = frozenset()
    back: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.others or self.records or self.moves)


class Roster:
    """One reading of the members.

    Args:
        accounts: as in a `getaccounts` reply.
        zone: of members who have none.

    Attributes:
        zones: all time zones of the members, and the account's.
    """

    def __init__(self, accounts: Iterable[Mapping[str, Any]], *, zone: str) -> None:
        self._zone = zone
        self._members: dict[str, dict[str, Any]] = {}
        self._by_uid: dict[str, str] = {}
        for account in accounts:
            record = _of_interest(account)
            name = _text(record.get("username")) or _text(record.get("uid")) or _text(record.get("id"))
            if name and name not in self._members:  # the first one stands, as in the engine
                self._members[name] = record
                uid = _text(record.get("uid")) or _text(record.get("id"))
                if uid:
                    self._by_uid.setdefault(uid, name)
        self.zones = {zone, *(self._zone_in(record) for record in self._members.values())}

    def __len__(self) -> int:
        return len(self._members)

    def zone_of(self, stop: Mapping[str, Any]) -> str:
        """The time zone of the member who has a job."""
        name = _text(stop.get("worker")) or _text(stop.get("assigneeUsername"))
        if not name:
            name = self._by_uid.get(_text(stop.get("receiverUid")), "")
        record = self._members.get(name)
        return self._zone if record is None else self._zone_in(record)

    def off_duty(self) -> frozenset[str]:
        """Usernames of the members who are off duty."""
        return frozenset(name for name, record in self._members.items() if _off_duty(record))

    def change_to(self, newer: Roster) -> RosterChange:
        """What is different in a newer reading."""
        if [*self._members] != [*newer._members]:
            return RosterChange(others=True)
        records: list[Mapping[str, Any]] = []
        moves: list[Move] = []
        moved: list[Mapping[str, Any]] = []
        for name, record in newer._members.items():
            before = self._members[name]
            if record == before:
                continue
            move = _move(record)
            if move is None or {**before, "location": None} != {**record, "location": None}:
                records.append(record)
            else:
                moves.append(move)
                moved.append(record)
        if len(moves) * MANY > len(self._members):
            records, moves = records + moved, []
        return RosterChange(
            records=records,
            moves=moves,
            left=newer.off_duty() - self.off_duty(),
            back=self.off_duty() - newer.off_duty(),
        )

    def _zone_in(self, record: Mapping[str, Any]) -> str:
        return _text(record.get("timezone")) or self._zone


def _of_interest(account: Mapping[str, Any]) -> dict[str, Any]:
    record = {name: account[name] for name in FIELDS if name in account}
    states, location = account.get("states"), account.get("location")
    if isinstance(states, Mapping):
        record["states"] = {"moving": states.get("moving")}
    if isinstance(location, Mapping):
        record["location"] = {name: location.get(name) for name in ("lat", "lng", "ts")}
    return record


def _move(record: Mapping[str, Any]) -> Move | None:
    """Where a member with a plain location is; None for anything odd, which the engine reads from the record."""
    location = record.get("location")
    if not isinstance(location, Mapping) or not record.get("username"):
        return None
    lat, lng, ts = location["lat"], location["lng"], location["ts"]
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in (lat, lng, ts)):
        return None
    if not all(map(math.isfinite, (lat, lng, ts))) or ts <= 0:
        return None
    return Move(record["username"], lat, lng, ts / 1000.0)


def _off_duty(record: Mapping[str, Any]) -> bool:
    states = record.get("states")
    return record.get("moving") == "offduty" or (isinstance(states, Mapping) and states.get("moving") == "offduty")


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
