"""The fleet of one account: members and day routes from Hellotracks (or files), held as an engine."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from dispatcher.errors import Denied, NotSent, RemoteError, Throttled
from dispatcher.hellotracks import HellotracksClient
from dispatcher.model.event import Event
from dispatcher.model.histogram import Histogram
from dispatcher.model.records import SpooledJob
from dispatcher.pipeline import engine_work
from dispatcher.pipeline.assigning import Found
from dispatcher.pipeline.calendar import date_in, dates_in
from dispatcher.pipeline.clock import Clock
from dispatcher.pipeline.days_in_play import DaysInPlay
from dispatcher.pipeline.engine_room import EngineRoom
from dispatcher.pipeline.fleet_reading import FleetReading
from dispatcher.pipeline.fleet_view import FleetFiles
from dispatcher.pipeline.lead import Lead
from dispatcher.pipeline.roster import Roster
from dispatcher.pipeline.since import Since
from dispatcher.pipeline.turn import Turnstile
from dispatcher.pipeline.undated import Undated
from dispatcher.spool import About, Spool

if TYPE_CHECKING:
    from engine import Engine, EngineSettings, Reason

_log = logging.getLogger("dispatcher.pipeline")
T = TypeVar("T")

TRIES = 4
"""how often a fleet read that the server answers badly is tried before the fleet counts as unusable"""
TRY_AGAIN_S = 30.0
"""how long the fallback decides before an unusable fleet is asked for again"""
REFRESH_SHARE = 0.8
"""of `max_fleet_age_s`: a fleet that nobody keeps up to date is read anew before it gets too old"""
FOLLOWER_S = 30.0
"""a fleet of a process that does not lead is read anew when it is asked for and older: others decide meanwhile"""
NEVER_S = float("inf")
FIT_BUCKETS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000)


class _Kept(NamedTuple):
    """A job that was decided and is not through."""

    key: str
    body: bytes
    worker: str | None


class _Read(NamedTuple):
    """A day that was read: when it was asked for (monotonic), and see `Fleet.newest_ms`."""

    day: int
    at: float
    newest_ms: int


class Fleet:
    """Members and day routes as an engine.

    Reads go through the account's turnstile; deciding runs in a thread of its own.

    Args:
        account: its name.
        client: asked for members and jobs.
        turnstile: the account's.
        spool: knows what was decided and is not at the server yet.
        clock: source of time.
        lead: a term of it begins with a fleet that is built anew: others have decided before.
        engine_settings: for each engine that is built.
        timezone: the account's.
        max_age_s: an older fleet is unusable.
        live: somebody keeps it up to date (see `FleetSync`); otherwise it is read when jobs need it.
        files: instead of the server.
    """

    def __init__(
        self,
        account: str,
        *,
        client: HellotracksClient,
        turnstile: Turnstile,
        spool: Spool,
        clock: Clock,
        lead: Lead,
        engine_settings: Callable[[], EngineSettings],
        timezone: str,
        max_age_s: float,
        live: bool = False,
        files: FleetFiles | None = None,
    ) -> None:
        self.engine: Engine | None = None
        self.problem = ""
        self.tests = Histogram(FIT_BUCKETS)
        self.steady = asyncio.Lock()
        self.days = DaysInPlay(idle_s=max_age_s)
        self.undated = Undated(account, spool)
        self.roster = Roster((), zone=timezone)
        self.reading = FleetReading(client, turnstile)
        self.newest_ms: dict[int, int] = {}
        """per day in play (0: undated jobs), what its last listing shows for certain: all that was saved before"""
        self._account = account
        self._spool = spool
        self._clock = clock
        self._lead = lead
        self._term = lead.term
        self._zone = timezone
        self._max_age_s = max_age_s
        self._live = live
        self._files = files
        self._loaded_at = 0.0
        self._try_again_at = 0.0
        self._company: Mapping[str, Any] | None = None
        self._since: list[Since] = []
        self._moving: set[str] = set()
        self._stood: set[str] = set()
        self._watchers: list[Callable[[], None]] = []
        self._room = EngineRoom(account, clock=clock, settings=engine_settings)

    def __repr__(self) -> str:
        members = len(self.engine.members) if self.engine else 0
        return f"<Fleet {self._account}: {members} members, days {list(self.days)}, {self.problem or 'usable'}>"

    @property
    def age_s(self) -> float:
        """Seconds since the members were read; infinite before the first time."""
        return self._clock.monotonic() - self._loaded_at if self.engine else float("inf")

    def change(self, *, engine_settings: Callable[[], EngineSettings], timezone: str, max_age_s: float) -> None:
        """Go by other settings: the fleet is built anew before the next decision."""
        self._room.settings = engine_settings
        self._zone = timezone
        self._max_age_s = max_age_s
        self._loaded_at = float("-inf")

    def stand_by(self) -> None:
        """See `EngineRoom.stand_by`."""
        self._room.stand_by()

    def close(self) -> None:
        self._room.close()

    def watch(self, changed: Callable[[], None]) -> None:
        """Call back after each change by which a member may have room that had none before."""
        self._watchers.append(changed)

    # For those who need decisions

    async def ready(self, days: Collection[int]) -> bool:
        """As `bring_up`, for callers that do not hold `steady`."""
        async with self.steady:
            return await self.bring_up(days)

    async def bring_up(self, days: Collection[int]) -> bool:
        """See `FleetView.bring_up`.

        While the server cannot be reached this waits: nothing could be sent either, and a better decision comes later.

        Raises:
            Denied: the key may not read the fleet.
        """
        failures = 0
        while True:
            if self._term != self._lead.term:
                self._term = self._lead.term
                self._forget()
            if not self.engine and self._clock.monotonic() < self._try_again_at:
                return False
            try:
                await self._bring_up(days)
            except RemoteError as error:
                if isinstance(error, Denied) and error.about_key:
                    raise
                unreachable = isinstance(error, NotSent | Throttled)
                failures += 0 if unreachable else 1
                self.problem = f"the fleet could not be read: {error}"
                if failures >= TRIES:
                    _log.warning(
                        Event("fleet unusable", account=self._account, error=self.problem, retry_s=TRY_AGAIN_S)
                    )
                    if self.age_s > self._max_age_s:
                        self._give_up(self.problem)
                    self._try_again_at = self._clock.monotonic() + TRY_AGAIN_S
                    return False
                await asyncio.sleep(0.2 * (failures + 1))
            except Exception as error:  # noqa: BLE001 - whatever is odd about the data, jobs go on
                _log.exception("the engine could not be built; the fallback decides for %.0f s", TRY_AGAIN_S)
                self._give_up(f"the engine could not be built: {error!r}")
                return False
            else:
                self.problem = ""
                return True

    async def decide(self, jobs: Sequence[SpooledJob]) -> Sequence[Found | None]:
        """See `FleetView.decide`. Needs `bring_up` first."""
        engine = self.engine
        assert engine is not None  # noqa: S101 - `bring_up` was asked first
        keys = [job.key for job in jobs]
        for since in self._since:
            since.names.update(keys)
        if any(not job.day for job in jobs):
            self.undated.sent([job.key for job in jobs if not job.day])
        bodies = [job.body for job in jobs]
        try:
            return await self._room.run(
                partial(engine_work.decide, engine, bodies, now=self._room.now(), tests=self.tests)
            )
        except Exception as error:  # noqa: BLE001 - a fault of the engine must not stop delivery
            _log.exception("the engine failed; the fallback decides for %.0f s", TRY_AGAIN_S)
            self._give_up(f"the engine failed: {error!r}")
            return [None] * len(jobs)

    async def free(self, keys: Iterable[str], days: Collection[int] = ()) -> None:
        """See `FleetView.free`."""
        if not self._lead.held:
            self._lead.tell(About.REREAD, days if all(days) else ())
        engine = self.engine
        if engine is None:
            return
        freed = await self._room.run(partial(engine.cancel, list(keys)))
        if freed:
            self._changed()

    async def reasons(self, job: Mapping[str, Any]) -> dict[str, Reason]:
        """Why nobody can take this job as things are now; empty without a usable fleet."""
        if not self.engine:
            return {}
        return await self._room.run(partial(self.engine.reasons, job, now=self._room.now()))

    async def ask(self, question: Callable[[Engine], T]) -> T | None:
        """Ask the engine in its thread; None without one."""
        return await self._room.run(partial(question, self.engine)) if self.engine else None

    def todays(self) -> set[int]:
        """The dates that it is for the members now."""
        return dates_in(self.roster.zones, self._clock.wall())

    def date_of(self, stop: Mapping[str, Any]) -> int:
        """The date that it is for the member who has a job."""
        return date_in(self.roster.zone_of(stop), self._clock.wall())

    # Inside

    def _changed(self) -> None:
        for watcher in self._watchers:
            watcher()

    def _give_up(self, problem: str) -> None:
        """The fleet is unusable for a while; then it is read anew."""
        self.problem = problem
        self.engine = None
        self.days.clear()
        self._try_again_at = self._clock.monotonic() + TRY_AGAIN_S

    def _forget(self) -> None:
        """Nothing of what was known holds any more: others have decided meanwhile."""
        self.engine, self.problem = None, ""
        self.days.clear()
        self.newest_ms.clear()
        self.undated = Undated(self._account, self._spool)
        self._since, self._moving, self._stood = [], set(), set()
        self._loaded_at = self._try_again_at = 0.0

    @property
    def _kept(self) -> bool:
        """Whether somebody keeps it up to date."""
        return self._live and self._lead.held

    @property
    def _limit_s(self) -> float:
        """Age at which it is read anew when it is asked for."""
        if self._kept:
            return self._max_age_s
        mine_s = REFRESH_SHARE * self._max_age_s
        return mine_s if self._lead.held else min(mine_s, FOLLOWER_S)

    async def _bring_up(self, days: Collection[int]) -> None:
        if self._files is not None:
            if self.engine is None or self.age_s == NEVER_S:
                await self._load_files(self._files)
            return
        now = self._clock.monotonic()
        if self.engine is None or self.age_s > self._limit_s:
            await self._load(days)
            return
        wanted = self._calendar(days)
        self.days.ask(wanted, now=now)
        for day in sorted(self.days.old(wanted, now=now, limit_s=self._limit_s if self._kept else NEVER_S)):
            self._in_play(await self._read_day(self.engine, day, keep=await self._unsent()))

    async def _load_files(self, files: FleetFiles) -> None:
        kept = await self._decided()
        engine = await self._room.build(files.accounts, files.company, files.routes)
        await self._stand(engine, kept)
        self._loaded_at = self._clock.monotonic()

    async def _load(
        self,
        days: Collection[int],
        *,
        accounts: Sequence[Mapping[str, Any]] | None = None,
        company: Mapping[str, Any] | None = None,
    ) -> None:
        """Read everything and build the engine anew; until then the old one stands."""
        kept = await self._decided()  # before the server is read: what is confirmed in between shows there
        if accounts is None:
            company = await self.reading.company()
            accounts = await self.reading.accounts()
        read_at = self._clock.monotonic()
        before, self.roster = self.roster, Roster(accounts, zone=self._zone)
        try:
            engine = await self._room.build(accounts, company)
            named = self.days.named if self._lead.held else ()
            wanted = self._calendar({*named, *days, *((0,) if self._kept else ())})
            if self.undated.wanted and wanted & self.todays():
                await self.read_undated()
            read = [await self._read_day(engine, day) for day in sorted(wanted)]
        except BaseException:
            self.roster = before
            raise
        await self._stand(engine, kept)
        self._company, self._loaded_at = company, read_at
        self.days.drop_all_but(wanted)
        self.days.ask(self._calendar(days), now=read_at)
        for one in read:
            self._in_play(one)

    async def _decided(self) -> list[_Kept]:
        return [_Kept(job.key, job.body, job.worker) async for job in self._spool.decided(self._account)]

    async def _stand(self, engine: Engine, kept: Sequence[_Kept]) -> None:
        """Put back what was decided, and let the engine take the place of the one before."""
        await self._room.occupy(engine, [(job.body, job.worker) for job in kept])
        self.engine, self._stood = engine, {job.key for job in kept}
        for warning in engine.warnings[:20]:
            _log.warning(Event("fleet data odd", account=self._account, what=warning))

    async def _unsent(self) -> set[str]:
        """Keys of jobs that may be in the routes of a day that was not read yet, and not at the server."""
        if self._live or self._lead.shared:
            return {job.key async for job in self._spool.decided(self._account)}
        return self._stood  # what was decided since then names days that were read before

    async def _read_day(self, engine: Engine, day: int, *, keep: Collection[str] = ()) -> _Read:
        """Lay a day's routes; the stops with these keys stay."""
        at = self._clock.monotonic()
        listing = await self.reading.day(day)
        stops = [*listing.stops, *self.undated.on(day, self.date_of)]
        await self._room.run(partial(engine.replace_day, day, stops, keep=keep))
        return _Read(day, at, listing.newest_ms)

    def _in_play(self, read: _Read) -> None:
        self.days.read(read.day, at=read.at)
        self.newest_ms[read.day] = read.newest_ms

    async def read_undated(self) -> None:
        """Which undated jobs of ours are open. A server that cannot list them leaves things as they were."""
        listing = await self.reading.undated()
        if listing is not None:
            self.newest_ms[0] = listing.newest_ms
            await self.undated.take(listing.stops)

    def _calendar(self, days: Collection[int]) -> set[int]:
        """The dates to read for these days: 0 is every member's own today; what is past everywhere is not read."""
        todays = self.todays()
        return {day for day in days if day >= min(todays)} | (todays if 0 in days else set())
