"""How a chaos run is judged: what counts as too many requests, and what was acknowledged while something was done."""

from __future__ import annotations

from tests.chaos.campaign import too_many
from tests.chaos.report import between, merged, within
from tests.chaos.server import Seen
from tests.chaos.storm import Blow


def seen(arrivals: list[float], late: list[tuple[float, float]] | None = None) -> Seen:
    return Seen(stats={}, creates={}, workers={}, days={}, arrivals=arrivals, late=late or [])


def test_one_more_than_allowed_within_a_window_is_too_many() -> None:
    even = [number * 0.5 for number in range(9)]
    assert too_many(seen(even), 2, 1.0) == 0
    assert too_many(seen([*even, 4.1]), 2, 1.0) == 1
    assert too_many(seen([0.0, 0.4, 0.9]), 2, 1.0) == 1


def test_what_was_seen_late_may_have_come_earlier() -> None:
    """Only the first of such requests can make room: the later ones came when they were seen, or before."""
    crowded = [5.0, 5.4, 5.9]
    assert too_many(seen(crowded, [(5.0, 0.2)]), 2, 1.0) == 0
    assert too_many(seen(crowded, [(5.0, 0.05)]), 2, 1.0) == 1
    assert too_many(seen(crowded, [(5.9, 0.2)]), 2, 1.0) == 1


def test_times_of_a_kind_are_put_together_and_the_rest_is_calm() -> None:
    blows = [Blow("kill", "a", 3.0, 5.0), Blow("kill", "b", 1.0, 2.0), Blow("pause", "c", 4.0, 7.0)]
    spans = merged(blows)
    assert spans == [(1.0, 2.0), (3.0, 7.0)]
    assert between(spans, 0.0) == [(0.0, 1.0), (2.0, 3.0)]
    assert within(spans, [0.5, 1.5, 2.5, 7.0]) == 2
