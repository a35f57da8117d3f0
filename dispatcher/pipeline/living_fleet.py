"""A fleet that somebody keeps up to date: readings of the members and the days, webhooks, offers to others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from dispatcher.hellotracks.day_stops import DayStops
from dispatcher.pipeline.fleet import Fleet
from dispatcher.pipeline.roster import Roster, RosterChange
from dispatcher.pipeline.since import Since

if TYPE_CHECKING:
    from engine import Decision, Engine


class LivingFleet(Fleet):
    """Whoever calls what is here holds `steady`, but for `forget` and `settled`."""

    async def roll(self) -> None:
        """Let time go on: a new day begins, and days that are over fall out of play."""
        for day in self.days.roll(self.todays(), now=self._clock.monotonic()):
            self.newest_ms.pop(day, None)
        if self.engine:
            await self._room.run(partial(self.engine.advance, self._room.now()))

    async def take_members(
        self, accounts: Sequence[Mapping[str, Any]], company: Mapping[str, Any] | None, *, read_at: float
    ) -> RosterChange:
        """The members as they were read just now, and the company if that was read too; returns what was different.

        Other members than before, or another set-up of teams: the fleet is built anew, which reads the days in play.

        Raises:
            RemoteError: a day could not be read; the fleet stays as it was.
        """
        roster = Roster(accounts, zone=self._zone)
        change = self.roster.change_to(roster)
        company = self._company if company is None else company
        if self.engine is None or change.others or _teams(company) != _teams(self._company):
            await self._load((), accounts=accounts, company=company)
        else:
            await self._room.run(partial(_tell, self.engine, change, self._room.now()))
            self.roster, self._loaded_at = roster, read_at
        if change:
            self._changed()
        return change

    async def expect(self) -> Since:
        """Before a day's listing is asked for: begin to note what it may not show. `take_day` or `forget` ends it."""
        pending = {job.key async for job in self._spool.decided(self._account)}
        since = Since(self._clock.monotonic(), pending | self._moving, {})
        self._since.append(since)
        return since

    def forget(self, since: Since) -> None:
        """The listing did not come, or is dealt with."""
        self._since = [one for one in self._since if one is not since]

    async def take_day(self, day: int, listing: DayStops, since: Since) -> int:
        """A day's listing makes its routes; returns how many were laid anew."""
        if self.engine is None or since not in self._since:
            return 0  # since then another term has begun
        stops = [*listing.stops, *self.undated.on(day, self.date_of)]
        laid = await self._room.run(partial(self.engine.replace_day, day, stops, keep=since.keep(listing.stops)))
        self.newest_ms[day] = listing.newest_ms
        self.days.read(day, at=since.at)
        if laid:
            self._changed()
        return laid

    async def take_events(
        self, gone: Sequence[str], stops: Sequence[Mapping[str, Any]], told: Mapping[str, int]
    ) -> None:
        """What webhooks say: these stops leave, those are new or different.

        Args:
            gone: keys or ids.
            stops: jobs of days in play, dated.
            told: see `Since`.
        """
        if self.engine is None:
            return  # all of it will be read
        for since in self._since:
            since.told.update(told)
        await self._room.run(partial(_apply, self.engine, gone, stops))
        self._changed()

    async def reassign(self, job: Mapping[str, Any]) -> Decision:
        """Offer a job to the next best (see `Engine.reassign`); until `settled`, listings say nothing about it."""
        assert self.engine is not None  # noqa: S101 - `bring_up` was asked first
        key = str(job["uidSecondary"])
        self._moving.add(key)
        for since in self._since:
            since.names.add(key)
        decision = await self._room.run(partial(self.engine.reassign, job, now=self._room.now()))
        if decision.worker is None:
            self._moving.discard(key)
        return decision

    def settled(self, key: str) -> None:
        """The server knows of a reassignment, or never will."""
        self._moving.discard(key)


def _tell(engine: Engine, change: RosterChange, now: float) -> None:
    engine.advance(now)
    if change.records:
        engine.update_members(change.records)
    for move in change.moves:
        engine.update_location(move.username, move.lat, move.lng, seen_s=move.seen_s)


def _teams(company: Mapping[str, Any] | None) -> object:
    return None if company is None else company.get("teams_config")


def _apply(engine: Engine, gone: Sequence[str], stops: Sequence[Mapping[str, Any]]) -> None:
    engine.cancel(gone)
    engine.add_routes(stops)
