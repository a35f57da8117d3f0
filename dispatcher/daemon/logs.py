"""The daemon's log on standard error: text for people, or one JSON object a line.

The library logs with `logging` alone, so that an application that embeds it keeps its own log; structlog puts the
daemon's lines together.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, Literal

import orjson
import structlog

from dispatcher.daemon.flood import Flood
from dispatcher.model.event import Event

LogFormat = Literal["text", "json"]

_Line = MutableMapping[str, Any]


def log_to_stderr(form: LogFormat, *, level: int = logging.INFO) -> None:
    """Send every record of this process to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(line_formatter(form))
    handler.addFilter(Flood())
    logging.basicConfig(level=level, handlers=[handler], force=True)


def line_formatter(form: LogFormat) -> logging.Formatter:
    """A formatter whose lines hold `at` (UTC), `level`, `logger`, `message`, and what there is beside them.

    As JSON: the fields of an event by their names, `suppressed` (lines of this kind left out since the last one) and
    `exception` (with its traceback). As text the same in one line, the traceback below it.
    """
    return structlog.stdlib.ProcessorFormatter(
        processors=[
            structlog.processors.format_exc_info,
            _line,
            _json if form == "json" else _text,
        ]
    )


def _line(_: Any, __: str, said: _Line) -> _Line:
    """The parts of a line in their order."""
    record: logging.LogRecord = said["_record"]
    what = record.msg
    line: _Line = {
        "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "logger": record.name,
    }
    if isinstance(what, Event):
        line["message"] = what.name
        line.update((name, value) for name, value in what.fields.items() if value is not None)
    else:
        line["message"] = said["event"]
    if suppressed := getattr(record, "suppressed", 0):
        line["suppressed"] = suppressed
    if "exception" in said:
        line["exception"] = said["exception"]
    line["_text"] = said["event"]
    return line


def _json(_: Any, __: str, line: _Line) -> str:
    del line["_text"]
    return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def _text(_: Any, __: str, line: _Line) -> str:
    more = f" ({line['suppressed']} like it left out)" if "suppressed" in line else ""
    text = f"{line['at']} {line['level'].upper()} {line['logger']}: {_one_line(str(line['_text']))}{more}"
    return f"{text}\n{line['exception']}" if "exception" in line else text


def _one_line(text: str) -> str:
    """Without control characters: a client's text must not look like a line of its own."""
    return text if text.isprintable() else "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)
