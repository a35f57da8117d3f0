"""The gate against modelled servers: each `*.toml` file is a scenario with the ranges that its figures must lie in."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest

from dispatcher.flow import Limit
from tests.scenarios.server import ServerModel
from tests.scenarios.simulation import ClientModel, Measured, Simulation, over_limit

SEEDS = (1, 2, 3)
FILES = sorted(Path(__file__).parent.glob("*.toml"))


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file.

    Attributes:
        claim: what it shows, in a sentence.
        client, server: the two sides.
        expect: per figure of `Measured` the least and the greatest value.
    """

    claim: str
    client: ClientModel
    expect: dict[str, tuple[float, float]]
    server: ServerModel = ServerModel()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_figures_of_a_scenario_lie_in_its_ranges(path: Path, seed: int) -> None:
    """Every range of every file holds, whatever the dice say."""
    scenario = msgspec.toml.decode(path.read_bytes(), type=Scenario)
    measured = Simulation(scenario.client, scenario.server, seed=seed).run()
    figures = {name: getattr(measured, name) for name in scenario.expect}
    outside = {
        name: figures[name] for name, (least, most) in scenario.expect.items() if not least <= figures[name] <= most
    }
    assert not outside, f"{scenario.claim} Not so: {outside} of {measured}"


def test_there_are_scenarios_and_each_expects_something() -> None:
    """A file that checks nothing would be a lie."""
    scenarios = [msgspec.toml.decode(path.read_bytes(), type=Scenario) for path in FILES]
    assert len(scenarios) >= 10
    assert all(scenario.expect and scenario.claim.endswith(".") for scenario in scenarios)
    assert {name for scenario in scenarios for name in scenario.expect} <= set(Measured.__struct_fields__)


def test_a_scenario_gives_the_same_figures_twice() -> None:
    """Nothing in it depends on the real clock or on real chance."""
    client, server = ClientModel(seconds=5.0, limits="50/s"), ServerModel(service_jitter_s=0.03)
    assert Simulation(client, server, seed=7).run() == Simulation(client, server, seed=7).run()


def test_one_arrival_too_many_for_a_window_is_seen() -> None:
    """The measure itself can fail: three in less than a second are one too many for 2/s."""
    limit = Limit(2, 1.0)
    assert over_limit([0.0, 0.5, 1.0], limit) == 0
    assert over_limit([0.0, 0.5, 0.99], limit) == 1
    times = [random.Random(1).random() for _ in range(3)]
    assert over_limit(times, limit) == 1
