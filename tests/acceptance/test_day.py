"""A simulated day: shifts, locations, webhooks, outages and midnights pass over a living fleet, and nothing grows."""

from __future__ import annotations

import asyncio
import gc
import random
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import psutil
import pytest
from aiohttp import web

from dispatcher import Dispatcher, State
from dispatcher.daemon.desk import Desk
from dispatcher.daemon.hooks import Hooks
from dispatcher.daemon.metrics import Meters
from dispatcher.pipeline import stage
from dispatcher.pipeline.calendar import date_in, dates_in
from dispatcher.sandbox import Sandbox, SandboxSettings
from dispatcher.settings import Settings, load_settings
from dispatcher.spool import Spool, open_spool
from engine import Engine
from tests.acceptance.virtual_time import VirtualClock, VirtualLoop, Watched, virtual_loop

START = datetime(2026, 11, 30, 16, 0, tzinfo=UTC).timestamp()
HOUR_S = 3600.0
TICK_S = 600.0
HOURS = 24
MEMBERS = 30
JOBS_A_TICK = 5
ZONES = ("Europe/Rome", "America/New_York", "Asia/Tokyo")
SHIFTS = ({"start": 800, "end": 1700}, {"start": 1400, "end": 2200}, {"start": 2200, "end": 600})
WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
OUTAGES = {9: "close", 15: "503"}
"""Hours in which the server is away for two ticks."""
DEAF_H = range(12, 14)
"""Hours in which webhooks are held back; then they all come at once, long after what they tell."""
GROWTH_BYTES = 20 << 20


def crew() -> list[dict[str, Any]]:
    members = []
    for n in range(MEMBERS):
        lat, lng = 45.0 + n % 6 * 0.03, 7.6 + n // 6 * 0.04
        members.append(
            {
                "uid": f"u{n}",
                "username": f"m{n}",
                "role": "worker",
                "timezone": ZONES[n % 3],
                "teams": [1 + n % 2],
                "working_hours": dict.fromkeys(WEEK, SHIFTS[n % 4 % 3]),
                "location": {"lat": lat, "lng": lng, "ts": int(START * 1000)},
                "moving": "halted",
            }
        )
    return members


@dataclass
class World:
    """The server, the dispatcher and the people between them."""

    sandbox: Sandbox
    d: Dispatcher
    clock: VirtualClock
    rng: random.Random = field(default_factory=lambda: random.Random(5))
    keys: list[str] = field(default_factory=list)
    deleted: set[str] = field(default_factory=set)
    done: Counter[str] = field(default_factory=Counter)

    async def tick(self, hour: int) -> None:
        """Ten minutes of everybody's day."""
        await self.callers()
        self.people(hour)
        for _ in range(8):
            self.progress()
        await asyncio.sleep(TICK_S)

    async def callers(self) -> None:
        """A backend sends jobs for today, tomorrow and some time."""
        rng, now = self.rng, self.clock.wall()
        jobs = []
        for _ in range(JOBS_A_TICK):
            key = f"J{len(self.keys)}"
            self.keys.append(key)
            day = rng.choice((date_in("Europe/Rome", now), date_in("Asia/Tokyo", now + 86_400), 0))
            job: dict[str, Any] = {"uidSecondary": key, "destinationLat": 45.0 + rng.random() / 5, "day": day}
            job |= {"destinationLng": 7.6 + rng.random() / 5, "onSiteSeconds": rng.choice((300, 900, 1800))}
            job |= rng.choice(({}, {"teamId": 1}, {"windowStart": 900, "windowEnd": 1500}, {"priority": 9}))
            jobs.append(job)
        await self.d.submit(jobs)

    def people(self, hour: int) -> None:
        """Members move, begin and end their work."""
        rng, now = self.rng, self.clock.wall()
        for _ in range(6):
            there = {"lat": 45.0 + rng.random() / 5, "lng": 7.6 + rng.random() / 5, "ts": int(now * 1000)}
            self.sandbox.set_member(f"m{rng.randrange(MEMBERS)}", location=there)
        for n in rng.sample(range(MEMBERS), 2):
            self.sandbox.set_member(f"m{n}", moving="offduty" if (n + hour) % 5 == 0 else "ontheway")

    def progress(self) -> None:
        """Somebody does something to a job at the server."""
        key = self.rng.choice(self.keys)
        store, now_ms = self.sandbox.store, int(self.clock.now() * 1000)
        row = store.row_by_key(key)
        if row is None or store.archived(row):
            return
        job = store.full(row)
        what = self.rng.choice(("in", "in", "done", "done", "done", "failed", "other", "reject", "archive", "delete"))
        self.done[what] += 1
        over = job["tsDoneSuccess"] or job["tsDoneFailed"]
        match what:
            case "archive":
                store.archive(row, archived=True, now_ms=now_ms)
            case "delete":
                self.deleted.add(key)
                store.delete(row)
            case _ if over or not job["worker"]:
                pass
            case "in":
                store.edit(row, {"tsCheckIn": now_ms}, now_ms=now_ms)
            case "other":
                store.edit(row, {"worker": f"m{self.rng.randrange(MEMBERS)}"}, now_ms=now_ms)
            case "reject":
                store.edit(row, {"tsRejected": now_ms}, now_ms=now_ms)
            case _:
                store.edit(row, {"tsDoneSuccess" if what == "done" else "tsDoneFailed": now_ms}, now_ms=now_ms)

    async def quiet(self) -> None:
        """Nobody does anything more; wait until everything that was begun is through."""
        webhooks = self.sandbox.webhooks
        assert webhooks is not None
        async with asyncio.timeout(3 * HOUR_S):
            while True:
                counts = await self.d.counts()
                busy = sum(counts[state] for state in State if not state.settled and state is not State.HELD)
                if not (busy or webhooks.waiting or self.d.pipeline.events.waiting):
                    return
                await asyncio.sleep(1)

    def fresh(self) -> Engine:
        """An engine built anew from what the server has now."""
        living = self.d.pipeline.fleet
        assert living.engine is not None
        zones = {one["username"]: one["timezone"] for one in self.sandbox.people.accounts}
        store = self.sandbox.store
        listed = [store.full(row) for row in store.rows() if not store.archived(row)]
        dated = [job for job in listed if job["day"]]
        # all undated jobs here were sent by the dispatcher: each is in its member's today
        undated = [
            job | {"day": date_in(zones[job["worker"]], self.clock.wall())}
            for job in listed
            if not job["day"] and job["worker"]
        ]
        return Engine(
            self.sandbox.people.accounts,
            routes=dated + undated,
            company=self.sandbox._api._company,
            settings=living.engine.settings,
            now=living.engine.now,
        )

    def days(self) -> list[int]:
        now = self.clock.wall()
        return sorted(dates_in(ZONES, now) | dates_in(ZONES, now + 86_400) & set(self.d.pipeline.fleet.days))

    def same_stops(self, *, in_order: bool) -> None:
        """The living day routes are those of an engine built anew."""
        living, fresh = self.d.pipeline.fleet.engine, self.fresh()
        assert living is not None
        stops = 0
        for n in range(MEMBERS):
            for day in self.days():
                here, there = living.route(f"m{n}", day), fresh.route(f"m{n}", day)
                stops += len(there)
                if in_order:
                    assert [stop.key for stop in here] == [stop.key for stop in there], (n, day)
                    assert [stop.start_s for stop in here] == pytest.approx([stop.start_s for stop in there])
                else:
                    assert sorted(str(stop.key) for stop in here) == sorted(str(stop.key) for stop in there), (n, day)
        assert stops > 20, "there is something to compare"


@dataclass(frozen=True)
class Size:
    """What must not grow: tasks, open files, resident bytes, pages of the spool, objects."""

    tasks: int
    files: int
    memory: int
    spool: int
    objects: int


def pages(spool: Path) -> int:
    """Pages of the spool, its log put in: the log itself is cut only when it has 64 MiB."""
    with closing(sqlite3.connect(f"file:{spool}?mode=ro", uri=True)) as connection:
        return int(connection.execute("PRAGMA page_count").fetchone()[0])


def measured(folder: Path) -> Size:
    gc.collect()
    process = psutil.Process()
    return Size(
        tasks=len(asyncio.all_tasks()),
        files=process.num_fds(),
        memory=process.memory_info().rss,
        spool=pages(folder / "spool.db"),
        objects=len(gc.get_objects()),
    )


async def hooks_for(d: Dispatcher, settings: Settings) -> tuple[web.AppRunner, Desk, str]:
    """The daemon's webhook receiver for an embedded dispatcher."""
    desk = Desk(d, meters=Meters())
    app = web.Application()
    app.add_routes(Hooks({"default": desk}, settings=settings).routes())
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return runner, desk, f"http://127.0.0.1:{site.port}/hooks/default"


async def live_through_a_day(folder: Path) -> None:
    loop = virtual_loop()
    clock = VirtualClock(loop, START)
    sandbox = Sandbox(SandboxSettings(members=crew(), hook_key="secret", now=clock.now))
    async with sandbox:
        settings = load_settings(
            environ={},
            overrides={
                "base_url": sandbox.url,
                "api_key": "key",
                "hook_key": "secret",
                "fallback": "hold",
                "hold_until_s": 6 * HOUR_S,
                "reassign": True,
                "retain_days": 0.2,
                "fleet_sync_s": 120,
                "routes_sync_s": 300,
                "timezone": "Europe/Rome",
            },
        )
        spool = cast("Spool", Watched(open_spool(str(folder / "spool.db"), max_rows=100_000), loop))
        async with Dispatcher(settings, spool=spool, clock=clock, rng=random.Random(1), live=True) as d:
            runner, desk, url = await hooks_for(d, settings)
            sandbox.hook_to(url)
            world = World(sandbox, d, clock)
            sizes: dict[int, Size] = {}
            for hour in range(HOURS):
                for part in range(int(HOUR_S / TICK_S)):
                    weather(sandbox, hour, part)
                    await world.tick(hour)
                sizes[hour] = measured(folder)
            await world.quiet()
            world.same_stops(in_order=False)
            await asyncio.sleep(600)
            world.same_stops(in_order=True)
            await the_books_are_right(world)
            await desk.close()
            await runner.cleanup()
    nothing_grew(sizes)


def weather(sandbox: Sandbox, hour: int, part: int) -> None:
    """Outages, faults, and a network that holds webhooks back."""
    if hour in OUTAGES:
        if part == 0:
            sandbox.set_outage(down=True, mode=OUTAGES[hour])
        elif part == 2:
            sandbox.set_outage(down=False)
    sandbox.set_faults(faults="all:0.1" if hour % 4 == 2 else "", faults_on=["/api/createjobs", "/api/getjobs"])
    assert sandbox.webhooks is not None
    if hour in DEAF_H:
        sandbox.webhooks.paused = True
    elif sandbox.webhooks.paused:
        sandbox.webhooks.resume()


async def the_books_are_right(world: World) -> None:
    """Every job that was taken is at the server, once."""
    counts = await world.d.counts()
    assert counts[State.REJECTED] == counts[State.DEAD] == counts[State.UNKNOWN] == 0
    held = {row.key for row in await world.d.page(states=[State.HELD], limit=1000)}
    created = Counter(world.sandbox.created(key) for key in world.keys if key not in held)
    assert created == {1: len(world.keys) - len(held)}
    tally = world.d.pipeline.events.tally
    assert tally["applied"] > 500
    assert tally["dropped"] == 0
    assert world.d.pipeline.sync.tally.members > HOURS * HOUR_S / 120 / 2
    assert world.d.pipeline.assigner.tally.assigned > len(world.keys) / 3
    assert min(world.done[what] for what in ("done", "other", "reject", "archive", "delete")) > 20


def nothing_grew(sizes: dict[int, Size]) -> None:
    """Between the second half of the day and the first, when everything has happened once."""
    early = [sizes[hour] for hour in range(6, 12)]
    late = [sizes[hour] for hour in range(HOURS - 6, HOURS)]
    assert max(one.tasks for one in late) <= max(one.tasks for one in early) + 2, sizes
    assert max(one.files for one in late) <= max(one.files for one in early) + 4, sizes
    assert min(one.memory for one in late) <= max(one.memory for one in early) + GROWTH_BYTES, sizes
    assert max(one.spool for one in late) <= 1.5 * max(one.spool for one in early), sizes
    assert min(one.objects for one in late) <= 1.05 * max(one.objects for one in early), sizes


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_day_passes_and_the_day_routes_agree_with_the_servers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "IDLE_S", 60.0)  # looking at an empty spool every second would be most of the work
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(live_through_a_day(tmp_path))
