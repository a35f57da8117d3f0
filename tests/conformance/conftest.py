"""Fixtures of the conformance suite."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from dispatcher.spool import Spool
from tests import postgres
from tests.conformance.world import ADAPTERS, POOLED, World, make_world


@pytest.fixture(autouse=True)
def databases() -> Iterator[None]:
    """What a test has borrowed is given back at its end."""
    yield
    postgres.give_back()


@pytest.fixture(params=(*ADAPTERS, POOLED))
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """A store with an open spool."""
    made = make_world(request.param, tmp_path)
    await made.spool.open(now=0.0)
    yield made
    await made.spool.close()


@pytest.fixture
def spool(world: World) -> Spool:
    """The open spool of `world`."""
    return world.spool
