"""`dispatcher plan`: what the engine would decide, as one JSON document or a table. Sends nothing."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click
import orjson

from dispatcher.cli.exits import BAD_INPUT, OK, plain_errors, say, say_problems
from dispatcher.cli.options import setting_options, settings_from
from dispatcher.cli.pictures import Pictures
from dispatcher.errors import FieldError

if TYPE_CHECKING:
    from dispatcher.picture import Scene
    from dispatcher.settings import Settings
    from engine import Decision, Engine


WIDTH_IN_FILES = 200
"""columns of the table where it does not go to a terminal"""


@click.command()
@click.option("--members", required=True, metavar="FILE", help="A getaccounts reply.")
@click.option(
    "--jobs", required=True, metavar="FILE", help="createjobs body, JSON array, JSON lines or CSV; - is standard input."
)
@click.option("--routes", metavar="FILE", help="A getjobs reply: the stops that members have already.")
@click.option("--company", metavar="FILE", help="A getcompany reply: teams with their hours and starts.")
@click.option(
    "--now", metavar="ISO8601", help="The moment of the plan (default: now), such as 2026-11-30T08:00:00+01:00."
)
@click.option(
    "--explain", metavar="KEY", help="Also say why this job goes to whom it goes, and why not to the nearer ones."
)
@click.option("--map", "page", metavar="FILE", help="Also draw the plan as an HTML page; it needs no network.")
@click.option("--plot", "image", metavar="FILE", help="Also draw the plan as an image: .png, .svg or .pdf.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@setting_options
@plain_errors
def plan(
    *,
    members: str,
    jobs: str,
    routes: str | None,
    company: str | None,
    now: str | None,
    explain: str | None,
    page: str | None,
    image: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Dry run: who would get which job, where in the day and when, and why somebody would not.

    Exit status: 0 when a plan was made, 2 on bad input (also when some of the jobs could not be read).
    """
    settings = settings_from(options)
    at = _moment(now, settings.timezone)
    pictures = Pictures(page=page, image=image, tile_url=settings.tile_url)
    from dispatcher.intake import load_company, load_members, load_routes, read_jobs  # noqa: PLC0415 - help stays fast
    from dispatcher.model.planned import plan_document  # noqa: PLC0415 - likewise

    accounts = load_members(members)
    stops = load_routes(routes) if routes else []
    firm = load_company(company) if company else None
    usernames = {str(m.get("uid")): str(m["username"]) for m in accounts if m.get("uid") and m.get("username")}
    indexes: list[int] = []
    keys: list[str] = []
    bodies: list[Mapping[str, Any]] = []
    problems: list[FieldError] = []
    for chunk in read_jobs(jobs, lenient_coordinates=True, resolve=usernames.get):
        indexes += chunk.indexes
        keys += [job.key for job in chunk.jobs]
        bodies += [orjson.loads(job.body) for job in chunk.jobs]
        problems += chunk.errors
        for warning in chunk.warnings:
            say(f"warning: {warning}")
    say_problems(problems, what="error", total=len(problems))
    asked = _asked(explain, keys, policy=settings.policy)
    engine = _engine(settings, accounts, stops, firm, at)
    decisions = engine.decide(bodies, reasons=True) if engine else _kept(bodies)
    rows = [replace(d, index=i, key=k) for d, i, k in zip(decisions, indexes, keys, strict=True)]

    def scene() -> Scene:
        from dispatcher.picture import compose  # noqa: PLC0415 - only with a picture

        return compose(
            accounts=accounts,
            company=firm,
            saved=stops,
            jobs=bodies,
            decisions=rows,
            engine=engine,
            settings=settings.engine(),
            policy=settings.policy,
            now=at,
        )

    pictures.draw(scene, quiet=as_json)
    document = plan_document(rows, problems)
    if engine and asked is not None:
        document["explanation"] = asdict(engine.explain(bodies[asked]))
    if as_json:
        click.echo(orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE), nl=False)
    else:
        _table(document)
    sys.exit(BAD_INPUT if problems else OK)


def _moment(text: str | None, timezone: str) -> float:
    if text is None:
        return datetime.now(tz=ZoneInfo(timezone)).timestamp()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"--now {text}: expected a moment such as 2026-11-30T08:00:00+01:00") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(timezone))).timestamp()


def _asked(key: str | None, keys: Sequence[str], *, policy: str) -> int | None:
    """The place of the job to explain; the last version when a key stands twice."""
    if key is None:
        return None
    if policy == "none":
        raise click.UsageError('--explain needs an engine; the policy is "none"')
    places = [place for place, known in enumerate(keys) if known == key]
    if not places:
        raise click.UsageError(f"--explain {key}: no job of the file has this key")
    return places[-1]


def _engine(
    settings: Settings,
    accounts: Sequence[Mapping[str, Any]],
    stops: Sequence[Mapping[str, Any]],
    company: Mapping[str, Any] | None,
    now: float,
) -> Engine | None:
    """The engine over the files, None under the policy `none`."""
    if settings.policy == "none":
        return None
    from engine import Engine  # noqa: PLC0415 - numba and scikit-learn load only when there is something to decide

    engine = Engine(accounts, routes=stops, company=company, settings=settings.engine(), now=now)
    for warning in engine.warnings:
        say(f"warning: {warning}")
    return engine


def _kept(bodies: Sequence[Mapping[str, Any]]) -> list[Decision]:
    from dispatcher.pipeline.rehearsal import kept  # noqa: PLC0415 - the pipeline takes its time to load

    return kept(bodies)


def _table(document: Mapping[str, Any]) -> None:
    from rich.console import Console  # noqa: PLC0415 - help stays fast
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, header_style="bold")
    for name, side in (
        ("job", "left"),
        ("member", "left"),
        ("start", "right"),
        ("km", "right"),
        ("stop", "right"),
        ("why not", "left"),
    ):
        table.add_column(name, justify=side)  # type: ignore[arg-type]
    for row in document["jobs"]:
        if row["worker"] is None:
            why = ", ".join(f"{code} {reason['count']}" for code, reason in row["reasons"].items())
            table.add_row(row["key"], "—", "", "", "", why)
        else:
            table.add_row(
                row["key"], row["worker"], clock(row["start_s"]), _km(row["distance_m"]), _text(row["position"]), ""
            )
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH_IN_FILES)
    console.print(table)
    summary = document["summary"]
    console.print(
        f"{summary['jobs']} jobs: {summary['assigned']} assigned, {summary['unassigned']} unassigned"
        + (f", {summary['refused']} refused" if "refused" in summary else "")
    )
    codes = Counter[str]()
    for row in document["jobs"]:
        codes.update(row.get("reasons", {}).keys())
    for code, count in codes.most_common():
        console.print(f"  {code}: in the way of {count} jobs")
    for line in _explained(document):
        console.print(line, highlight=False)


def _explained(document: Mapping[str, Any]) -> Iterator[str]:
    """An explanation as lines for people."""
    said = document.get("explanation")
    if said is None:
        return
    chosen, unit = said["chosen"], "m" if said["policy"] == "nearest" else "s of added travel"
    yield f"\n{said['key']}: " + (
        f"{chosen['worker']}, {_km(chosen['distance_m'])} km" if chosen else "nobody can take it"
    )
    for other in said["passed_over"]:
        why = other["detail"] or other["code"]
        yield f"  nearer, passed over: {other['worker']} ({_km(other['distance_m'])} km): {why}"
    if said["next_best"]:
        yield f"  next best: {said['next_best']['worker']}, worse by {said['margin']:.0f} {unit}"
    for code, reason in said["reasons"].items():
        yield f"  {code}: {reason['count']} members, such as {reason['example']}"


def clock(seconds: float | None) -> str:
    """Seconds since midnight as HH:MM; past midnight it goes on counting (25:10)."""
    return "" if seconds is None else f"{int(seconds // 3600):02d}:{int(seconds % 3600 // 60):02d}"


def _km(metres: float | None) -> str:
    return "" if metres is None else f"{metres / 1000:.2f}"


def _text(value: object) -> str:
    return "" if value is None else str(value)
