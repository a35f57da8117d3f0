"""`pytest tests/crash --kills 1000` is the long run, which writes docs/crash-report.md."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from tests import postgres

CI_KILLS = 64
CI_KILLS_POSTGRES = 30
SECONDS_PER_KILL = 5


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=None, help="processes to kill; writes docs/crash-report.md")
    parser.addoption("--crash-seed", type=int, default=None, help="seed of the long run (default: a new one)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The long run may take its time."""
    kills = config.getoption("kills", None) or CI_KILLS
    for item in items:
        if "kills" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(180 + kills * SECONDS_PER_KILL))


@pytest.fixture
def long_run(request: pytest.FixtureRequest) -> bool:
    """Whether it was asked for by `--kills`."""
    return request.config.getoption("kills", None) is not None


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    """How many processes to kill."""
    return request.config.getoption("kills", None) or CI_KILLS


@pytest.fixture
def seed(request: pytest.FixtureRequest, long_run: bool) -> int:
    """Seed of all jobs, faults and deaths; always the same in CI."""
    given = request.config.getoption("crash_seed", None)
    if given is not None:
        return int(given)
    return random.SystemRandom().randrange(1 << 20) if long_run else 1


@pytest.fixture
def databases() -> Iterator[Callable[[], str]]:
    """Empty databases, one at each call."""
    yield postgres.borrow
    postgres.give_back()
