"""A run that goes on from a spool knows what the run before it has decided."""

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
