"""Events of webhooks in the day routes of a living fleet: at once, once, and in the right order."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random
from typing import Any

from dispatcher import Dispatcher
from dispatcher.pipeline.job_event import JobEvent, read_events
from dispatcher.pipeline.job_events import JobEvents
from dispatcher.sandbox import Sandbox, SandboxSettings
from tests.unit.pipeline.living import DAY, NEXT_DAY, edit, job, living, member, now_ms, ready, route, until

CREW = [member("ann"), member("bob", 46.0)]
SLOW = {"fleet_sync_s": 600.0, "routes_sync_s": 600.0}
"""So that what is seen in these tests comes from events alone."""


def at_the_server(**fields: Any) -> dict[str, Any]:
    return job("A", worker="ann", id="1", tsCreated=1000, tsSaved=1000) | fields


def told(action: str, **fields: Any) -> list[JobEvent]:
    return read_events(action, "", [at_the_server(**fields)])


async def after(d: Dispatcher, *events: list[JobEvent]) -> tuple[list[str | None], list[str | None]]:
    """Ann's and Bob's routes after these events were applied, in the order in which they came."""
    for each in events:
        d.pipeline.events.put(each)
        await until(lambda: not d.pipeline.events.waiting)
        async with d.pipeline.fleet.steady:
            pass
    return await route(d, "ann"), await route(d, "bob")


async def test_a_job_appears_moves_and_leaves_at_once(tmp_path: Path) -> None:
    async with Sandbox(SandboxSettings(members=CREW)) as sandbox, living(sandbox, tmp_path, **SLOW) as d:
        await ready(d)
        assert await after(d, told("jobcreated")) == (["A"], [])
        assert await after(d, told("jobupdated", worker="bob", tsSaved=2000)) == ([], ["A"])
        assert await after(d, told("jobcheckin", worker="bob", tsSaved=3000)) == ([], ["A"])
        assert await after(d, told("jobcompleted", worker="bob", tsSaved=4000)) == ([], [])
        assert await after(d, told("jobupdated", worker="bob", tsSaved=5000)) == ([], ["A"])
        assert await after(d, told("jobdeleted", worker="bob")) == ([], [])
        assert await after(d, told("jobupdated", worker="bob", tsSaved=9000)) == ([], [])


async def test_older_and_repeated_events_change_nothing(tmp_path: Path) -> None:
    async with Sandbox(SandboxSettings(members=CREW)) as sandbox, living(sandbox, tmp_path, **SLOW) as d:
        await ready(d)
        newest = told("jobupdated", worker="bob", tsSaved=5000)
        assert await after(d, newest, told("jobcreated"), newest, told("jobarchived", tsSaved=4000)) == ([], ["A"])
        assert d.pipeline.events.tally == {"applied": 1, "stale": 3}


async def test_what_a_listing_shows_already_is_not_undone_by_an_event_that_comes_late(tmp_path: Path) -> None:
    stops = [at_the_server(worker="bob", tsSaved=8000), job("B", worker="ann", id="2", tsSaved=9000, tsDoneSuccess=1)]
    async with (
        Sandbox(SandboxSettings(members=CREW, jobs=stops)) as sandbox,
        living(sandbox, tmp_path, **SLOW) as d,
    ):
        await ready(d)
        late = read_events("jobcreated", "", [job("B", worker="ann", id="2", tsSaved=3000)])
        assert await after(d, told("jobupdated", tsSaved=7000), late) == ([], ["A"])


async def test_any_order_of_a_burst_ends_where_the_last_event_does(tmp_path: Path) -> None:
    """Jobs change a dozen times each; deliveries come shuffled, twice over, in one burst."""
    random = Random(4)
    async with Sandbox(SandboxSettings(members=CREW)) as sandbox, living(sandbox, tmp_path, **SLOW) as d:
        await ready(d)
        stories = []
        last: dict[str, Any] = {}
        for n in range(40):
            for step in range(12):
                state = random.choice(({"worker": "ann"}, {"worker": "bob"}, {"worker": ""}, {"tsDoneSuccess": 1}))
                last[f"J{n}"] = {"worker": "ann"} | state
                fields = job(f"J{n}", id=str(n), tsSaved=1000 + step, tsCreated=n + 1) | last[f"J{n}"]
                stories += read_events("jobupdated", "", [fields]) * 2
        random.shuffle(stories)
        for event in stories:
            d.pipeline.events.put([event])
            if random.random() < 0.02:
                await asyncio.sleep(0.005)
        await until(lambda: not d.pipeline.events.waiting)
        for worker in ("ann", "bob"):
            wanted = [f"J{n}" for n in range(40) if last[f"J{n}"] == {"worker": worker}]

            async def there(worker: str = worker, wanted: list[str] = wanted) -> bool:
                return await route(d, worker) == wanted

            await until(there)


async def test_too_many_at_once_are_read_instead(tmp_path: Path) -> None:
    """What does not fit into the queue is not lost: its day is read again."""
    stops = [job(f"S{n}", worker="ann", id=f"{n:024x}", tsSaved=5000) for n in range(30)]
    async with Sandbox(SandboxSettings(members=CREW)) as sandbox, living(sandbox, tmp_path, **SLOW) as d:
        await ready(d)
        assert await route(d, "ann") == []
        small = JobEvents(d.pipeline.fleet, lead=d.pipeline.lead, reread=d.pipeline.sync.reread, most=10)
        for stop in stops:
            sandbox.store.load(stop, now_ms=5000)
            small.put(read_events("jobcreated", "", [stop]))
        assert (small.waiting, small.tally["dropped"]) == (10, 20)

        async def all_there() -> bool:
            return len(await route(d, "ann")) == 30

        await until(all_there)


async def test_an_event_that_says_too_little_has_its_day_read(tmp_path: Path) -> None:
    async with (
        Sandbox(SandboxSettings(members=CREW, jobs=[at_the_server()])) as sandbox,
        living(sandbox, tmp_path, **SLOW) as d,
    ):
        await ready(d)
        await edit(sandbox, "A", worker="bob")
        d.pipeline.events.put(read_events("jobupdated", "1", [{"destinationName": "A"}]))

        async def moved() -> bool:
            return (await route(d, "ann"), await route(d, "bob")) == ([], ["A"])

        await until(moved)


async def test_a_stop_that_goes_to_a_day_that_is_not_kept_leaves(tmp_path: Path) -> None:
    async with (
        Sandbox(SandboxSettings(members=CREW, jobs=[at_the_server()])) as sandbox,
        living(sandbox, tmp_path, **SLOW) as d,
    ):
        await ready(d)
        assert await after(d, told("jobupdated", day=NEXT_DAY + 5, tsSaved=now_ms())) == ([], [])
        await ready(d, NEXT_DAY + 5)
        assert await route(d, "ann", NEXT_DAY + 5) == []


async def test_an_event_during_a_reading_counts_more_than_the_reading(tmp_path: Path) -> None:
    """The listing was asked for before the event, and shows the job where it was."""
    async with (
        Sandbox(SandboxSettings(members=CREW, jobs=[at_the_server()])) as sandbox,
        living(sandbox, tmp_path, **SLOW) as d,
    ):
        await ready(d)
        fleet = d.pipeline.fleet
        async with fleet.steady:
            since = await fleet.expect()
        listing = await fleet.reading.day(DAY)
        assert await after(d, told("jobupdated", worker="bob", tsSaved=2000)) == ([], ["A"])
        async with fleet.steady:
            await fleet.take_day(DAY, listing, since)
        fleet.forget(since)
        assert (await route(d, "ann"), await route(d, "bob")) == ([], ["A"])
