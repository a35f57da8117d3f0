"""Unknown outcomes: jobs whose request may have arrived are looked up by key, never guessed, never sent blind."""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence

from dispatcher.errors import Denied, OutcomeUnknown, Rejected, RemoteError
from dispatcher.hellotracks import HellotracksClient, RemoteJob, carries
from dispatcher.model import points
from dispatcher.model.records import SpooledJob
from dispatcher.model.state import State
from dispatcher.pipeline.clock import Clock
from dispatcher.pipeline.fleet_view import FleetView
from dispatcher.pipeline.journal import Journal
from dispatcher.pipeline.moves import DeliveryRules, look_up_failed, looked_up
from dispatcher.pipeline.stage import Stage
from dispatcher.pipeline.turn import Turnstile
from dispatcher.spool import Spool

_log = logging.getLogger("dispatcher.pipeline")

LOOK_UP_JOBS = 5000
"""unknown jobs taken at once: those of one day share a request"""
SINGLE_LOOK_UPS = 3
"""up to so many jobs of a day are asked for by key; more are found in one listing of their day"""


class Resolver(Stage):
    """Claims unknown jobs, looks them up and writes what was found."""

    def __init__(
        self,
        account: str,
        spool: Spool,
        clock: Clock,
        *,
        journal: Journal,
        client: HellotracksClient,
        turnstile: Turnstile,
        fleet: FleetView,
        rules: DeliveryRules,
        rng: random.Random,
    ) -> None:
        super().__init__(account, spool, clock)
        self.requests = 0
        self._journal = journal
        self._client = client
        self._turnstile = turnstile
        self._fleet = fleet
        self._rules = rules
        self._rng = rng
        self._failures = 0

    def change(self, rules: DeliveryRules) -> None:
        """Go by other rules, from the next look-up on."""
        self._rules = rules

    async def step(self) -> bool:
        jobs = await self.spool.claim(self.account, limit=LOOK_UP_JOBS, now=self.clock.now(), states=(State.UNKNOWN,))
        if not jobs:
            return False
        points.reached("lookup.claimed")
        by_day: dict[int, list[SpooledJob]] = {}
        for job in jobs:
            by_day.setdefault(job.day, []).append(job)
        try:
            while by_day:
                await self._resolve(*by_day.popitem())
        except BaseException:  # the day at work has seen to its own jobs
            await self.spool.release([job.seq for group in by_day.values() for job in group])
            raise
        return True

    async def _resolve(self, day: int, jobs: Sequence[SpooledJob]) -> None:
        asked_at = self.clock.now()
        try:
            remote = await self._find(day, jobs)
        except RemoteError as error:
            self._failures += 1
            await self._journal.write(
                [look_up_failed(jobs, error, now=self.clock.now(), failures=self._failures, rng=self._rng)]
            )
            if isinstance(error, Denied):
                raise
            return
        except BaseException:
            await self.spool.release([job.seq for job in jobs])
            raise
        self._failures = 0
        found = {
            job.key: remote[job.key].id if carries(remote[job.key], job.body) else None
            for job in jobs
            if job.key in remote
        }
        settlement = looked_up(jobs, found, asked_at=asked_at, now=self.clock.now(), rules=self._rules, rng=self._rng)
        points.reached("lookup.answered")
        await self._journal.write(settlement.changes)
        points.reached("lookup.written")
        if settlement.freed:
            await self._fleet.free(settlement.freed, days=(day,))

    async def _find(self, day: int, jobs: Sequence[SpooledJob]) -> dict[str, RemoteJob]:
        if len(jobs) <= SINGLE_LOOK_UPS:
            try:
                return await self._find_each(jobs)
            except (Denied, Rejected, OutcomeUnknown) as error:
                if isinstance(error, Denied) and error.about_key:
                    raise
                _log.info("no look-up by key here, listing the day instead: %s", error)
        keys = {job.key for job in jobs}
        async with self._turnstile.request():
            self.requests += 1
            listed = await self._client.find_in_day(day, keys)
        if day == 0 and len(listed) < len(keys):
            # the server may have dated an undated job while assigning it
            async with self._turnstile.request():
                self.requests += 1
                listed.update(await self._client.find_in_day(None, keys - listed.keys()))
        return listed

    async def _find_each(self, jobs: Sequence[SpooledJob]) -> dict[str, RemoteJob]:
        found = {}
        for job in jobs:
            async with self._turnstile.request():
                self.requests += 1
                remote = await self._client.find_job(job.key)
            if remote is not None:
                found[job.key] = remote
        return found
