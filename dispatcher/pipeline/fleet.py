"""The fleet of one account: members and day routes from Hellotracks (or files), held as an engine and kept usable."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson

from dispatcher.errors import Denied, NotSent, RemoteError, Throttled
from dispatcher.hellotracks import HellotracksClient
from dispatcher.model.histogram import Histogram
from dispatcher.pipeline.assigning import Found
from dispatcher.pipeline.clock import Clock
from dispatcher.pipeline.columns import columns_of, taken
from dispatcher.pipeline.nursery import Nursery
from dispatcher.pipeline.turn import Turnstile
from dispatcher.spool import Spool

if TYPE_CHECKING:
    from engine import Engine, EngineSettings, Reason

_log = logging.getLogger("dispatcher.pipeline")
T = TypeVar("T")

TRIES = 4
"""how often a fleet read that the server answers badly is tried before the fleet counts as unusable"""
TRY_AGAIN_S = 30.0
"""how long the fallback decides before an unusable fleet is asked for again"""
REFRESH_SHARE = 0.8
"""of `max_fleet_age_s`: a fleet is read anew before it gets too old"""
NOW_STEP_S = 5.0
"""the engine's clock moves in steps, so that a stream of small batches does not restart every day route"""
OCCUPY_JOBS = 5000
FEW_MEMBERS = 17
"""an engine with fewer needs no tree (twice its leaf size)"""
FIT_BUCKETS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000)


class FleetView(Protocol):
    """What the stages need of the fleet.

    Attributes:
        tests: exact fit tests of each decision, of those that the engine took as columns (see `columns.py`).
    """

    tests: Histogram

    async def ready(self, days: Collection[int]) -> bool:
        """Bring the day routes of these days into play; False when the fleet is unusable and the fallback decides."""
        ...

    async def decide(self, bodies: Sequence[bytes]) -> Sequence[Found | None]:
        """The engine's decisions on a batch of stored jobs, in input order; None: the fallback decides."""
        ...

    async def free(self, keys: Iterable[str]) -> None:
        """These jobs will not take place: their stops leave the day routes."""
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


class Fleet:
    """Members and day routes as an engine.

    Reads go through the account's turnstile; deciding runs in a thread of its own.
    """

    def __init__(
        self,
        account: str,
        *,
        client: HellotracksClient,
        turnstile: Turnstile,
        spool: Spool,
        clock: Clock,
        engine_settings: Callable[[], EngineSettings],
        timezone: str,
        max_age_s: float,
        files: FleetFiles | None = None,
    ) -> None:
        self.engine: Engine | None = None
        self.problem = ""
        self.tests = Histogram(FIT_BUCKETS)
        self._account = account
        self._client = client
        self._turnstile = turnstile
        self._spool = spool
        self._clock = clock
        self._engine_settings = engine_settings
        self._zone = timezone
        self._max_age_s = max_age_s
        self._files = files
        self._days: set[int] = set()
        self._zones: set[str] = {timezone}
        self._loaded_at = 0.0
        self._try_again_at = 0.0
        self._nursery = Nursery()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"engine-{account}")

    def __repr__(self) -> str:
        members = len(self.engine.members) if self.engine else 0
        return f"<Fleet {self._account}: {members} members, days {sorted(self._days)}, {self.problem or 'usable'}>"

    @property
    def age_s(self) -> float:
        """Seconds since the members were read; infinite before the first time."""
        return self._clock.monotonic() - self._loaded_at if self.engine else float("inf")

    def close(self) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._nursery.close()

    async def ready(self, days: Collection[int]) -> bool:
        """See `FleetView.ready`.

        While the server cannot be reached this waits: nothing could be sent either, and a better decision comes later.

        Raises:
            Denied: the key may not read the fleet.
        """
        failures = 0
        while True:
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
                    _log.warning("%s; the fallback decides for %.0f s", self.problem, TRY_AGAIN_S)
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

    async def decide(self, bodies: Sequence[bytes]) -> Sequence[Found | None]:
        """See `FleetView.decide`. Needs `ready` first. Plain jobs go as columns, which gives the same answers."""
        try:
            return await self._in_thread(partial(self._decide, bodies, self._engine_now()))
        except Exception as error:  # noqa: BLE001 - a fault of the engine must not stop delivery
            _log.exception("the engine failed; the fallback decides for %.0f s", TRY_AGAIN_S)
            self._give_up(f"the engine failed: {error!r}")
            return [None] * len(bodies)

    async def free(self, keys: Iterable[str]) -> None:
        """See `FleetView.free`."""
        if self.engine:
            await self._in_thread(partial(self.engine.cancel, list(keys)))

    async def reasons(self, job: Mapping[str, Any]) -> dict[str, Reason]:
        """Why nobody can take this job as things are now; empty without a usable fleet."""
        if not self.engine:
            return {}
        return await self._in_thread(partial(self.engine.reasons, job, now=self._engine_now()))

    async def ask(self, question: Callable[[Engine], T]) -> T | None:
        """Ask the engine in its thread; None without one."""
        return await self._in_thread(partial(question, self.engine)) if self.engine else None

    def _give_up(self, problem: str) -> None:
        """The fleet is unusable for a while; then it is read anew."""
        self.problem = problem
        self.engine = None
        self._days.clear()
        self._try_again_at = self._clock.monotonic() + TRY_AGAIN_S

    def _decide(self, bodies: Sequence[bytes], now: float) -> Sequence[Found | None]:
        from engine import EngineError  # noqa: PLC0415 - numba and scikit-learn load only when there is something to decide

        assert self.engine is not None  # noqa: S101 - `ready` was asked first
        settings = self.engine.settings
        if settings.order == "priority" and not settings.improve_s and (columns := columns_of(bodies)) is not None:
            try:
                decided = self.engine.decide_columns(columns, now=now)
            except EngineError as error:
                _log.info("these jobs are decided one by one: %s", error)
            else:
                for tests, jobs in Counter(decided.tests.tolist()).items():
                    self.tests.observe(tests, times=jobs)
                return taken(self.engine.members, decided)
        return self._decide_jobs([orjson.loads(body) for body in bodies], now)

    def _decide_jobs(self, jobs: Sequence[Mapping[str, Any]], now: float) -> Sequence[Found | None]:
        from engine import EngineError  # noqa: PLC0415 - see `_decide`

        assert self.engine is not None  # noqa: S101 - `ready` was asked first
        try:
            return self.engine.decide(jobs, now=now)
        except EngineError as error:
            if len(jobs) == 1:
                _log.warning("the engine cannot read a job, the fallback decides: %s", error)
                return [None]
            middle = len(jobs) // 2
            return [*self._decide_jobs(jobs[:middle], now), *self._decide_jobs(jobs[middle:], now)]

    async def _bring_up(self, days: Collection[int]) -> None:
        if self.engine is None or (self._files is None and self.age_s > REFRESH_SHARE * self._max_age_s):
            await self._load()
        if self._files is not None:
            return
        for day in sorted(self._calendar(days) - self._days):
            async with self._turnstile.request():
                jobs = await self._client.open_stops(day)
            await self._in_thread(partial(self._add_day, day, jobs))

    async def _load(self) -> None:
        kept = [
            (job.body, job.worker) async for job in self._spool.decided(self._account)
        ]  # read before the server is: what is confirmed in between shows there
        if self._files is not None:
            accounts, routes, company = self._files.accounts, self._files.routes, self._files.company
        else:
            async with self._turnstile.request():
                company = await self._client.get_company()
            async with self._turnstile.request():
                accounts = await self._client.get_accounts()
            routes = ()
        if len(accounts) >= FEW_MEMBERS:
            self._nursery.prepare()
        self._zones = {self._zone, *(str(member.get("timezone") or self._zone) for member in accounts)}
        engine = await self._in_thread(partial(self._build, accounts, routes, company))
        days: set[int] = set()
        if self._files is None:
            for day in sorted(self._days | {0}):
                for date in sorted(self._calendar([day]) - days):
                    async with self._turnstile.request():
                        jobs = await self._client.open_stops(date)
                    await self._in_thread(partial(engine.add_routes, jobs))
                    days.add(date)
        for first in range(0, len(kept), OCCUPY_JOBS):
            await self._in_thread(partial(_occupy, engine, kept[first : first + OCCUPY_JOBS]))
        self.engine, self._days, self._loaded_at = engine, days, self._clock.monotonic()
        for warning in engine.warnings[:20]:
            _log.warning("fleet of %s: %s", self._account, warning)

    def _build(
        self,
        accounts: Sequence[Mapping[str, Any]],
        routes: Sequence[Mapping[str, Any]],
        company: Mapping[str, Any] | None,
    ) -> Engine:
        from engine import Engine  # noqa: PLC0415 - see `_decide`

        return Engine(
            accounts,
            routes=routes,
            company=company,
            settings=self._engine_settings(),
            now=self._engine_now(),
            planter=self._nursery,
        )

    def _add_day(self, day: int, jobs: Sequence[Mapping[str, Any]]) -> None:
        """A further day's stops come into play."""
        assert self.engine is not None  # noqa: S101 - called while it is being brought up
        self.engine.add_routes(jobs)
        self._days.add(day)

    def _calendar(self, days: Collection[int]) -> set[int]:
        """The dates to read for these days: 0 is every member's own today; what is past everywhere is not read."""
        todays = {_date(zone, self._clock.wall()) for zone in self._zones}
        return {day for day in days if day >= min(todays)} | (todays if 0 in days else set())

    def _engine_now(self) -> float:
        return self._clock.wall() // NOW_STEP_S * NOW_STEP_S

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)


def _occupy(engine: Engine, decided: Sequence[tuple[bytes, str | None]]) -> None:
    jobs: list[dict[str, Any]] = []
    for body, worker in decided:
        job: dict[str, Any] = orjson.loads(body)
        if worker and not job.get("receiverUid"):
            job["worker"] = worker
        jobs.append(job)
    engine.decide(jobs)


def _date(zone: str, now: float) -> int:
    try:
        local = datetime.fromtimestamp(now, ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        local = datetime.fromtimestamp(now, UTC)
    return local.year * 10000 + local.month * 100 + local.day
