"""Limits as text."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.flow import Limit, format_limits, parse_limits


def test_several_windows_are_read_in_order() -> None:
    assert parse_limits("10/s, 300/min, 5000/h, 100/10s") == (
        Limit(10, 1.0),
        Limit(300, 60.0),
        Limit(5000, 3600.0),
        Limit(100, 10.0),
    )


@pytest.mark.parametrize("text", ["", "   "])
def test_empty_text_means_no_limit(text: str) -> None:
    assert parse_limits(text) == ()


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("1/min", Limit(1, 60.0)),
        ("7/second", Limit(7, 1.0)),
        ("7 / 2 hours", Limit(7, 7200.0)),
        ("9/Min", Limit(9, 60.0)),
        ("5/0.5s", Limit(5, 0.5)),
        ("1000/d", Limit(1000, 86400.0)),
    ],
)
def test_units_may_be_words_with_a_number_before_them(text: str, limit: Limit) -> None:
    assert parse_limits(text) == (limit,)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("10", '"10" is not a limit'),
        ("ten/s", '"ten/s" is not a limit'),
        ("10/s,", "an empty part"),
        ("10/s, 5/fortnight", 'the unit "fortnight" is not known'),
        ("10/m", 'the unit "m" is not known'),
        ("0/s", '"0/s": the number of requests must be at least 1'),
        ("-3/s", '"-3/s" is not a limit'),
        ("1.5/s", '"1.5/s" is not a limit'),
        ("10/0s", "the window must be between"),
        ("10/400d", "the window must be between"),
        ("10/s, 20/s", '"20/s": there is already a limit for that window, 10/s'),
        ("60/min, 60/60s", '"60/60s": there is already a limit for that window, 60/min'),
        ("10/s; 300/min", "is not a limit"),
    ],
)
def test_an_error_names_the_part_that_cannot_be_read(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        parse_limits(text)


def test_the_text_is_the_shortest_that_reads_back() -> None:
    assert format_limits(parse_limits("10/1s, 300/60s, 5000/60min, 100/10s, 7/90s, 3/0.25s, 9/24h")) == (
        "10/s, 300/min, 5000/h, 100/10s, 7/90s, 3/0.25s, 9/d"
    )
    assert format_limits(()) == ""


@given(
    st.lists(
        st.builds(
            Limit,
            st.integers(1, 10**6),
            st.one_of(st.integers(1, 10**6).map(float), st.floats(0.001, 1e6, allow_nan=False)),
        ),
        max_size=4,
        unique_by=lambda limit: limit.window_s,
    )
)
def test_what_is_written_reads_back_the_same(limits: list[Limit]) -> None:
    """`parse_limits` undoes `format_limits`, whatever the numbers."""
    assert parse_limits(format_limits(limits)) == tuple(limits)
