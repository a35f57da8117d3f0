"""`dispatcher demo`: the whole way once, with real HTTP and a real spool, and what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from dispatcher.cli.exits import NOT_ALL, OK, plain_errors
from dispatcher.cli.memory import one_arena
from dispatcher.errors import DispatcherError

if TYPE_CHECKING:
    from rich.console import Console

    from dispatcher.pipeline import Dispatcher

MEMBERS = 500
JOBS = 20_000
EXPLAINED = 500
"""so many of the unassigned jobs are asked why; more would only repeat it"""
DISTANCE_STEPS_KM = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
BAR_CELLS = 36
START_WITHIN_S = 30.0


@click.command()
@click.option("--jobs", "count", type=click.IntRange(1), default=JOBS, show_default=True, help="Generated jobs.")
@click.option(
    "--members", "size", type=click.IntRange(0), default=MEMBERS, show_default=True, help="Generated members."
)
@click.option("--visits", metavar="DIR", help="Real visits to add (default: ../shared/data/italy when it is there).")
@click.option(
    "--limits",
    default="40/s",
    show_default=True,
    help="Rate limits that the sandbox enforces.",
)
@click.option("--seed", type=int, default=1, show_default=True)
@plain_errors
def demo(*, count: int, size: int, visits: str | None, limits: str, seed: int) -> None:
    """20 000 jobs for 500 members in real cities: validated, spooled, assigned, sent over HTTP, confirmed."""
    from rich.console import Console  # noqa: PLC0415 - help stays fast

    console = Console(highlight=False, soft_wrap=True)
    with tempfile.TemporaryDirectory(prefix="dispatcher-demo-") as folder:
        sys.exit(_demo(Path(folder), console, count=count, size=size, visits=visits, limits=limits, seed=seed))


def _demo(folder: Path, console: Console, *, count: int, size: int, visits: str | None, limits: str, seed: int) -> int:
    from dispatcher.cli.delivery import deliver  # noqa: PLC0415 - help stays fast
    from dispatcher.cli.progress import progress_for  # noqa: PLC0415
    from dispatcher.cli.tally import FileTally  # noqa: PLC0415
    from dispatcher.model.state import State  # noqa: PLC0415
    from dispatcher.settings import load_settings  # noqa: PLC0415

    one_arena()
    started = time.monotonic()
    day = _next_monday()
    written = _write_input(folder, count=count, size=size, visits=_visits(visits), day=day, seed=seed)
    console.print(
        f"[bold]{written['jobs']:,} jobs[/] for [bold]{written['members']:,} members[/] on {day}"
        + (f", {written['visits']:,} of them real visits in {written['cities']}" if written["visits"] else "")
    )
    tally = FileTally()
    with _sandbox(folder, limits) as url:
        console.print(f"sandbox: {url} (own process, limits {limits}) · spool: {folder / 'demo.spool.db'}")
        settings = load_settings(
            environ={},
            overrides={
                "base_url": url,
                "api_key": "demo",
                "spool": str(folder / "demo.spool.db"),
                "limits": limits,
                "timezone": "Europe/Rome",
            },
        )

        async def afterwards(dispatcher: Dispatcher) -> None:
            await _picture(dispatcher, console)

        report = asyncio.run(
            deliver(
                settings,
                str(folder / "jobs.jsonl"),
                strict=False,
                fleet=None,
                tally=tally,
                progress=progress_for(quiet=False),
                afterwards=afterwards,
            )
        )
        stats = json.load(urllib.request.urlopen(f"{url}/sandbox/stats", timeout=10))  # noqa: S310 - our own sandbox on loopback
    confirmed = tally.counts[State.CONFIRMED]
    console.print(
        f"\n[bold]{confirmed:,} of {tally.accepted:,} confirmed[/] in {report.seconds:.1f} s"
        f" ({confirmed / report.seconds:,.0f} a second); the sandbox created {stats['creates']:,},"
        f" saw {stats['repeats']:,} repeats and {stats['limit_violations']:,} requests above its limits"
    )
    if report.ended:
        console.print(f"[red]{report.ended}[/]")
    console.print(f"all in all {time.monotonic() - started:.1f} s")
    good = confirmed == tally.accepted == stats["creates"] and not report.refused
    return OK if good else NOT_ALL


def _next_monday() -> int:
    today = datetime.now(tz=UTC).date()
    monday = today + timedelta(days=7 - today.weekday())
    return int(monday.strftime("%Y%m%d"))


def _visits(named: str | None) -> Path | None:
    if named:
        return Path(named)
    found = Path.cwd().parent / "shared" / "data" / "italy"
    return found if found.is_dir() else None


def _write_input(folder: Path, *, count: int, size: int, visits: Path | None, day: int, seed: int) -> dict[str, Any]:
    """Members, company and jobs as files; real visits move to the demo's day, their teams get numbers of their own."""
    from dispatcher.sandbox import generated_fleet, generated_jobs  # noqa: PLC0415 - help stays fast

    accounts, company = generated_fleet(size, seed=seed, now=time.time())
    cities: list[str] = []
    extra = 0
    with (folder / "jobs.jsonl").open("wb") as lines:
        for job in generated_jobs(count, seed=seed, day=day):
            lines.write(orjson.dumps(job, option=orjson.OPT_APPEND_NEWLINE))
        for number, city in enumerate(sorted(visits.iterdir()) if visits else [], start=1):
            if not (city / "jobs.json").is_file():
                continue
            cities.append(city.name.capitalize())
            offset = 1000 * number
            for member in orjson.loads((city / "members.json").read_bytes())["accounts"]:
                accounts.append(member | {"teams": [offset + team for team in member["teams"]]})
            for team in orjson.loads((city / "company.json").read_bytes())["company"]["teams_config"]:
                company["teams_config"].append(team | {"id": offset + team["id"]})
            for job in orjson.loads((city / "jobs.json").read_bytes())["data"]["jobs"]:
                extra += 1
                moved = job | {"day": day, "teamId": offset + job["teamId"]}
                lines.write(orjson.dumps(moved, option=orjson.OPT_APPEND_NEWLINE))
    (folder / "members.json").write_bytes(orjson.dumps({"status": 0, "accounts": accounts}))
    (folder / "company.json").write_bytes(orjson.dumps({"status": 0, "company": company}))
    return {"jobs": count + extra, "members": len(accounts), "visits": extra, "cities": ", ".join(cities)}


@contextlib.contextmanager
def _sandbox(folder: Path, limits: str) -> Iterator[str]:
    """A sandbox in a process of its own on a free port; ends with the block."""
    command = [sys.executable, "-m", "dispatcher", "sandbox", "--port", "0", "--limits", limits]
    command += ["--members", str(folder / "members.json"), "--company", str(folder / "company.json")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own command
    try:
        assert process.stdout is not None  # noqa: S101 - PIPE was asked for
        line = process.stdout.readline()
        if "ready at " not in line:
            raise DispatcherError(f"the sandbox did not start: {line.strip() or 'no output'}")
        yield line.rpartition(" ")[2].strip()
    finally:
        process.terminate()
        process.wait(timeout=START_WITHIN_S)
        assert process.stdout is not None  # noqa: S101 - PIPE was asked for
        process.stdout.close()


async def _picture(dispatcher: Dispatcher, console: Console) -> None:
    """Who got what: distances, load, and why some have no member."""
    distances_km: list[float] = []
    per_member: Counter[str] = Counter()
    unassigned: list[int] = []
    after = 0
    while page := await dispatcher.page(after_seq=after, limit=5000):
        after = page[-1].seq
        for receipt in page:
            if receipt.worker is None:
                unassigned.append(receipt.seq)
                continue
            per_member[receipt.worker] += 1
            if receipt.note:
                distances_km.append(orjson.loads(receipt.note)["distance_m"] / 1000)
    total = len(unassigned) + sum(per_member.values())
    console.print(
        f"\n[bold]{sum(per_member.values()):,} assigned here[/] to {len(per_member):,} members,"
        f" {len(unassigned):,} of {total:,} left to the server ({dispatcher.settings.fallback})"
    )
    if distances_km:
        _histogram(console, "distance from the member to the job", _by_distance(distances_km))
    if per_member:
        _histogram(console, "jobs per member", _by_load(list(per_member.values())))
    await _why(dispatcher, console, unassigned)


async def _why(dispatcher: Dispatcher, console: Console, unassigned: list[int]) -> None:
    if not unassigned:
        return
    step = max(1, len(unassigned) // EXPLAINED)
    asked = unassigned[::step][:EXPLAINED]
    in_the_way: Counter[str] = Counter()
    for reasons in (await dispatcher.reasons_of(asked)).values():
        in_the_way.update({code: reason.count for code, reason in reasons.items()})
    members = sum(in_the_way.values())
    rows = [(code, count) for code, count in in_the_way.most_common()]
    console.print(
        f"\nwhy nobody could take the others (as the routes stand now, {len(asked):,} jobs asked, all members of each)"
    )
    for code, count in rows:
        console.print(f"  {code:<20} {_bar(count, max(c for _, c in rows))} {100 * count / members:5.1f} %")


def _by_distance(distances_km: list[float]) -> list[tuple[str, int]]:
    rows = []
    low = 0.0
    for high in (*DISTANCE_STEPS_KM, float("inf")):
        label = f"{low:g}-{high:g} km" if high != float("inf") else f"over {low:g} km"
        rows.append((label, sum(low <= km < high for km in distances_km)))
        low = high
    return rows


def _by_load(loads: list[int]) -> list[tuple[str, int]]:
    top = max(loads)
    width = max(1, -(-top // 8))
    return [
        (f"{low}-{low + width - 1}" if width > 1 else str(low), sum(low <= load < low + width for load in loads))
        for low in range(1, top + 1, width)
    ]


def _histogram(console: Console, title: str, rows: list[tuple[str, int]]) -> None:
    console.print(f"\n{title}")
    top = max(count for _, count in rows)
    for label, count in rows:
        console.print(f"  {label:<12} {_bar(count, top)} {count:,}")


def _bar(count: int, top: int) -> str:
    return "█" * round(BAR_CELLS * count / top) if top else ""
