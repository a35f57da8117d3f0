"""`dispatcher jobs list | show | explain | delete | edit`: single jobs in the spool."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click
import msgspec
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
    from dispatcher.pipeline import Explanation, Withdrawal
    from dispatcher.settings import Settings


@click.group()
def jobs() -> None:
    """Look at jobs in the spool; take back or change one before it is sent.

    Looking works while another process delivers from the same spool; changing needs the spool for itself.

    Exit status: 0 done, 1 no such job (or too late to change it), 2 bad use or a spool that is in use.
    """


@jobs.command("list")
@states_option(*State)
@filter_options(SHOWN_ROWS)
@json_option
@setting_options
@plain_errors
def list_jobs(*, states: tuple[str, ...], limit: int, as_json: bool, **options: Any) -> None:
    """The latest jobs, the latest first, every version for itself."""
    chosen = {name: options.pop(name) for name in ("worker", "day", "since")}
    settings = settings_from(options)
    with view_of(settings) as view:
        rows = view.listed(settings.account, filter_from(settings, chosen, states), limit=limit)
    if as_json:
        print_json({"jobs": [as_dict(row) for row in rows]})
    elif rows:
        print_table(rows, clock_of(settings))
    else:
        say(f"no such jobs in account {settings.account}")
    sys.exit(0 if rows else NOT_ALL)


@jobs.command()
@click.argument("key")
@json_option
@setting_options
@plain_errors
def show(*, key: str, as_json: bool, **options: Any) -> None:
    """Every version of the job KEY with its content, as JSON."""
    settings = settings_from(options)
    with view_of(settings) as view:
        rows = view.versions(settings.account, key)
        bodies = view.bodies(settings.account, [row.seq for row in rows])
    if not rows:
        _unknown(settings, key)
    document = {"key": key, "versions": [as_dict(row, bodies.get(row.seq)) for row in rows]}
    if as_json:
        print_json(document)
    else:
        text = orjson.dumps(orjson.loads(orjson.dumps(document)), option=orjson.OPT_INDENT_2)
        click.echo(text.decode())


@jobs.command()
@click.argument("key")
@json_option
@setting_options
@plain_errors
def explain(*, key: str, as_json: bool, **options: Any) -> None:
    """Where the job KEY is, what happened to it, why it waits and when it goes next.

    Told from the spool alone; what only the delivering process knows (its limits, its breaker) is not in it.
    """
    from dispatcher.pipeline.explaining import explain as explained  # noqa: PLC0415 - help stays fast

    settings = settings_from(options)
    with view_of(settings) as view:
        rows = view.versions(settings.account, key)
        owner = view.owner()
    if not rows:
        _unknown(settings, key)
    explanation = explained(rows, now=time.time(), clock=clock_of(settings), owner=owner)
    if as_json:
        document = msgspec.to_builtins(explanation) | {"receipt": as_dict(explanation.receipt)}
        print_json(document | {"owner": owner})
    else:
        _print(explanation, owner)


@jobs.command()
@click.argument("key")
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
@json_option
@setting_options
@plain_errors
def delete(*, key: str, dry_run: bool, as_json: bool, **options: Any) -> None:
    """Take the job KEY back before it is sent.

    It stays in the spool as withdrawn, so that the same job, submitted once more, is not sent by accident;
    `dead replay --key` brings it back. What is at the server already is not touched.
    """
    settings = settings_from(options)
    with view_of(settings) as view:
        rows = view.versions(settings.account, key)
    if not rows:
        _unknown(settings, key)
    from dispatcher.cli.acting import run_with_care  # noqa: PLC0415 - help stays fast
    from dispatcher.pipeline.care import withdrawal  # noqa: PLC0415

    done = withdrawal(rows) if dry_run else run_with_care(settings, lambda care: care.delete(key))
    if as_json:
        print_json({"key": key, "dry_run": dry_run} | _as_document(done))
    else:
        _say_withdrawal(key, done, dry_run=dry_run)
    sys.exit(0 if done.withdrawn else NOT_ALL)


@jobs.command()
@click.argument("key")
@click.argument("pairs", nargs=-1, metavar="FIELD=VALUE...")
@click.option("--dry-run", is_flag=True, help="Only check the new values and print the job.")
@json_option
@setting_options
@plain_errors
def edit(*, key: str, pairs: tuple[str, ...], dry_run: bool, as_json: bool, **options: Any) -> None:
    """Change fields of the job KEY before it is sent.

    The changed job is a new version that replaces the one that waits; it is checked like any job. FIELD= takes a field
    out.
    """
    from dispatcher.cli.acting import edit_job  # noqa: PLC0415 - help stays fast

    settings = settings_from(options)
    sys.exit(edit_job(settings, key, fields_from(pairs), dead=False, dry_run=dry_run, as_json=as_json))


def _unknown(settings: Settings, key: str) -> None:
    say(f"no job {key} in account {settings.account}")
    sys.exit(NOT_ALL)


def _print(explanation: Explanation, owner: int | None) -> None:
    row = explanation.receipt
    click.echo(f"{row.key}, version {row.version}: {row.state.value}")
    click.echo(explanation.where)
    for line in explanation.happened:
        click.echo(f"  {line}")
    if explanation.why:
        click.echo(f"Waits: {explanation.why}")
    click.echo(f"Next: {explanation.next_step}")
    if len(explanation.versions) > 1:
        states = ", ".join(f"{version} {state.value}" for version, state in explanation.versions)
        click.echo(f"Versions: {states}")
    if owner and not row.state.settled:
        click.echo(f"Process {owner} works on this spool.")


def _as_document(done: Withdrawal) -> dict[str, Any]:
    return {"withdrawn": [as_dict(row) for row in done.withdrawn], "left": [as_dict(row) for row in done.left]}


def _say_withdrawal(key: str, done: Withdrawal, *, dry_run: bool) -> None:
    verb = "would be taken back" if dry_run else "is taken back"
    for row in done.withdrawn:
        say(f"{key} version {row.version} {verb}")
    for row in done.left:
        say(f"{key} version {row.version} is {row.state.value}: too late to take it back")
    if not done.withdrawn and not done.left:
        say(f"{key}: nothing of it waits to be sent")
