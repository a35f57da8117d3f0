"""The engine decides exactly as the oracle does, whatever the world."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from tests.oracle.compare import check_world
from tests.oracle.worlds import World, seeded_world, worlds


@settings(
    max_examples=600,
    derandomize=True,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(worlds())
def test_small_dense_worlds_are_decided_alike(world: World) -> None:
    """Worlds drawn by hypothesis, which shrinks a difference to a small one."""
    check_world(world)


@pytest.mark.parametrize("seed", range(0, 2000, 100))
def test_seeded_worlds_are_decided_alike(seed: int) -> None:
    """A hundred worlds a seed, up to 8 members and two dozen jobs."""
    for each in range(seed, seed + 100):
        world = seeded_world(each, members=(1, 8), stops=(0, 10), jobs=(4, 16))
        try:
            check_world(world)
        except AssertionError as difference:
            raise AssertionError(f"seed {each}: {difference}") from difference


@pytest.mark.parametrize("seed", range(12))
def test_fleets_that_fill_up_are_decided_alike(seed: int) -> None:
    """Forty members and a hundred and twenty jobs: routes grow long and most refusals are full days."""
    world = seeded_world(10_000 + seed, members=(30, 40), stops=(0, 40), jobs=(80, 120))
    check_world(world)
