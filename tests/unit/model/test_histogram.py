"""Histograms count by size, and a value on a bound belongs to its bucket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.model.histogram import Histogram


@given(st.lists(st.floats(0, 20), max_size=50))
def test_a_bucket_holds_every_value_up_to_its_bound(values: list[float]) -> None:
    histogram = Histogram((0.5, 1.0, 10.0))
    for value in values:
        histogram.observe(value)
    for bound, count in histogram.buckets():
        assert count == sum(value <= float(bound) for value in values)
    assert histogram.count == len(values)
    assert histogram.total == pytest.approx(sum(values))


def test_several_equal_values_count_as_often_as_they_are() -> None:
    histogram = Histogram((1, 2))
    histogram.observe(2, times=3)
    histogram.observe(7)
    assert histogram.buckets() == [("1.0", 0), ("2.0", 3), ("+Inf", 4)]
    assert histogram.total == 13


@pytest.mark.parametrize("bounds", [(), (1, 1), (2, 1)])
def test_bounds_that_do_not_rise_are_refused(bounds: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="rise"):
        Histogram(bounds)
