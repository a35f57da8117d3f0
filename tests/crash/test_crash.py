"""Processes are killed at every named point and at random moments; the server says whether it has everything once."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dispatcher.model.points import POINTS
from dispatcher.spool.postgres import PostgresView
from tests import postgres
from tests.crash.campaign import Campaign, Outcome
from tests.crash.conftest import CI_KILLS_POSTGRES
from tests.crash.deaths import RANDOM_MOMENT, Deaths
from tests.crash.report import write_report

LIVES = 50
"""processes on one spool at most"""
ROUNDS = 100


@pytest.mark.slow
async def test_whatever_dies_nothing_acknowledged_is_lost_or_created_twice(
    tmp_path: Path, kills: int, seed: int, long_run: bool
) -> None:
    """One set comparison at the server after each spool: lost, doubled, overlapping and repeated keys are none."""
    began = time.monotonic()
    deaths = Deaths(kills, random.Random(seed))
    outcomes: list[Outcome] = []
    pairs = 2 if long_run else 1
    for turn in range(ROUNDS):
        campaigns = []
        for number in range(2 * pairs):
            folder = tmp_path / f"{turn}-{number}"
            folder.mkdir()
            kind = ("submit", "embed")[number % 2]
            campaign_seed = seed * 1000 + turn * 2 * pairs + number
            campaigns.append(Campaign(folder, kind=kind, deaths=deaths, lives=LIVES, seed=campaign_seed))
        ends = await asyncio.gather(*(campaign.run() for campaign in campaigns), return_exceptions=True)
        outcomes += [end for end in ends if isinstance(end, Outcome)]
        for end in ends:
            if isinstance(end, BaseException):
                raise end
        assert all(outcome.clean for outcome in outcomes), outcomes
        if deaths.enough:
            break
    assert deaths.came.total() >= kills
    assert set(deaths.came) == {*POINTS, RANDOM_MOMENT}, "some point was never reached"
    assert sum(outcome.jobs for outcome in outcomes) > 10 * len(outcomes)
    if long_run:
        write_report(deaths, outcomes, seed=seed, seconds=time.monotonic() - began)


@pytest.mark.slow
@pytest.mark.skipif(bool(postgres.MISSING), reason=postgres.MISSING)
async def test_the_same_holds_on_postgresql(
    tmp_path: Path, kills: int, seed: int, long_run: bool, databases: Callable[[], str]
) -> None:
    """Every process has the node name of the one before, which has left its lease, its claims and its transaction."""
    deaths = Deaths(kills if long_run else CI_KILLS_POSTGRES, random.Random(seed))
    outcomes: list[Outcome] = []
    for turn in range(ROUNDS):
        campaigns: list[Campaign] = []
        urls: list[str] = []
        for kind in ("submit", "embed"):
            folder = tmp_path / f"{turn}-{kind}"
            folder.mkdir()
            urls.append(databases())
            number = seed * 1000 + 500 + 2 * turn + len(campaigns)
            campaigns.append(Campaign(folder, kind=kind, deaths=deaths, lives=LIVES, seed=number, spool=urls[-1]))
        ends = await asyncio.gather(*(campaign.run() for campaign in campaigns), return_exceptions=True)
        outcomes += [end for end in ends if isinstance(end, Outcome)]
        for end in ends:
            if isinstance(end, BaseException):
                raise end
        assert all(outcome.clean for outcome in outcomes), outcomes
        for url in urls:
            assert await asyncio.to_thread(problems, url) == []
        if deaths.enough:
            break
    assert set(deaths.came) >= set(POINTS), "some point was never reached"
    assert sum(outcome.jobs for outcome in outcomes) > 10 * len(outcomes)


def problems(url: str) -> list[str]:
    """What `spool check` finds."""
    with PostgresView(url) as view:
        return view.problems()
