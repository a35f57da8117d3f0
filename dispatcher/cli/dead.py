"""`dispatcher dead list | replay | export | edit`: jobs that need a person."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click
import orjson

from dispatcher.cli.exits import NOT_ALL, plain_errors, say
from dispatcher.cli.options import setting_options, settings_from
from dispatcher.cli.rows import (
    SHOWN_ROWS,
    as_dict,
    clock_of,
    fields_from,
    filter_from,
    filter_options,
    json_option,
    print_json,
    print_table,
    states_option,
    view_of,
)
from dispatcher.model.state import State

if TYPE_CHECKING:
    from dispatcher.model.records import Receipt
    from dispatcher.settings import Settings
    from dispatcher.spool import Filter

F = TypeVar("F", bound=Callable[..., Any])

LETTERS = (State.REJECTED, State.DEAD, State.UNKNOWN)
REPLAYED = (State.REJECTED, State.DEAD)
_MEANING = {
    State.REJECTED: "the server refused them",
    State.DEAD: "given up after the last attempt",
    State.UNKNOWN: "being looked up; nothing to do",
}


@click.group()
def dead() -> None:
    """Jobs that did not get through: rejected by the server, dead after the last attempt, or of unknown outcome.

    What a person withdrew is left out unless it is named by --key, what a newer version replaced always is.

    Exit status: 0 done, 1 nothing matched, 2 bad use or a spool that is in use.
    """


def letter_options(*states: State, limit: int = 0) -> Callable[[F], F]:
    """`--state`, `--error`, `--key` and those of `filter_options`."""

    def add(command: F) -> F:
        command = filter_options(limit)(command)
        command = click.option(
            "--key", "keys", metavar="KEY", multiple=True, help="The job with that key; repeatable."
        )(command)
        command = click.option("--error", metavar="TEXT", help="With that text in the last error.")(command)
        return states_option(*states)(command)

    return add


@dead.command("list")
@letter_options(*LETTERS, limit=SHOWN_ROWS)
@json_option
@setting_options
@plain_errors
def list_letters(*, states: tuple[str, ...], limit: int, as_json: bool, **options: Any) -> None:
    """Dead letters, the latest first, each state for itself."""
    settings, chosen = _chosen(options, states, LETTERS)
    with view_of(settings) as view:
        found = {
            state: view.listed(settings.account, _only(chosen, state), limit=limit)
            for state in LETTERS
            if state in chosen.states
        }
    if as_json:
        print_json({state.value: [as_dict(row) for row in rows] for state, rows in found.items()})
    else:
        for state, rows in found.items():
            if rows:
                print_table(rows, clock_of(settings), title=f"{state.value}: {_MEANING[state]}")
        if not any(found.values()):
            say("no dead letters match")
    sys.exit(0 if any(found.values()) else NOT_ALL)


@dead.command()
@letter_options(*REPLAYED)
@click.option("--dry-run", is_flag=True, help="Only say which jobs would be sent.")
@json_option
@setting_options
@plain_errors
def replay(*, states: tuple[str, ...], limit: int, dry_run: bool, as_json: bool, **options: Any) -> None:
    """Put rejected and dead jobs back to the start: they are decided and sent once more, as they are.

    Only the newest version of a key is replayed; an older one would overwrite it. --limit counts from the latest.
    """
    settings, chosen = _chosen(options, states, REPLAYED)
    with view_of(settings) as view:
        rows = view.listed(settings.account, chosen, limit=limit)
    if rows and not dry_run:
        from dispatcher.cli.acting import run_with_care  # noqa: PLC0415 - help stays fast

        meant = rows[::-1]
        rows = run_with_care(settings, lambda care: care.replay(meant))[::-1]
    if as_json:
        print_json({"dry_run": dry_run, "replayed": [as_dict(row) for row in rows]})
    else:
        _say_replay(rows, settings, dry_run=dry_run)
    sys.exit(0 if rows else NOT_ALL)


@dead.command()
@letter_options(*LETTERS)
@click.option("--jobs", "bare", is_flag=True, help="The jobs alone, one a line, as `submit` takes them.")
@setting_options
@plain_errors
def export(*, states: tuple[str, ...], limit: int, bare: bool, **options: Any) -> None:
    """Dead letters as JSON lines: the state of each and its job, in the order of acceptance."""
    settings, chosen = _chosen(options, states, LETTERS)
    with view_of(settings) as view:
        rows = view.listed(settings.account, chosen, limit=limit)[::-1]
        bodies = view.bodies(settings.account, [row.seq for row in rows])
    for row in rows:
        body = bodies[row.seq]
        click.echo(body if bare else orjson.dumps(as_dict(row, body)))
    sys.exit(0 if rows else NOT_ALL)


@dead.command()
@click.argument("key")
@click.argument("pairs", nargs=-1, metavar="FIELD=VALUE...")
@click.option("--dry-run", is_flag=True, help="Only check the new values and print the job.")
@json_option
@setting_options
@plain_errors
def edit(*, key: str, pairs: tuple[str, ...], dry_run: bool, as_json: bool, **options: Any) -> None:
    """Change fields of the rejected or dead job KEY and send it.

    The changed job is a new version, checked like any job; the old one stays as it is and is no dead letter any more.
    FIELD= takes a field out.
    """
    from dispatcher.cli.acting import edit_job  # noqa: PLC0415 - help stays fast

    settings = settings_from(options)
    sys.exit(edit_job(settings, key, fields_from(pairs), dead=True, dry_run=dry_run, as_json=as_json))


def _chosen(options: dict[str, Any], states: Sequence[str], allowed: Sequence[State]) -> tuple[Settings, Filter]:
    fields = {name: options.pop(name) for name in ("worker", "day", "since", "error", "keys")}
    settings = settings_from(options)
    chosen = filter_from(
        settings,
        fields,
        states or [state.value for state in allowed],
        error=fields["error"],
        keys=fields["keys"],
        newest=True,
        withdrawn=bool(fields["keys"]),
    )
    return settings, chosen


def _only(chosen: Filter, state: State) -> Filter:
    from dataclasses import replace  # noqa: PLC0415 - help stays fast

    return replace(chosen, states=(state,))


def _say_replay(rows: Sequence[Receipt], settings: Settings, *, dry_run: bool) -> None:
    if not rows:
        say("no dead letters match")
        return
    if dry_run:
        print_table(rows, clock_of(settings))
    what = "would be sent once more" if dry_run else "go out with the next run on this spool"
    say(f"{len(rows)} {'job' if len(rows) == 1 else 'jobs'} {what}")
