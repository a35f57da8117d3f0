"""`dispatcher submit`: accept, assign and send the jobs of a file, and wait for every outcome."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import click
import orjson

from dispatcher.cli.exits import BAD_INPUT, NOT_ALL, OK, plain_errors, say, say_problems
from dispatcher.cli.memory import one_arena
from dispatcher.cli.options import setting_options, settings_from
from dispatcher.errors import ConfigError
from dispatcher.model.state import SETTLED, State

if TYPE_CHECKING:
    from dispatcher.cli.delivery import Report
    from dispatcher.cli.tally import FileTally
    from dispatcher.pipeline import FleetFiles


@click.command()
@click.argument("file")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document at the end, nothing else.")
@click.option("--strict", is_flag=True, help="Accept nothing when any job of the file is bad.")
@click.option(
    "--members", metavar="FILE", help="Take the members from a getaccounts reply instead of asking the server."
)
@click.option("--routes", metavar="FILE", help="With --members: a getjobs reply with the stops they have already.")
@click.option("--company", metavar="FILE", help="With --members: a getcompany reply.")
@setting_options
@plain_errors
def submit(
    *,
    file: str,
    as_json: bool,
    strict: bool,
    members: str | None,
    routes: str | None,
    company: str | None,
    **options: Any,
) -> None:
    """Accept, assign and send the jobs of FILE (- is standard input); wait for every outcome.

    A run that was stopped or killed goes on where it was: run the same command again. Nothing is sent twice.

    Exit status: 0 all confirmed, 1 some job was not, 2 bad use or bad input (also when some jobs were refused here).
    """
    settings = settings_from(options)
    if not settings.api_key:
        raise ConfigError("no api_key is set: use the environment (DISPATCHER_API_KEY) or api_key_file")
    if (routes or company) and not members:
        raise click.UsageError("--routes and --company go with --members")
    if strict and file == "-":
        raise click.UsageError("--strict reads the file twice, so it cannot be standard input")
    from dispatcher.cli.delivery import deliver  # noqa: PLC0415 - help stays fast
    from dispatcher.cli.progress import progress_for  # noqa: PLC0415
    from dispatcher.cli.tally import FileTally  # noqa: PLC0415

    one_arena()
    tally = FileTally()
    progress = progress_for(quiet=as_json)
    report = asyncio.run(
        deliver(
            settings,
            file,
            strict=strict,
            fleet=_fleet(members, routes, company),
            tally=tally,
            progress=progress,
        )
    )
    say_problems(report.errors, what="error", total=len(report.errors))
    if report.ended:
        say(f"dispatcher: {report.ended}")
    if as_json:
        click.echo(orjson.dumps(_document(report, tally), option=orjson.OPT_APPEND_NEWLINE), nl=False)
    else:
        say(_summary(report, tally))
    if tally.open and not report.denied:
        say(f"{tally.open} jobs are not through and stay in {settings.spool}; run the same command again to go on")
    sys.exit(_status(report, tally))


def _status(report: Report, tally: FileTally) -> int:
    if report.denied or report.refused:
        return BAD_INPUT
    return OK if tally.counts[State.CONFIRMED] == tally.accepted else NOT_ALL


def _document(report: Report, tally: FileTally) -> dict[str, Any]:
    document: dict[str, Any] = {"accepted": tally.accepted}
    for state in (State.CONFIRMED, State.REJECTED, State.DEAD, State.UNKNOWN, State.HELD):
        document[state.value] = tally.counts[state]
    document["waiting"] = tally.accepted - sum(document[s.value] for s in (*SETTLED, State.UNKNOWN, State.HELD))
    document["refused"] = report.refused
    document["seconds"] = round(report.seconds, 3)
    if report.errors:
        document["errors"] = [
            {"index": e.index, "key": e.key, "field": e.field, "message": e.message, "where": e.where}
            for e in report.errors
        ]
    if report.ended:
        document["ended"] = report.ended
    return document


def _summary(report: Report, tally: FileTally) -> str:
    parts = [f"{tally.accepted} accepted"]
    parts += [
        f"{tally.counts[state]} {state.value}" for state in State if tally.counts[state] and state is not State.ACCEPTED
    ]
    if report.refused:
        parts.append(f"{report.refused} refused")
    rate = tally.counts[State.CONFIRMED] / report.seconds if report.seconds else 0.0
    return f"{', '.join(parts)} in {report.seconds:.1f} s ({rate:,.0f} confirmed a second)"


def _fleet(members: str | None, routes: str | None, company: str | None) -> FleetFiles | None:
    if not members:
        return None
    from dispatcher.intake import load_company, load_members, load_routes  # noqa: PLC0415 - help stays fast
    from dispatcher.pipeline import FleetFiles  # noqa: PLC0415

    return FleetFiles(
        accounts=load_members(members),
        routes=load_routes(routes) if routes else (),
        company=load_company(company) if company else None,
    )
