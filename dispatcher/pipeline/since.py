"""What happened while a listing was under way, and the listing may not show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Since:
    """What a listing may not show yet, because it happened at about the time at which it was asked for.

    Attributes:
        at: monotonic seconds at which it was asked for.
        names: keys of jobs that were decided but not known to be at the server then, or decided since.
        told: by key and id, when (`tsSaved`, ms) a job was saved of which an event told since; 0 when nobody knows.
    """

    at: float
    names: set[str]
    told: dict[str, int]

    def keep(self, stops: Iterable[Mapping[str, Any]]) -> set[str]:
        """By key or id, of what a listing with these stops says nothing, because it is older than what is known."""
        newer: set[str] = set()
        for stop in stops:
            names = self.told.keys() & {str(stop.get("uidSecondary")), str(stop.get("id"))}
            told = min((self.told[name] for name in names), default=0)
            if told and (stop.get("tsSaved") or 0) > told:
                newer |= names
        return self.names | (self.told.keys() - newer)
