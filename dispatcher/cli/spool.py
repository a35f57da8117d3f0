"""`dispatcher spool check | stats | vacuum | prune | export | migrate | copy`: care of the spool."""

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
    on_postgres,
    print_json,
    span_s,
    spool_file,
    states_option,
    view_of,
)
from dispatcher.errors import SpoolError
from dispatcher.model.state import State

if TYPE_CHECKING:
    from dispatcher.settings import Configuration, Settings
    from dispatcher.spool import SpoolView, SqliteSpool
    from dispatcher.spool.migrating import Migration
    from dispatcher.spool.postgres import PostgresSpool

DAY_S = 86_400.0


@click.group()
def spool() -> None:
    """Look after the spool, all accounts in it.

    `stats` and `export` work while another process delivers from a file; the others need it for themselves. On a
    PostgreSQL database all of them work beside the daemons.

    Exit status: 0 fine, 1 problems found or nothing there, 2 bad use or a spool that is in use.
    """


@spool.command()
@json_option
@setting_options
@plain_errors
def check(*, as_json: bool, **options: Any) -> None:
    """Read the whole spool: is it sound, and does everything hold that must hold? Changes nothing."""
    settings = configuration_from(options).process
    with view_of(settings) as view:
        path = view.path
        found = view.problems()
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
    settings = configuration_from(options).process
    now = time.time()
    with view_of(settings) as view:
        counts = view.counts()
        oldest = {name: view.oldest_waiting(name) for name in counts}
        document = {
            "spool": str(view.path),
            "schema_version": view.schema_version,
            "owner": view.owner(),
            **view.sizes(),
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
    """Give the room that pruned jobs have left back.

    A file is written anew and smaller, which needs room for a second copy meanwhile. In a database dead rows are
    cleared away, so that their room is used again; nobody waits for it.
    """
    from dispatcher.spool import SpoolView  # noqa: PLC0415 - help stays fast

    settings = configuration_from(options).process
    with view_of(settings) as view:
        path = view.path
        if isinstance(view, SpoolView):
            before, after = _shrunk(settings, view, dry_run=dry_run)
        else:
            before = view.stats().table_bytes
            after = before - view.stats().dead_bytes
            if not dry_run:
                view.vacuum()
                after = view.stats().table_bytes
    if as_json:
        print_json({"spool": str(path), "dry_run": dry_run, "before_bytes": before, "after_bytes": after})
    else:
        verb = "would shrink" if dry_run else "shrank"
        say(f"{path}: {verb} from {before:,} to {'about ' if dry_run else ''}{after:,} bytes")


def _shrunk(settings: Settings, view: SpoolView, *, dry_run: bool) -> tuple[int, int]:
    """Bytes of a file before and after."""
    size = view.stats()
    needed = size.file_bytes - size.unused_bytes
    if dry_run:
        return size.file_bytes, needed
    if size.disk_free_bytes < needed:
        raise SpoolError(
            f"{view.path}: needs {needed} bytes for a second copy, the disk has {size.disk_free_bytes} free"
        )
    from dispatcher.cli.acting import run_with_spool  # noqa: PLC0415 - help stays fast
    from dispatcher.spool import SqliteSpool  # noqa: PLC0415

    async def shrink(opened: SqliteSpool | PostgresSpool) -> None:
        if isinstance(opened, SqliteSpool):
            await opened.vacuum()

    view.close()
    run_with_spool(settings, shrink)
    return size.file_bytes, view.path.stat().st_size


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
@click.option("--show-sql", is_flag=True, help="Print the statements of the missing steps and run none.")
@json_option
@setting_options
@plain_errors
def migrate(*, dry_run: bool, show_sql: bool, as_json: bool, **options: Any) -> None:
    """Bring the spool to the schema of this version. Opening it does so too; this does it when you choose to.

    A file must not be in use. On a database the daemons go on, older ones too.
    """
    settings = configuration_from(options).process
    spool, done, sql = _migrated(settings, dry_run=dry_run or show_sql)
    if show_sql:
        click.echo(sql)
    elif as_json:
        print_json(
            {"spool": spool, "dry_run": dry_run, "before": done.before, "after": done.after, "steps": list(done.steps)}
        )
    elif done.steps:
        verb = "can go" if dry_run else "went"
        say(f"{spool}: {verb} from schema version {done.before} to {done.after} ({', '.join(done.steps)})")
    else:
        say(f"{spool}: has schema version {done.after}, the newest; nothing to do")


def _migrated(settings: Settings, *, dry_run: bool) -> tuple[str, Migration, str]:
    """The spool, what was done to it, and the statements for that."""
    if on_postgres(settings):
        from dispatcher.spool.postgres.migrating import migrate_database  # noqa: PLC0415 - help stays fast

        done, sql = migrate_database(settings.spool, dry_run=dry_run)
        return settings.spool, done, sql
    from dispatcher.spool.migrating import migrate_file  # noqa: PLC0415 - help stays fast
    from dispatcher.spool.statements import SQL  # noqa: PLC0415

    path = Path(spool_file(settings))
    done = migrate_file(path, dry_run=dry_run)
    return str(path), done, "\n\n".join(SQL[step] for step in done.steps)


@spool.command()
@click.option("--to", "target", required=True, metavar="URL", help="The database: postgresql://user@host/name.")
@json_option
@setting_options
@plain_errors
def copy(*, target: str, as_json: bool, **options: Any) -> None:
    """Copy a file into a PostgreSQL database: every job with its versions, attempts and outcome.

    The file must not be in use and is left as it is; other daemons may work on the database. It can be tried again:
    what is there already is left as it is there. Once the copy is done, set `spool` to the database and keep the file
    away from daemons: what is sent from both would be sent twice.
    """
    settings = configuration_from(options).process
    path = Path(spool_file(settings))
    from dispatcher.cli.acting import copy_spool  # noqa: PLC0415 - help stays fast

    done, shown = copy_spool(path, target)
    if as_json:
        print_json({"spool": str(path), "to": shown, "jobs": done.rows, "copied": done.new, "known": done.known})
    else:
        say(f"{path}: {done.rows} jobs, {done.new} copied to {shown}, {done.known} were there")


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


async def _prune_all(opened: SqliteSpool | PostgresSpool, before: float) -> int:
    count = 0
    while pruned := await opened.prune(before=before):
        count += pruned
    return count


def _print_stats(document: dict[str, Any]) -> None:
    from rich.console import Console  # noqa: PLC0415 - help stays fast
    from rich.table import Table  # noqa: PLC0415

    owner = {0: "no process works on it", None: "it cannot be told whether a process works on it"}
    click.echo(f"{document['spool']}: schema version {document['schema_version']}, ", nl=False)
    if "nodes" in document:
        click.echo(f"{len(document['nodes'])} nodes work on it")
        for node in document["nodes"]:
            lease = f"lease for {node['lease_s']:.0f} s" if node["lease_s"] > 0 else "lease ran out"
            click.echo(f"{node['name']:>20} process {node['pid']} on {node['host']}, up {node['up_s']:,.0f} s, {lease}")
    else:
        click.echo(owner.get(document["owner"], f"process {document['owner']} works on it"))
    for name, words in (
        ("file_bytes", "bytes in the file"),
        ("wal_bytes", "bytes in its log"),
        ("unused_bytes", "bytes that vacuum would give back"),
        ("disk_free_bytes", "bytes free on the disk"),
        ("table_bytes", "bytes in the tables and their indexes"),
        ("dead_bytes", "bytes of them, about, in rows that are gone"),
    ):
        if name in document:
            click.echo(f"{document[name]:>20,} {words}")
    for name, waiting in document.get("outbox", {}).items():
        click.echo(
            f"{waiting['jobs']:>20,} jobs of {name} enqueued and not taken up, {waiting['oldest_waiting_s']:,.0f} s"
        )
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
