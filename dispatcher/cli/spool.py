"""`dispatcher spool check | stats | vacuum | prune | export | migrate`: care of the spool's file."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from dispatcher.cli.exits import NOT_ALL, plain_errors, say
from dispatcher.cli.options import configuration_from, setting_options
from dispatcher.cli.rows import (
    as_dict,
    filter_from,
    filter_options,
    json_option,
    print_json,
    span_s,
    spool_file,
    states_option,
    view_of,
)
from dispatcher.errors import SpoolError
from dispatcher.model.state import State

if TYPE_CHECKING:
    from dispatcher.settings import Configuration
    from dispatcher.spool import SqliteSpool

DAY_S = 86_400.0


@click.group()
def spool() -> None:
    """Look after the spool's file, all accounts in it.

    `stats` and `export` work while another process delivers from it; the others need it for themselves.

    Exit status: 0 fine, 1 problems found or nothing there, 2 bad use or a spool that is in use.
    """


@spool.command()
@json_option
@setting_options
@plain_errors
def check(*, as_json: bool, **options: Any) -> None:
    """Read the whole file: is it sound, and does everything hold that must hold? Changes nothing."""
    settings = configuration_from(options).process
    from dispatcher.spool.invariants import problems  # noqa: PLC0415 - help stays fast
    from dispatcher.spool.lock import FileLock  # noqa: PLC0415

    with view_of(settings) as view:
        path = view.path
    lock = FileLock(path)
    try:
        found = problems(path)
    finally:
        lock.release()
    if as_json:
        print_json({"spool": str(path), "sound": not found, "problems": found})
    else:
        for line in found:
            say(f"{path}: {line}")
        say(f"{path}: {f'{len(found)} problems' if found else 'sound'}")
    sys.exit(NOT_ALL if found else 0)


@spool.command()
@json_option
@setting_options
@plain_errors
def stats(*, as_json: bool, **options: Any) -> None:
    """Jobs per account and state, sizes, and how long the oldest job has waited."""
    from dispatcher.spool import holder  # noqa: PLC0415 - help stays fast

    settings = configuration_from(options).process
    now = time.time()
    with view_of(settings) as view:
        counts = view.counts()
        oldest = {name: view.oldest_waiting(name) for name in counts}
        size = view.stats()
        document = {
            "spool": str(view.path),
            "schema_version": view.schema_version,
            "owner": holder(view.path),
            "file_bytes": size.file_bytes,
            "wal_bytes": size.log_bytes,
            "unused_bytes": size.unused_bytes,
            "disk_free_bytes": size.disk_free_bytes,
            "accounts": {
                name: {
                    "states": {state.value: rows for state, rows in states.items()},
                    "oldest_waiting_s": None if (at := oldest[name]) is None else round(max(0.0, now - at), 3),
                }
                for name, states in counts.items()
            },
        }
    if as_json:
        print_json(document)
    else:
        _print_stats(document)


@spool.command()
@click.option("--dry-run", is_flag=True, help="Only say how much room it would give back.")
@json_option
@setting_options
@plain_errors
def vacuum(*, dry_run: bool, as_json: bool, **options: Any) -> None:
    """Give the room that pruned jobs have left back to the disk. Needs room for a second copy of the file meanwhile."""
    settings = configuration_from(options).process
    with view_of(settings) as view:
        path, before = view.path, view.stats()
    needed = before.file_bytes - before.unused_bytes
    if not dry_run:
        if before.disk_free_bytes < needed:
            raise SpoolError(
                f"{path}: needs {needed} bytes for a second copy, the disk has {before.disk_free_bytes} free"
            )
        from dispatcher.cli.acting import run_with_spool  # noqa: PLC0415 - help stays fast

        run_with_spool(settings, lambda opened: opened.vacuum())
    after = needed if dry_run else path.stat().st_size
    if as_json:
        print_json({"spool": str(path), "dry_run": dry_run, "before_bytes": before.file_bytes, "after_bytes": after})
    else:
        verb = "would shrink" if dry_run else "shrank"
        say(f"{path}: {verb} from {before.file_bytes:,} to {'about ' if dry_run else ''}{after:,} bytes")


@spool.command()
@click.option(
    "--older-than",
    "age",
    metavar="SPAN",
    help="Such as 30d or 12h: jobs that nothing has changed for so long (default: retain_days).",
)
@click.option("--dry-run", is_flag=True, help="Only count them.")
@json_option
@setting_options
@plain_errors
def prune(*, age: str | None, dry_run: bool, as_json: bool, **options: Any) -> None:
    """Delete settled jobs that are old, of every account. Their keys are forgotten: the same job is a new one then."""
    configuration = configuration_from(options)
    settings = configuration.process
    before = time.time() - _age_s(age, configuration)
    with view_of(settings) as view:
        count = view.prunable(before=before)
    if not dry_run:
        from dispatcher.cli.acting import run_with_spool  # noqa: PLC0415 - help stays fast

        count = run_with_spool(settings, lambda opened: _prune_all(opened, before))
    if as_json:
        print_json({"spool": settings.spool, "dry_run": dry_run, "pruned": count})
    else:
        say(f"{count} jobs {'would be' if dry_run else 'were'} deleted")
    sys.exit(0 if count else NOT_ALL)


@spool.command()
@states_option(*State)
@filter_options(0)
@click.option("--all-accounts", is_flag=True, help="Every account of the file, not only the one of the settings.")
@setting_options
@plain_errors
def export(*, states: tuple[str, ...], limit: int, all_accounts: bool, **options: Any) -> None:
    """Jobs with their states as JSON lines, in the order of acceptance; all of them unless filtered."""
    chosen = {name: options.pop(name) for name in ("worker", "day", "since")}
    configuration = configuration_from(options)
    settings = configuration.process if all_accounts else configuration.only
    wanted = filter_from(settings, chosen, states)
    count = 0
    with view_of(settings) as view:
        for account in view.accounts() if all_accounts else [settings.account]:
            for row, body in view.stream(account, wanted):
                if limit and count == limit:
                    break
                click.echo(orjson.dumps(as_dict(row, body)))
                count += 1
    sys.exit(0 if count else NOT_ALL)


@spool.command()
@click.option("--dry-run", is_flag=True, help="Run every step, then undo them all.")
@json_option
@setting_options
@plain_errors
def migrate(*, dry_run: bool, as_json: bool, **options: Any) -> None:
    """Bring the file to the schema of this version. Opening it does so too; this does it when you choose to."""
    from dispatcher.spool.migrating import migrate_file  # noqa: PLC0415 - help stays fast

    path = Path(spool_file(configuration_from(options).process))
    done = migrate_file(path, dry_run=dry_run)
    if as_json:
        print_json(
            {
                "spool": str(path),
                "dry_run": dry_run,
                "before": done.before,
                "after": done.after,
                "steps": list(done.steps),
            }
        )
    elif done.steps:
        verb = "can go" if dry_run else "went"
        say(f"{path}: {verb} from schema version {done.before} to {done.after} ({', '.join(done.steps)})")
    else:
        say(f"{path}: has schema version {done.after}, the newest; nothing to do")


def _age_s(text: str | None, configuration: Configuration) -> float:
    if text is None:
        spans = {settings.retain_days for settings in configuration.accounts.values()}
        if len(spans) > 1:
            raise click.UsageError("retain_days differs from account to account: name an age by --older-than")
        (retain_days,) = spans
        if not retain_days:
            raise click.UsageError("retain_days is 0 (for ever): name an age by --older-than")
        return retain_days * DAY_S
    age_s = span_s(text)
    if age_s is None:
        raise click.UsageError(f"--older-than {text}: expected a span such as 30d or 12h")
    return age_s


async def _prune_all(opened: SqliteSpool, before: float) -> int:
    count = 0
    while pruned := await opened.prune(before=before):
        count += pruned
    return count


def _print_stats(document: dict[str, Any]) -> None:
    from rich.console import Console  # noqa: PLC0415 - help stays fast
    from rich.table import Table  # noqa: PLC0415

    owner = {0: "no process works on it", None: "it cannot be told whether a process works on it"}
    click.echo(f"{document['spool']}: schema version {document['schema_version']}, ", nl=False)
    click.echo(owner.get(document["owner"], f"process {document['owner']} works on it"))
    for name, words in (
        ("file_bytes", "bytes in the file"),
        ("wal_bytes", "bytes in its log"),
        ("unused_bytes", "bytes that vacuum would give back"),
        ("disk_free_bytes", "bytes free on the disk"),
    ):
        click.echo(f"{document[name]:>20,} {words}")
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("account", *State, "oldest waits"):
        table.add_column(title, justify="left" if title == "account" else "right")
    for name, account in document["accounts"].items():
        waits = account["oldest_waiting_s"]
        table.add_row(
            name, *(f"{rows:,}" for rows in account["states"].values()), "" if waits is None else f"{waits:,.0f} s"
        )
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 220
    console.print(table)
