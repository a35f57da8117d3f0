"""The daemon's lines: taken apart as JSON, readable as text, never more than a disk can hold."""

from __future__ import annotations

import json
import logging

import pytest

from dispatcher.daemon.flood import MOST_KINDS, TROUBLE_BURST, TROUBLE_PER_S, USUAL_BURST, USUAL_PER_S, Flood
from dispatcher.daemon.logs import LogFormat, line_formatter
from dispatcher.model.event import Event
from dispatcher.model.secret import Secret


def record(what: object, *args: object, level: int = logging.INFO, fault: Exception | None = None) -> logging.LogRecord:
    caught = (type(fault), fault, None) if fault else None
    made = logging.LogRecord("dispatcher.pipeline", level, __file__, 1, what, args, caught)
    made.created = 1_767_225_600.25
    return made


def line(form: LogFormat, *args: object, level: int = logging.INFO, fault: Exception | None = None) -> str:
    return line_formatter(form).format(record(*args, level=level, fault=fault))


def test_an_event_is_taken_apart_into_json() -> None:
    said = json.loads(line("json", Event("batch sent", account="acme", jobs=200, http_status=None, key=Secret("s"))))
    assert said == {
        "at": "2026-01-01T00:00:00.250Z",
        "level": "info",
        "logger": "dispatcher.pipeline",
        "message": "batch sent",
        "account": "acme",
        "jobs": 200,
        "key": "***",
    }


def test_a_plain_message_and_an_exception_are_json_too() -> None:
    said = json.loads(line("json", "no %s", "disk", level=logging.ERROR, fault=ValueError("why")))
    assert (said["level"], said["message"]) == ("error", "no disk")
    assert "ValueError: why" in said["exception"]


def test_text_is_one_line_for_people() -> None:
    assert line("text", Event("batch sent", jobs=2)) == (
        "2026-01-01T00:00:00.250Z INFO dispatcher.pipeline: batch sent jobs=2"
    )


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_clients_text_cannot_forge_a_line(form: LogFormat) -> None:
    assert "\n" not in line(form, "no such key: %s", "A\n2026-01-01T00:00:00Z INFO dispatcher.daemon: all is well")


class Told:
    """A flood on a clock of the test's own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.flood = Flood(clock=lambda: self.now)

    def say(self, what: object, times: int = 1, *, level: int = logging.INFO) -> list[int]:
        """How many came through, as what each said was left out before it."""
        said: list[int] = []
        for _ in range(times):
            made = record(what, level=level)
            if self.flood.filter(made):
                said.append(getattr(made, "suppressed", 0))
        return said


def test_an_outage_of_a_day_fits_on_a_disk() -> None:
    told = Told()
    failed = Event("batch sent", account="acme", outcome="not_sent")
    lines = 0
    for _ in range(24 * 3600):
        told.now += 1.0
        lines += len(told.say(failed, 2))
    assert lines <= TROUBLE_BURST + 24 * 3600 * TROUBLE_PER_S + 1


def test_what_was_left_out_is_told_with_the_next_line() -> None:
    told = Told()
    assert told.say("no disk", int(TROUBLE_BURST) + 7, level=logging.ERROR) == [0] * int(TROUBLE_BURST)
    told.now += 1 / TROUBLE_PER_S
    assert told.say("no disk", level=logging.ERROR) == [7]


def test_a_busy_account_neither_floods_nor_silences_another() -> None:
    told = Told()
    busy = Event("batch sent", account="busy", outcome="ok")
    assert len(told.say(busy, 5_000)) == USUAL_BURST
    assert told.say(Event("batch sent", account="calm", outcome="ok")) == [0]
    assert told.say(Event("batch sent", account="busy", outcome="throttled")) == [0]
    told.now += 1.0
    assert len(told.say(busy, 5_000)) == USUAL_PER_S


def test_kinds_without_end_take_no_memory_without_end() -> None:
    told = Told()
    for number in range(3 * MOST_KINDS):
        assert told.say(f"message {number}") == [0]
    assert len(told.flood._buckets) == MOST_KINDS
