"""A run knows what the run before it has decided, and what is there on every day that its jobs name."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from dispatcher import Dispatcher
from dispatcher.model.job import JobReader
from dispatcher.model.records import Change
from dispatcher.model.state import State
from dispatcher.sandbox import Sandbox, SandboxSettings
from dispatcher.spool import SqliteSpool
from tests.unit.pipeline.living import DAY, NEXT_DAY, job, member, route


@pytest.mark.parametrize("live", [False, True])
async def test_reading_a_further_day_leaves_what_was_decided_for_it(tmp_path: Path, *, live: bool) -> None:
    """The day's listing does not show the job yet; its place must not be given away a second time."""
    path = tmp_path / "spool.db"
    spool = SqliteSpool(str(path))
    now = time.time()
    await spool.open(now=now)
    (row,) = await spool.accept("default", [JobReader()(job("DECIDED", day=NEXT_DAY), index=0)], now=now)
    await spool.claim("default", limit=1, now=now)
    decided = Change(
        seqs=[row.seq], to=State.ASSIGNED, expect=(State.ACCEPTED,), workers=["ann"], notes=[""], next_at=now + 3600
    )
    assert await spool.apply([decided], now=now) == []
    await spool.close()
    async with (
        Sandbox(SandboxSettings(members=[member("ann")])) as sandbox,
        Dispatcher(base_url=sandbox.url, api_key="key", spool=str(path), live=live) as d,
    ):
        assert await d.pipeline.fleet.ready((DAY,))
        assert await d.pipeline.fleet.ready((NEXT_DAY,))
        assert await route(d, "ann", NEXT_DAY) == ["DECIDED"]


@pytest.mark.parametrize("live", [False, True])
async def test_a_day_that_only_a_later_batch_names_is_read_before_it_is_decided(tmp_path: Path, *, live: bool) -> None:
    """Ann's whole day is taken at the server: Bob, who is further away, gets the job of the second batch."""
    full = job("FULL", worker="ann", id="1", day=NEXT_DAY, onSiteSeconds=86_000)
    members = [member("ann"), member("bob", 45.2)]
    async with (
        Sandbox(SandboxSettings(members=members, jobs=[full])) as sandbox,
        Dispatcher(base_url=sandbox.url, api_key="key", spool=str(tmp_path / "spool.db"), live=live) as d,
    ):
        (first,) = await d.wait(await d.submit([job("FIRST", onSiteSeconds=3600)]), timeout_s=20)
        (later,) = await d.wait(await d.submit([job("LATER", day=NEXT_DAY, onSiteSeconds=3600)]), timeout_s=20)
    assert (first.worker, later.worker) == ("ann", "bob")
