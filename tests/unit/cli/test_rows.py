"""Times, spans and fields as they are written on the command line."""

from __future__ import annotations

import click
import pytest

from dispatcher.cli.rows import clock_of, fields_from, moment, span_s, spool_file
from dispatcher.errors import ConfigError
from dispatcher.settings import Settings


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90.0), ("2h", 7200.0), ("1.5m", 90.0), (" 7D ", 604_800.0), ("1w", 604_800.0), ("7", None), ("h", None)],
)
def test_a_span_is_a_number_with_its_unit(text: str, seconds: float | None) -> None:
    assert span_s(text) == seconds


def test_a_moment_is_so_long_ago_or_a_date_and_time_in_the_accounts_zone() -> None:
    assert moment("2h", "UTC", now=10_000.0) == 2800.0
    assert moment("1970-01-01T01:00", "UTC", now=0.0) == 3600.0
    assert moment("1970-01-02T01:00", "Europe/Rome", now=0.0) == 86_400.0
    assert moment("1970-01-01T01:00+01:00", "America/New_York", now=0.0) == 0.0
    with pytest.raises(click.UsageError, match="yesterday"):
        moment("yesterday", "UTC", now=0.0)


def test_times_are_shown_in_the_accounts_zone() -> None:
    assert clock_of(Settings(timezone="Europe/Rome"))(0.0) == "1970-01-01 01:00:00 CET"
    assert clock_of(Settings())(0.0) == "1970-01-01 00:00:00 UTC"


def test_fields_are_read_by_their_type_and_an_empty_one_goes() -> None:
    assert fields_from(["priority=9", "destinationLat=45.5", "notes=a=b", "contactName=", "custom_x=1"]) == {
        "priority": 9,
        "destinationLat": 45.5,
        "notes": "a=b",
        "contactName": None,
        "custom_x": "1",
    }
    assert fields_from(['customFields=[{"key": "k", "val": 1}]']) == {"customFields": [{"key": "k", "val": 1}]}


@pytest.mark.parametrize("pairs", [[], ["priority"], ["=9"]])
def test_what_is_no_field_and_value_is_bad_use(pairs: list[str]) -> None:
    with pytest.raises(click.UsageError):
        fields_from(pairs)


@pytest.mark.parametrize("name", ["memory:", "postgresql://host/db"])
def test_a_spool_without_a_file_cannot_be_looked_into(name: str) -> None:
    with pytest.raises(ConfigError, match="is no file"):
        spool_file(Settings(spool=name))
