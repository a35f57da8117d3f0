"""Members and where their days begin and end, by the engine's own reading of the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dispatcher.picture.scene import Place
from engine import EngineSettings
from engine.clock import day_number, day_ordinal
from engine.fleet import Fleet
from engine.member import Member, MemberReader, read_teams
from engine.state import SLOT


@dataclass(frozen=True, slots=True)
class Outset:
    """A member's day before any stop: see `Crewmate` for the units."""

    start: Place | None
    end: Place | None
    begin_s: float
    end_s: float
    open: bool


class Crew:
    """The members of a `getaccounts` reply as the engine knows them: of two with one username the first stands.

    Args:
        accounts: as given to the engine.
        company: likewise.
        settings: likewise.
        now: Unix seconds.
    """

    def __init__(
        self,
        accounts: Sequence[Mapping[str, Any]],
        company: Mapping[str, Any] | None,
        settings: EngineSettings,
        now: float,
    ) -> None:
        reader = MemberReader(settings, read_teams(company))
        members: list[Member] = []
        self.titles: list[str] = []
        self._by_username: dict[str, int] = {}
        self._by_uid: dict[str, int] = {}
        for record in accounts:
            member = reader.read(record)
            if member.username is not None and member.username in self._by_username:
                continue
            if member.username is not None:
                self._by_username[member.username] = len(members)
            if member.uid is not None:
                self._by_uid.setdefault(member.uid, len(members))
            members.append(member)
            title = record.get("name")
            self.titles.append(title.strip() if isinstance(title, str) else "")
        self.members: Sequence[Member] = members
        self._fleet = Fleet(members, settings)
        self._now = now
        self._today, _ = self._fleet.clocks(now)

    def number(self, worker: str | None) -> int:
        """A member by the name that a decision gives it, -1 when the fleet does not know it."""
        if worker is None:
            return -1
        return self._by_username.get(worker, self._by_uid.get(worker, -1))

    def today(self, member: int) -> int:
        """A member's own today, YYYYMMDD."""
        return day_number(int(self._today[member]))

    def outsets(self, day: int) -> list[Outset]:
        """Every member's day (YYYYMMDD), in input order."""
        ordinal = day_ordinal(day)
        slots = np.zeros(len(self.members), dtype=SLOT)
        if ordinal is None:
            return [Outset(None, None, 0.0, 0.0, open=False)] * len(self.members)
        self._fleet.fill(slots, ordinal, self._now)
        found = []
        for slot in slots:
            begin, end = float(slot["begin"]), float(slot["shift_end"])
            off = not bool(slot["on_shift"])
            found.append(
                Outset(
                    start=_degrees(slot["lat"], slot["lng"]) if slot["placed"] else None,
                    end=_degrees(slot["elat"], slot["elng"]) if slot["ended"] else None,
                    begin_s=0.0 if off else begin,
                    end_s=0.0 if off else end,
                    open=bool(slot["open"]),
                )
            )
        return found


def _degrees(lat: Any, lng: Any) -> Place:
    return float(np.degrees(lat)), float(np.degrees(lng))
