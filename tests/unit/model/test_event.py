"""An event reads as one line, whatever its values are."""

from __future__ import annotations

import logging

import pytest

from dispatcher.model.event import Event
from dispatcher.model.secret import Secret


def test_an_event_reads_as_its_name_and_fields() -> None:
    event = Event("batch sent", account="acme", jobs=200, seconds=0.0123456789, http_status=None)
    assert str(event) == "batch sent account=acme jobs=200 seconds=0.0123457"


@pytest.mark.parametrize(
    ("value", "shown"),
    [("two words", '"two words"'), ('say "no"', "\"say 'no'\""), ("", '""'), ("a\nb", "'a\\nb'"), ("à=1", '"à=1"')],
)
def test_a_value_stays_one_word_on_one_line(value: str, shown: str) -> None:
    assert str(Event("x", value=value)) == f"x value={shown}"


def test_a_secret_does_not_show() -> None:
    assert "s3cret" not in str(Event("x", key=Secret("s3cret")))


def test_an_embedding_applications_own_log_shows_it_as_text(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        logging.getLogger("dispatcher.pipeline").info(Event("batch sent", jobs=1))
    assert caplog.messages == ["batch sent jobs=1"]
