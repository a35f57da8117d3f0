"""The sync stage: members and day routes are read again and again, within a share of the account's limits."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dispatcher.errors import Denied, RemoteError, SpoolError
from dispatcher.flow import Limit
from dispatcher.pipeline.clock import Clock
from dispatcher.pipeline.fleet import TRY_AGAIN_S
from dispatcher.pipeline.lead import Lead
from dispatcher.pipeline.living_fleet import LivingFleet
from dispatcher.pipeline.roster import RosterChange
from dispatcher.spool import About

_log = logging.getLogger("dispatcher.pipeline")

SHARE = 0.1
"""of the account's limits: what reading the fleet may take, as long as the fleet does not get too old for it"""
OLDEST_SHARE = 0.8
"""of `max_fleet_age_s`: small limits do not stretch the time between two reads beyond it"""
BUSY_SHARE = 0.2
"""of the time: a read that took long is followed by a longer pause"""
COMPANY_EVERY = 10
"""the company is read with every so manieth reading of the members"""
AGAIN_S = 2.0
"""between two readings of a day of which something was missed; longer where that would take twice the share"""
SHORTEST_S = 1.0
"""between two rounds, however many events ask for one"""
LONGEST_S = 30.0
"""a round comes at least this often: a new day must not wait"""
FAILED_S = 5.0
"""after a read that failed; twice as long after each further one, up to a minute"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRules:
    """How often what is read.

    Attributes:
        engine: False for `policy = "none"`: nobody asks for a fleet, nothing is read.
        members_s: between two readings of the members.
        routes_s: between two readings of a day's routes.
        max_age_s: an older fleet is unusable.
        limits: the account's.
    """

    engine: bool = True
    members_s: float
    routes_s: float
    max_age_s: float
    limits: Sequence[Limit] = ()

    def stretched(self, *, days: int) -> tuple[float, float]:
        """The two intervals, stretched so that all reading stays within its share of the limits.

        Args:
            days: days in play, the undated jobs counted as one.
        """
        rate = SHARE * self._rate
        needed = (1 + 1 / COMPANY_EVERY) / self.members_s + days / self.routes_s
        stretch = max(1.0, needed / rate)
        longest = OLDEST_SHARE * self.max_age_s
        return min(self.members_s * stretch, longest), min(self.routes_s * stretch, longest)

    def again_s(self, *, days: int) -> float:
        """The shortest time between two readings of a day, whatever was missed."""
        return min(max(AGAIN_S, days / (2 * SHARE * self._rate)), OLDEST_SHARE * self.max_age_s)

    @property
    def _rate(self) -> float:
        """Requests a second that the limits allow."""
        return min((limit.count / limit.window_s for limit in self.limits), default=float("inf"))


@dataclass(slots=True)
class SyncTally:
    """Counters of this process.

    Attributes:
        members: readings of the members.
        days: readings of a day.
        laid: day routes that differed from what was known.
        failures: readings that failed.
    """

    members: int = 0
    days: int = 0
    laid: int = 0
    failures: int = 0


class FleetSync:
    """Keeps a fleet up to date for as long as it runs, while this process leads.

    Args:
        fleet: made with `live=True`.
        clock: source of time.
        lead: of the account.
        rules: see there.
        on_members: told what was different after each reading of the members.
        on_rejected: told the jobs of a listing that their members rejected.
    """

    def __init__(
        self,
        fleet: LivingFleet,
        clock: Clock,
        *,
        lead: Lead,
        rules: SyncRules,
        on_members: Callable[[RosterChange], None] = lambda _: None,
        on_rejected: Callable[[Iterable[Mapping[str, Any]]], None] = lambda _: None,
    ) -> None:
        self.tally = SyncTally()
        self._fleet = fleet
        self._clock = clock
        self._lead = lead
        self._rules = rules
        self._on_members = on_members
        self._on_rejected = on_rejected
        self._failed = 0
        self._woken = asyncio.Event()

    def change(self, rules: SyncRules) -> None:
        """Go by other rules, from the next round on."""
        self._rules = rules
        self._woken.set()

    def wake(self) -> None:
        """There may be something to read now."""
        self._woken.set()

    def reread(self, days: Iterable[int] = ()) -> None:
        """Something is not known of these days, or of any: read them soon. Who does not lead tells the one who does."""
        days = tuple(days)
        if not self._lead.held:
            self._lead.tell(About.REREAD, days)
            return
        wanted = days or [*self._fleet.days]
        self._fleet.days.mark(wanted, now=self._clock.monotonic())
        self._woken.set()

    async def run(self) -> None:
        """Loop until cancelled.

        Raises:
            Denied: the server refused the key.
        """
        while True:
            self._woken.clear()
            began = self._clock.monotonic()
            try:
                wait_s = await self.step()
            except (RemoteError, SpoolError) as error:
                if isinstance(error, Denied) and error.about_key:
                    raise
                await asyncio.sleep(self._after_failure(error))
                continue
            except Exception as error:  # noqa: BLE001 - whatever is odd about the data, jobs go on
                _log.exception("a fault while the fleet was brought up to date")
                await asyncio.sleep(self._after_failure(error))
                continue
            self._failed = 0
            took_s = self._clock.monotonic() - began
            await asyncio.sleep(min(LONGEST_S, max(SHORTEST_S, took_s * (1 / BUSY_SHARE - 1))))
            try:
                async with asyncio.timeout(min(wait_s, LONGEST_S)):
                    await self._woken.wait()
            except TimeoutError:
                pass

    async def step(self) -> float:
        """Read what is due; returns the seconds until something is due again."""
        fleet = self._fleet
        if not self._rules.engine or not self._lead.held:
            return LONGEST_S
        async with fleet.steady:
            if not await fleet.bring_up(()):
                return TRY_AGAIN_S
            await fleet.roll()
        todays = fleet.todays()
        days = len({*todays, *fleet.days}) + fleet.undated.wanted
        members_s, routes_s = self._rules.stretched(days=days)
        again_s = self._rules.again_s(days=days)
        if fleet.age_s >= members_s:
            await self._members()
        due = fleet.days.due(todays, now=self._clock.monotonic(), every_s=routes_s, again_s=again_s)
        if fleet.undated.wanted and not todays.isdisjoint(due):
            await fleet.read_undated()
        for day in due:
            await self._day(day)
        now = self._clock.monotonic()
        next_day_s = fleet.days.next_s(now=now, every_s=routes_s, again_s=again_s)
        return max(0.0, min(members_s - fleet.age_s, next_day_s))

    async def _members(self) -> None:
        fleet = self._fleet
        company = None
        if self.tally.members % COMPANY_EVERY == COMPANY_EVERY - 1:
            company = await fleet.reading.company()
        read_at = self._clock.monotonic()
        accounts = await fleet.reading.accounts()
        async with fleet.steady:
            change = await fleet.take_members(accounts, company, read_at=read_at)
        self.tally.members += 1
        self._on_members(change)

    async def _day(self, day: int) -> None:
        fleet = self._fleet
        async with fleet.steady:
            since = await fleet.expect()
        try:
            listing = await fleet.reading.day(day)
            async with fleet.steady:
                self.tally.laid += await fleet.take_day(day, listing, since)
        finally:
            fleet.forget(since)
        self.tally.days += 1
        if listing.rejected:
            self._on_rejected(listing.rejected)

    def _after_failure(self, error: Exception) -> float:
        self.tally.failures += 1
        wait_s = min(60.0, FAILED_S * 2.0**self._failed)
        self._failed += 1
        _log.log(
            logging.WARNING if self._failed == 1 else logging.INFO,
            "the fleet could not be brought up to date, next try in %.0f s: %s",
            wait_s,
            error,
        )
        return wait_s
