"""`pytest tests/chaos --storm 120` is the long run, which writes docs/chaos-report.md."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from tests.chaos.campaign import Outcome

CI_SECONDS = 20.0
AFTERWARDS_S = 240.0


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--storm", type=float, default=None, help="seconds of chaos; writes docs/chaos-report.md")
    parser.addoption("--storm-seed", type=int, default=None, help="seed of the long run (default: a new one)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The long run may take its time."""
    seconds = config.getoption("storm", None) or CI_SECONDS
    for item in items:
        if "storm_s" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(seconds + AFTERWARDS_S))


@pytest.fixture
def storm_s(request: pytest.FixtureRequest) -> float:
    """How long daemons and database are tormented, in seconds."""
    return float(request.config.getoption("storm", None) or CI_SECONDS)


@dataclass(slots=True)
class Runs:
    """The runs of one session.

    Attributes:
        seed: of faults and blows; always the same in CI.
        to_report: it is the long run, and writes its report.
        found: what each run found, by policy.
    """

    seed: int
    to_report: bool
    found: dict[str, Outcome] = field(default_factory=dict)


@pytest.fixture(scope="session")
def runs(request: pytest.FixtureRequest) -> Runs:
    """The runs of this session."""
    seed = request.config.getoption("storm_seed", None)
    long_run = request.config.getoption("storm", None) is not None
    drawn = random.SystemRandom().randrange(1 << 20) if long_run else 3
    return Runs(drawn if seed is None else int(seed), long_run)
