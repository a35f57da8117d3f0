"""Reading the fleet from Hellotracks, one request at a time, each in its turn at the account's gate."""

from __future__ import annotations

import logging
from typing import Any

from dispatcher.errors import Denied, OutcomeUnknown, Rejected
from dispatcher.hellotracks import HellotracksClient
from dispatcher.hellotracks.day_stops import DayStops
from dispatcher.pipeline.turn import Turnstile

_log = logging.getLogger("dispatcher.pipeline")


class FleetReading:
    """The four questions. All of them raise what the client raises.

    Attributes:
        requests: asked so far.
    """

    def __init__(self, client: HellotracksClient, turnstile: Turnstile) -> None:
        self.requests = 0
        self._client = client
        self._turnstile = turnstile

    async def company(self) -> dict[str, Any]:
        """With the set-up of its teams."""
        async with self._turnstile.request():
            self.requests += 1
            return await self._client.get_company()

    async def accounts(self) -> list[dict[str, Any]]:
        """All members that the key's owner may see."""
        async with self._turnstile.request():
            self.requests += 1
            return await self._client.get_accounts()

    async def day(self, day: int) -> DayStops:
        """The stops of a day (YYYYMMDD)."""
        async with self._turnstile.request():
            self.requests += 1
            return await self._client.day_stops(day)

    async def undated(self) -> DayStops | None:
        """The stops without a day; None when the server answers, but not with a listing: it may be too long for it."""
        try:
            return await self.day(0)
        except (Rejected, OutcomeUnknown, Denied) as error:
            if isinstance(error, Denied) and error.about_key:
                raise
            _log.warning(
                "undated jobs could not be listed, those sent earlier have no place in the day routes: %s", error
            )
            return None
