"""A look at a daemon for a person: blocks on a terminal, one line for each account elsewhere."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from dispatcher.cli.reading import Reading, version
from dispatcher.cli.scrape import Scrape

SPARKS = "▁▂▃▄▅▆▇█"
HISTORY = 48
"""Looks that the little curve shows."""
STYLES = {
    "accepted": "cyan", "assigned": "cyan", "sending": "blue", "unknown": "yellow", "held": "magenta",
    "confirmed": "green", "rejected": "red", "dead": "red",
}  # fmt: skip

Curves = Mapping[str, deque[float]]


def view(
    base: str, now: Scrape | None, found: Sequence[Reading], *, curves: Curves, away: str, at: float
) -> RenderableType:
    """The whole screen.

    Args:
        base: the daemon's address.
        now: the last look that was answered, None before the first.
        found: what it said, of the accounts to show.
        curves: confirmed jobs per second over the last looks, by account.
        away: why the daemon does not answer now, "" when it does.
        at: Unix seconds.
    """
    parts: list[RenderableType] = [_head(base, now, away, at)]
    for reading in found:
        parts += [Rule(style="bright_black"), _block(reading, curves.get(reading.account, ()), faded=bool(away))]
    return Group(*parts)


def line(reading: Reading, at: float) -> str:
    """One account as one line, for logs."""
    jobs = " ".join(f"{state} {count}" for state, count in reading.jobs.items() if count or state == "confirmed")
    parts = [
        f"{datetime.fromtimestamp(at).astimezone():%H:%M:%S} {reading.account}: "
        + ("ready" if reading.ready else f"not ready ({reading.reason or 'no reason given'})"),
        jobs,
        f"in {_rate(reading.accepted_per_s)} out {_rate(reading.confirmed_per_s)}",
        f"in flight {reading.in_flight} of {reading.limit}",
        f"429s {reading.throttled}",
    ]
    parts += [f"waits for {reading.waiting_for}"] if reading.waiting_for else []
    parts += [f"oldest {span(reading.oldest_s)}"] if reading.oldest_s is not None else []
    parts += [f"fleet {_fleet(reading)}"] if reading.fleet else []
    return " · ".join(parts)


def _head(base: str, now: Scrape | None, away: str, at: float) -> RenderableType:
    grid = Table.grid(expand=True)
    grid.add_column()
    grid.add_column(justify="right")
    name = Text().append("dispatcher", style="bold")
    if now is not None and version(now):
        name.append(f" {version(now)}", style="dim")
    name.append(f"  {base}", style="dim")
    grid.add_row(name, Text(f"{datetime.fromtimestamp(at).astimezone():%H:%M:%S}", style="dim"))
    if not away:
        return grid
    gone = f"away for {span(at - now.at)}: " if now is not None else ""
    return Group(grid, Text(f"{gone}{away}", style="bold red"), Text("the last known state:", style="dim"))


def _block(reading: Reading, curve: Sequence[float], *, faded: bool) -> RenderableType:
    title = Text().append("● ", style="green" if reading.ready and not faded else "red")
    title.append(reading.account, style="bold")
    title.append("  was " if faded else "  ", style="dim")
    title.append("ready" if reading.ready else f"not ready: {reading.reason or 'no reason given'}", style="dim")
    jobs = Table.grid(padding=(0, 2), expand=False)
    for _ in reading.jobs:
        jobs.add_column(justify="right")
    jobs.add_row(*(Text(state, style="dim") for state in reading.jobs))
    jobs.add_row(
        *(Text(f"{count:,}", style=STYLES.get(state, "") if count else "dim") for state, count in reading.jobs.items())
    )
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column()
    facts.add_row(
        "rates", Text(f"in {_rate(reading.accepted_per_s)}   out {_rate(reading.confirmed_per_s)}   {sparks(curve)}")
    )
    facts.add_row("requests", Text(_requests(reading)))
    facts.add_row("waits for", Text(reading.waiting_for or "nothing", style="yellow" if reading.waiting_for else ""))
    facts.add_row("429s", Text(_throttled(reading), style="yellow" if reading.throttled_per_s else ""))
    oldest = "all are through" if reading.oldest_s is None else f"{span(reading.oldest_s)} old"
    facts.add_row("oldest job", Text(oldest))
    if reading.fleet is not None:
        facts.add_row("fleet", Text(_fleet(reading), style="" if reading.fleet.usable else "yellow"))
    return Padding(Group(title, Padding(jobs, (0, 0, 1, 2)), Padding(facts, (0, 0, 0, 2))), (0, 0, 1, 0))


def sparks(values: Sequence[float]) -> str:
    """Values as a little curve from zero to the highest of them."""
    top = max(values, default=0.0)
    if top <= 0:
        return ""
    return "".join(SPARKS[min(len(SPARKS) - 1, int(value / top * len(SPARKS)))] for value in values)


def span(seconds: float | None) -> str:
    """Seconds as a length of time: 0.4 s, 12 s, 3 min 20 s, 2 h 5 min, 3 days."""
    if seconds is None:
        return "–"
    whole = round(seconds)
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f} s"
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 2 * 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} days"


def _requests(reading: Reading) -> str:
    most = f", at most {reading.most}" if reading.most is not None else ""
    words = [f"{reading.in_flight} under way of {reading.limit}{most}"]
    if reading.batch_jobs is not None:
        words.append(f"{reading.batch_jobs:,.0f} jobs each")
    if reading.round_trip_s is not None:
        words.append(f"{reading.round_trip_s * 1000:,.0f} ms there and back")
    return ", ".join(words)


def _throttled(reading: Reading) -> str:
    rate = f", {_rate(reading.throttled_per_s)} now" if reading.throttled_per_s else ""
    return f"{reading.throttled:,} since the start{rate}"


def _fleet(reading: Reading) -> str:
    fleet = reading.fleet
    if fleet is None or fleet.age_s is None:
        return "not read yet"
    words = f"{fleet.members:,} members, read {span(fleet.age_s)} ago"
    return words if fleet.usable else f"{words}: too old, the fallback decides"


def _rate(value: float | None) -> str:
    if value is None:
        return "–/s"
    return f"{value:.1f}/s" if 0 < value < 9.95 else f"{value:,.0f}/s"
