"""The header `Prefer`, in the forms that RFC 7240 shows."""

from __future__ import annotations

import pytest

from dispatcher.daemon.prefer import Preference, read_preference


@pytest.mark.parametrize(
    ("headers", "preference"),
    [
        ([], Preference()),
        (["respond-async"], Preference(respond_async=True)),
        (["Respond-Async, wait=100"], Preference(respond_async=True, wait_s=100.0)),
        (["return=minimal", 'wait="5"; x=1'], Preference(wait_s=5.0)),
        (["respond-async=no thanks; foo"], Preference(respond_async=True)),
        (["wait=soon", "wait=", "=", ",,;", "wait=99999999999"], Preference()),
    ],
)
def test_what_is_understood_counts_and_the_rest_is_ignored(headers: list[str], preference: Preference) -> None:
    assert read_preference(headers) == preference
