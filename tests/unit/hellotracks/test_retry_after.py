"""The header `Retry-After`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.hellotracks.retry_after import retry_after_s

NOW = 1_795_435_200.0  # Mon, 23 Nov 2026 12:00:00 GMT


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("120", 120.0),
        (" 2.5 ", 2.5),
        (".5", 0.5),
        ("+3", 3.0),
        ("-3", 0.0),
        ("3600", 3600.0),
        ("86400", 3600.0),
        ("9" * 5000, 3600.0),
        ("Mon, 23 Nov 2026 12:00:30 GMT", 30.0),
        ("Mon, 23 Nov 2026 13:00:30 +0100", 30.0),
        ("Monday, 23-Nov-26 12:00:30 GMT", 30.0),
        ("Mon Nov 23 12:00:30 2026", 30.0),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0.0),
        ("Tue, 24 Nov 2026 12:00:00 GMT", 3600.0),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("1e3", None),
        ("1_000", None),
        ("٣", None),
        ("5 s", None),
        ("1.2.3", None),
        ("Mon, 99 Nov 2026 12:00:30 GMT", None),
    ],
)
def test_seconds_fractions_and_dates_are_read_and_nonsense_is_none(value: str | None, seconds: float | None) -> None:
    assert retry_after_s(value, now=NOW) == seconds


def test_a_date_is_measured_by_the_replys_own_date() -> None:
    value, date = "Mon, 23 Nov 2026 12:00:30 GMT", "Mon, 23 Nov 2026 12:00:20 GMT"
    assert retry_after_s(value, now=0.0, date=date) == 10.0
    assert retry_after_s(value, now=NOW, date="yesterday") == 30.0


@given(st.text(max_size=40))
def test_any_text_gives_none_or_up_to_an_hour(text: str) -> None:
    wait = retry_after_s(text, now=NOW)
    assert wait is None or 0.0 <= wait <= 3600.0
