"""The events stage: what webhooks tell is put into the day routes at once, in batches, in the right order."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dispatcher.errors import SpoolError
from dispatcher.pipeline.job_event import JobEvent, Told
from dispatcher.pipeline.lead import Lead
from dispatcher.pipeline.living_fleet import LivingFleet

_log = logging.getLogger("dispatcher.pipeline")

MOST_WAITING = 10_000
"""Jobs with an event that waits to be applied; of more, the days are read again instead."""
BATCH_JOBS = 1000
"""Applied in one go."""
REMEMBERED = 20_000
"""Jobs of which the newest event is remembered, so that an older one that comes late does not count."""
AGAIN_S = 1.0


class JobEvents:
    """Takes events from webhooks and applies them, while this process leads; otherwise the days are read by who does.

    Of several events of a job only the newest counts, by the time at which the job was saved: they may come twice, late
    or in another order. What a listing read since shows already is passed over. `put` never waits.

    Args:
        fleet: whose day routes.
        lead: of the account.
        reread: called with the days of which something was missed (none: of all days in play).
        on_rejected: told the jobs that their members rejected.
        most: jobs that may wait.

    Attributes:
        tally: how many events were `applied`, `stale` (older than what is known), `dropped` (too many waited),
            `passed_on` to the leader.
    """

    def __init__(
        self,
        fleet: LivingFleet,
        *,
        lead: Lead,
        reread: Callable[[Iterable[int]], None],
        on_rejected: Callable[[Iterable[Mapping[str, Any]]], None] = lambda _: None,
        most: int = MOST_WAITING,
    ) -> None:
        self.tally: Counter[str] = Counter()
        self._fleet = fleet
        self._lead = lead
        self._reread = reread
        self._on_rejected = on_rejected
        self._most = most
        self._waiting: OrderedDict[str, JobEvent] = OrderedDict()
        self._known: OrderedDict[str, tuple[int, Told]] = OrderedDict()
        self._woken = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Jobs whose newest event is not applied yet."""
        return len(self._waiting)

    def put(self, events: Iterable[JobEvent]) -> None:
        """Take events in."""
        if not self._lead.held:
            self._pass_on(events)
            return
        for event in events:
            before = self._waiting.get(event.name)
            if before is not None:
                if event.follows(before.saved_ms, before.told):
                    self._waiting[event.name] = event
                self.tally["stale"] += 1
            elif len(self._waiting) >= self._most:
                self.tally["dropped"] += 1
                self._reread([event.day] if event.day and event.told is Told.OPEN else ())
            else:
                self._waiting[event.name] = event
        self._woken.set()

    async def run(self) -> None:
        """Loop until cancelled."""
        while True:
            self._woken.clear()
            try:
                while self._waiting:
                    await self.step()
            except SpoolError as error:
                _log.warning("events could not be applied, trying again: %s", error)
                await asyncio.sleep(AGAIN_S)
                continue
            except Exception:  # noqa: BLE001 - one odd job must not end them all
                _log.exception("events could not be applied; the day routes are read anew")
                self._reread(())
            await self._woken.wait()

    async def step(self) -> None:
        """Apply what waits, up to a batch."""
        async with self._fleet.steady:
            if not self._lead.held:
                self._pass_on(self._waiting.values())
                self._waiting.clear()
                return
            batch = [self._waiting.popitem(last=False)[1] for _ in range(min(BATCH_JOBS, len(self._waiting)))]
            try:
                await self._apply(batch)
            except SpoolError:
                for event in reversed(batch):
                    if event.name not in self._waiting:
                        self._waiting[event.name] = event
                        self._waiting.move_to_end(event.name, last=False)
                raise

    def _pass_on(self, events: Iterable[JobEvent]) -> None:
        told = list(events)
        days = {event.day for event in told}
        self._reread(sorted(days) if all(days) else ())
        self.tally["passed_on"] += len(told)

    async def _apply(self, batch: Iterable[JobEvent]) -> None:
        news = [event for event in batch if self._is_news(event)]
        gone: list[str] = []
        stops: list[Mapping[str, Any]] = []
        told: dict[str, int] = {}
        for event in news:
            stop = await self._stop(event)
            if event.told is Told.UNCLEAR:
                self._reread([event.day] if event.day else ())
                continue
            told.update(dict.fromkeys(event.names, event.saved_ms))
            if stop is None:
                gone += event.names
            else:
                stops.append(stop)
        await self._fleet.take_events(gone, stops, told)
        for event in news:
            self._remember(event)
        self.tally["applied"] += len(news)
        rejected = [event.job for event in news if event.job.get("tsRejected") and event.told is Told.OVER]
        if rejected:
            self._on_rejected(rejected)

    async def _stop(self, event: JobEvent) -> Mapping[str, Any] | None:
        """The job as a stop of a day in play; None when it is none."""
        fleet = self._fleet
        if event.told is not Told.OPEN:
            return None
        if event.day:
            return event.job if event.day in fleet.days else None
        if not await fleet.undated.is_ours(event.job):
            return None
        fleet.undated.wanted = True
        day = fleet.date_of(event.job)
        return {**event.job, "day": day} if day in fleet.days else None

    def _is_news(self, event: JobEvent) -> bool:
        known = self._known.get(event.name)
        newest_ms = self._fleet.newest_ms.get(event.day, 0)
        seen = event.told is not Told.DELETED and 0 < event.saved_ms < newest_ms
        if seen or (known is not None and not event.follows(*known)):
            self.tally["stale"] += 1
            return False
        return True

    def _remember(self, event: JobEvent) -> None:
        self._known[event.name] = event.saved_ms, event.told
        self._known.move_to_end(event.name)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
