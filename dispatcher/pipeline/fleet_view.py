"""What the stages need of a fleet, and a fleet that comes from files."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from dispatcher.model.histogram import Histogram
from dispatcher.model.records import SpooledJob
from dispatcher.pipeline.assigning import Found


class FleetView(Protocol):
    """What the stages need of the fleet.

    Attributes:
        tests: exact fit tests of each decision, of those that the engine took as columns (see `columns.py`).
        steady: held by whoever changes the fleet in several steps that belong together: from bringing it up to writing
            down what it decided; from a listing to the routes it makes.
    """

    tests: Histogram
    steady: asyncio.Lock

    async def bring_up(self, days: Collection[int]) -> bool:
        """Bring the day routes of these days into play; False when the fleet is unusable and the fallback decides.

        The caller holds `steady`.
        """
        ...

    async def decide(self, jobs: Sequence[SpooledJob]) -> Sequence[Found | None]:
        """The engine's decisions on a batch of stored jobs, in input order; None: the fallback decides."""
        ...

    async def free(self, keys: Iterable[str], days: Collection[int] = ()) -> None:
        """These jobs will not take place: their stops leave the day routes.

        Args:
            keys: of the jobs.
            days: YYYYMMDD that the jobs name, 0 for none, for the one who leads when this process does not.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetFiles:
    """A fleet from files instead of from the server.

    Attributes:
        accounts: as in a `getaccounts` reply.
        routes: as in a `getjobs` reply.
        company: as in a `getcompany` reply.
    """

    accounts: Sequence[Mapping[str, Any]]
    routes: Sequence[Mapping[str, Any]] = ()
    company: Mapping[str, Any] | None = None
