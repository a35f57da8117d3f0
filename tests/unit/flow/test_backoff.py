"""Backoff and the retry budget."""

from __future__ import annotations

import random
from statistics import mean

import pytest

from dispatcher.flow import RetryBudget, full_jitter_s


@pytest.mark.parametrize(
    ("attempt", "ceiling"), [(0, 0.5), (1, 1.0), (2, 2.0), (5, 16.0), (6, 30.0), (1000, 30.0), (-1, 0.5)]
)
def test_the_wait_is_uniform_between_nothing_and_a_ceiling_that_doubles(attempt: int, ceiling: float) -> None:
    rng = random.Random(3)
    waits = [full_jitter_s(attempt, rng) for _ in range(4000)]
    assert 0.0 <= min(waits) < 0.02 * ceiling
    assert 0.98 * ceiling < max(waits) <= ceiling
    assert mean(waits) == pytest.approx(ceiling / 2, rel=0.05)


def test_base_and_cap_can_be_chosen() -> None:
    rng = random.Random(3)
    assert max(full_jitter_s(9, rng, base_s=0.1, cap_s=2.0) for _ in range(1000)) <= 2.0
    assert max(full_jitter_s(0, rng, base_s=0.1, cap_s=2.0) for _ in range(1000)) <= 0.1


def test_the_same_chance_gives_the_same_wait() -> None:
    assert full_jitter_s(4, random.Random(9)) == full_jitter_s(4, random.Random(9))


def test_when_nothing_succeeds_the_savings_go_first_and_then_one_a_second() -> None:
    budget, now, retries = RetryBudget(0.0), 0.0, 0
    while now < 100.0:
        if wait := budget.delay(now):
            now += wait
        else:
            budget.take(now)
            retries += 1
    assert retries == pytest.approx(20 + 100, abs=1)


def test_half_as_many_retries_as_successes_are_allowed() -> None:
    budget, retries = RetryBudget(0.0, floor_per_s=0.001), 0
    for step in range(10_000):
        now = step * 0.001
        budget.success(now)
        if not budget.delay(now):
            budget.take(now)
            retries += 1
    assert retries == pytest.approx(5000, rel=0.01)


def test_good_times_are_saved_up_only_so_far() -> None:
    budget = RetryBudget(0.0)
    budget.success(0.0, count=10_000)
    for _ in range(20):
        budget.take(0.0)
    assert budget.delay(0.0) == pytest.approx(1.0)


def test_a_retry_beyond_the_budget_is_refused() -> None:
    budget = RetryBudget(0.0, savings=1.0)
    budget.take(0.0)
    with pytest.raises(RuntimeError, match="before the budget allows it"):
        budget.take(0.5)
    budget.take(1.0)


@pytest.mark.parametrize("wrong", [{"share": -0.1}, {"floor_per_s": 0.0}, {"savings": 0.5}])
def test_a_budget_that_could_never_be_spent_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="retry budget"):
        RetryBudget(0.0, **wrong)


def test_its_repr_says_what_is_left() -> None:
    assert repr(RetryBudget(0.0)) == "<RetryBudget 20.0 of 20 retries>"
