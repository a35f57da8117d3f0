"""Rows of the spool on the command line: which ones are meant, and how they are printed."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo

import click
import orjson

from dispatcher.errors import ConfigError
from dispatcher.model.records import Receipt
from dispatcher.model.state import State

if TYPE_CHECKING:
    from dispatcher.settings import Settings
    from dispatcher.spool import Filter, SpoolView
    from dispatcher.spool.postgres import PostgresView

F = TypeVar("F", bound=Callable[..., Any])
Clock = Callable[[float], str]

SHOWN_ROWS = 50
"""rows of a listing, unless told otherwise"""
_SPAN = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([smhdw])")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}


def filter_options(limit: int) -> Callable[[F], F]:
    """`--worker`, `--day`, `--since` and `--limit` with this default."""

    def add(command: F) -> F:
        for option in (
            click.option(
                "--limit", type=click.IntRange(0), default=limit, show_default=True, help="Rows at most; 0 for all."
            ),
            click.option("--since", metavar="TIME", help="Changed since: 90m, 2h, 7d, or a date and time in ISO 8601."),
            click.option("--day", type=int, metavar="YYYYMMDD", help="Jobs of that day; 0 for those without one."),
            click.option("--worker", metavar="NAME", help="Jobs with that member."),
        ):
            command = option(command)
        return command

    return add


def json_option(command: F) -> F:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document, nothing else.")(command)


def states_option(*states: State) -> Callable[[F], F]:
    """`--state`, several times."""
    return click.option(
        "--state",
        "states",
        multiple=True,
        type=click.Choice([state.value for state in states]),
        help="Only in that state; repeatable.",
    )


def filter_from(settings: Settings, options: Mapping[str, Any], states: Sequence[str] = (), **more: Any) -> Filter:
    """The filter that the options of `filter_options` name; a time without a zone is in the account's."""
    from dispatcher.spool import Filter  # noqa: PLC0415 - help stays fast

    since = options["since"]
    return Filter(
        states=tuple(State(state) for state in states),
        worker=options["worker"],
        day=options["day"],
        since=moment(since, settings.timezone, now=time.time()) if since else None,
        **more,
    )


def span_s(text: str) -> float | None:
    """Seconds of a span such as 90m, 2h or 7d; None when the text is none."""
    match = _SPAN.fullmatch(text.strip().lower())
    return float(match[1]) * _SECONDS[match[2]] if match else None


def moment(text: str, timezone: str, *, now: float) -> float:
    """A Unix time from a span before `now` or from ISO 8601.

    Raises:
        click.UsageError: it is neither.
    """
    span = span_s(text)
    if span is not None:
        return now - span
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"{text!r} is no span such as 2h or 7d, and no date and time in ISO 8601") from None
    return (at if at.tzinfo else at.replace(tzinfo=_zone(timezone))).timestamp()


def clock_of(settings: Settings) -> Clock:
    """Times as text in the account's zone."""
    zone = _zone(settings.timezone)
    return lambda at: f"{datetime.fromtimestamp(at, zone):%Y-%m-%d %H:%M:%S %Z}"


def _zone(name: str) -> ZoneInfo | Any:
    return UTC if name == "UTC" else ZoneInfo(name)


def view_of(settings: Settings) -> SpoolView | PostgresView:
    """The account's spool, for looking.

    Raises:
        ConfigError: the setting names neither a file nor a database.
        SpoolUnusable: there is none, or it cannot be read.
    """
    from dispatcher.spool import open_view  # noqa: PLC0415 - help stays fast

    if not on_postgres(settings):
        spool_file(settings)
    return open_view(settings.spool)


def on_postgres(settings: Settings) -> bool:
    """Whether the spool is a database that several processes share."""
    from dispatcher.spool import is_postgres  # noqa: PLC0415 - help stays fast

    return is_postgres(settings.spool)


def spool_file(settings: Settings) -> str:
    """Path of the spool.

    Raises:
        ConfigError: the setting names no file.
    """
    if "://" in settings.spool or settings.spool in {"memory:", ":memory:"}:
        raise ConfigError(f"spool: {settings.spool} is no file; nothing of it can be seen from here")
    return settings.spool


def as_dict(receipt: Receipt, body: bytes | None = None) -> dict[str, Any]:
    """A row as plain JSON values; with its job when that is given."""
    from dispatcher.pipeline import as_dict as plain  # noqa: PLC0415 - help stays fast

    fields = plain(receipt)
    if body is not None:
        fields["job"] = orjson.Fragment(body)
    return fields


def print_json(document: Any) -> None:
    """One JSON document on standard output."""
    click.echo(orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS), nl=False)


def print_table(receipts: Iterable[Receipt], clock: Clock, *, title: str = "") -> None:
    """Rows for a person."""
    from rich.console import Console  # noqa: PLC0415 - help stays fast
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(title=title or None, title_justify="left", box=None, header_style="bold", pad_edge=False)
    for name in ("key", "v", "state", "member", "day", "tries", "changed", "waits until", "last error"):
        table.add_column(name, overflow="fold", justify="right" if name in {"v", "tries"} else "left")
    now = time.time()
    for row in receipts:
        table.add_row(
            Text(row.key),
            str(row.version),
            row.state.value,
            Text(row.worker or ("by the server" if row.autoassign else "")),
            str(row.day or ""),
            str(row.attempts),
            clock(row.updated_at),
            clock(row.next_at) if row.next_at > now and not row.state.settled else "",
            Text(row.error),
        )
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 220
    console.print(table)


def fields_from(pairs: Sequence[str]) -> dict[str, Any]:
    """`field=value` arguments as job fields; numbers by the field's type, an empty value takes the field out.

    Raises:
        click.UsageError: one has no `=`, or none was given.
    """
    from dispatcher.intake import read_cell  # noqa: PLC0415 - help stays fast

    if not pairs:
        raise click.UsageError("name at least one FIELD=VALUE")
    fields: dict[str, Any] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign or not name:
            raise click.UsageError(f"{pair}: expected FIELD=VALUE")
        fields[name] = read_cell(name, value)
    return fields
