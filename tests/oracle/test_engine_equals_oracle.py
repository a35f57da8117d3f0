"""The engine decides exactly as the oracle does, whatever the world."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from tests.oracle.compare import check_world
from tests.oracle.worlds import World, big_world, crowded_world, seeded_world, worlds


@pytest.mark.slow
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


@pytest.mark.parametrize("first_seed", range(0, 3000, 100))
def test_seeded_worlds_are_decided_alike(first_seed: int) -> None:
    """A hundred small worlds at a time; together more than 30 000 decisions."""
    seeds = range(first_seed, first_seed + 100)
    assert sum(check_seed(seed, members=(1, 6), stops=(0, 8), jobs=(4, 24)) for seed in seeds) >= 1000


@pytest.mark.parametrize("seed", range(10_000, 10_020))
def test_fleets_that_fill_up_are_decided_alike(seed: int) -> None:
    """Up to forty members and a hundred and sixty jobs."""
    check_seed(seed, members=(12, 40), stops=(0, 40), jobs=(100, 160))


@pytest.mark.parametrize("seed", range(20_000, 20_040))
def test_long_day_routes_are_decided_alike(seed: int) -> None:
    """One or two members and dozens of stops each."""
    check_seed(seed, members=(1, 2), stops=(10, 60), jobs=(20, 60))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(30_000, 30_016))
def test_fleets_that_need_an_index_are_decided_alike(seed: int) -> None:
    """Hundreds of members on wide maps, and on narrow ones where all of them tie."""
    check_world(big_world(seed, members=600, jobs=60))


@pytest.mark.parametrize("seed", range(30_100, 30_104))
def test_big_fleets_that_fill_up_are_decided_alike(seed: int) -> None:
    """Four jobs a member and more: most of the fleet is full at the end."""
    check_world(big_world(seed, members=100, jobs=300))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(30_200, 30_204))
def test_a_saturated_city_is_decided_alike(seed: int) -> None:
    """Two-hour windows, and visits for about twice the hours there are."""
    assert check_world(crowded_world(seed, members=25, jobs=400)) == 400


def check_seed(seed: int, *, members: tuple[int, int], stops: tuple[int, int], jobs: tuple[int, int]) -> int:
    try:
        return check_world(seeded_world(seed, members=members, stops=stops, jobs=jobs))
    except AssertionError as difference:
        raise AssertionError(f"seed {seed}: {difference}") from difference
