"""The last minutes as a ring of points."""

from __future__ import annotations

import pytest

from dispatcher.daemon.page.history import KEPT, History, Point, quantiles


def point(at: float, **more: float) -> Point:
    fields = dict.fromkeys(Point.__struct_fields__, 0) | {"at": at, "delivery_p50_s": None} | more
    return Point(**fields)  # type: ignore[arg-type]


def test_only_the_last_points_are_kept_and_the_oldest_comes_first() -> None:
    history = History()
    for second in range(KEPT + 5):
        history.add(point(second))
    assert len(history) == KEPT
    assert history.columns()["at"] == list(range(5, KEPT + 5))


def test_a_column_has_the_digits_a_chart_can_show_and_none_where_there_was_nothing() -> None:
    history = History(kept=2)
    history.add(point(1, accepted=1 / 3))
    columns = history.columns()
    assert columns["accepted"] == [0.333]
    assert columns["delivery_p50_s"] == [None]
    assert set(columns) == set(Point.__struct_fields__)


@pytest.mark.parametrize(
    ("values", "half", "most"),
    [([], None, None), ([3.0], 3.0, 3.0), ([2.0, 1.0], 1.0, 2.0), ([float(n) for n in range(100, 0, -1)], 50.0, 95.0)],
)
def test_quantiles_are_by_nearest_rank(values: list[float], half: float | None, most: float | None) -> None:
    assert quantiles(values) == (half, most)
