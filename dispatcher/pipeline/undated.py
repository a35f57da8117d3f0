"""Undated jobs that this dispatcher sent: each has a place in its member's today for as long as it is open."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dispatcher.spool import Spool

REMEMBERED = 50_000
"""Keys of which it is remembered whether the job is one of ours."""


class Undated:
    """The server lists such jobs under no day.

    Undated jobs of others stay out of the day routes: they may be anybody's backlog.

    Args:
        account: its name.
        spool: knows which jobs were sent.

    Attributes:
        wanted: whether it is worth asking the server: there may be some.
    """

    def __init__(self, account: str, spool: Spool) -> None:
        self.wanted = True
        self._account = account
        self._spool = spool
        self._ours: dict[str, bool] = {}
        self._stops: list[Mapping[str, Any]] = []

    def __len__(self) -> int:
        return len(self._stops)

    async def take(self, stops: Sequence[Mapping[str, Any]]) -> None:
        """The newest listing of undated jobs that somebody has."""
        self._stops = [stop for stop in stops if await self.is_ours(stop)]
        self.wanted = bool(self._stops)

    async def is_ours(self, stop: Mapping[str, Any]) -> bool:
        """Whether a job was sent from here, undated."""
        key = stop.get("uidSecondary")
        if not isinstance(key, str) or not key:
            return False
        known = self._ours.get(key)
        if known is None:
            receipt = await self._spool.receipt(self._account, key)
            known = receipt is not None and not receipt.day
            if len(self._ours) >= REMEMBERED:
                self._ours.clear()
            self._ours[key] = known
        return known

    def sent(self, keys: Sequence[str]) -> None:
        """These keys may have become jobs of ours."""
        self.wanted = True
        for key in keys:
            self._ours.pop(key, None)

    def on(self, day: int, date_of: Callable[[Mapping[str, Any]], int]) -> list[Mapping[str, Any]]:
        """Those whose member has this date now, under it.

        Args:
            day: YYYYMMDD.
            date_of: the date that it is for the member who has a job.
        """
        return [{**stop, "day": day} for stop in self._stops if date_of(stop) == day]
