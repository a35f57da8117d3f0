"""The chaos report: what was done, what was acknowledged meanwhile, and what the server said afterwards."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.campaign import (
    CAP,
    CLIENTS,
    JOBS_A_DAY,
    LEASE_S,
    LIMITS,
    MEMBERS,
    NAMES,
    Outcome,
)
from tests.chaos.storm import KINDS, Blow
from tests.crash.campaign import FAULTS

REPORT = Path(__file__).parents[2] / "docs" / "chaos-report.md"
CALM = "nothing of this"


def write_report(outcomes: Sequence[Outcome]) -> None:
    """Write `docs/chaos-report.md`."""
    REPORT.write_text(text_of(outcomes), encoding="utf-8")


def text_of(outcomes: Sequence[Outcome]) -> str:
    """The report as Markdown."""
    seconds, seed = outcomes[0].seconds, outcomes[0].seed
    rows = [
        ("policy", [f"`{one.policy}`" for one in outcomes]),
        ("seconds of storm", [f"{one.blows[-1].ended - one.began:.0f}" for one in outcomes]),
        *((f"{what}", [str(count(one, kind)) for one in outcomes]) for kind, what in KINDS.items()),
        ("acknowledged jobs", [str(one.acknowledged) for one in outcomes]),
        ("**lost**", [str(len(one.lost)) for one in outcomes]),
        ("**created twice**", [str(len(one.doubled)) for one in outcomes]),
        ("**keys in two requests at once**", [stat(one, "overlaps", "late_overlaps") for one in outcomes]),
        ("**keys sent again after they had taken effect**", [stat(one, "repeats", "updates") for one in outcomes]),
        ("**requests above a limit**", [str(sum(one.over.values())) for one in outcomes]),
        ("most requests in a window, as seen", [peaks(one) for one in outcomes]),
        ("jobs that the engine gave to a member", [str(one.booked) for one in outcomes]),
        ("**members with more jobs than fit**", [str(len(one.overbooked)) for one in outcomes]),
        ("**problems that `spool check` finds**", [str(len(one.problems)) for one in outcomes]),
        ("requests at the server", [str(len(one.seen.arrivals)) for one in outcomes]),
        ("answered with a fault", [str(sum(one.seen.stats["faults"].values())) for one in outcomes]),
        ("longest time without an acknowledgement", [f"{silence(one):.1f} s" for one in outcomes]),
        ("until all was at the server, after the storm", [f"{one.settled_s:.1f} s" for one in outcomes]),
        ("the server's own loop was late, at most", [f"{lateness(one) * 1000:.0f} ms" for one in outcomes]),
    ]
    table = "\n".join(f"| {label} | {' | '.join(cells)} |" for label, cells in rows)
    return f"""# Chaos report

{len(NAMES)} daemons on one PostgreSQL, {CLIENTS} clients that hand in jobs to any of them until one has acknowledged,
a hostile server, and a storm: several things at a time are done to daemons and database. When it was over, everything
that had been acknowledged had to be at the server once.

| |{" |" * len(outcomes)}
|---|{"---|" * len(outcomes)}
{table}

Python {platform.python_version()}, {platform.system()}, {os.cpu_count()} cores for all of it. The command:
`.venv/bin/python -m pytest tests/chaos --storm {seconds:.0f} --storm-seed {seed}`. The seed fixes faults, blows and
their times; what is under way when they come is left to the machine.

## What was acknowledged meanwhile

Jobs a second over all clients, while something was being done (several things can be, so the rows overlap). A request
counts as turned away when a daemon was not there, answered 503 or not within two seconds; the client then asks
another one.

{meanwhile(outcomes)}

## How

- Two hands choose a daemon each and kill it or stop it, with at most two seconds of rest; so two of three may be gone
  at once. A third one restarts the database, killed without a checkpoint and away for up to six seconds, or cuts all
  its connections. A daemon that cannot start because the database is away is started again, as a service manager does.
- The lease is {LEASE_S:g} s, so that it runs out often. The limits are `{LIMITS}`, in every daemon and at the server.
  They are counted at the server over all requests; one that the server's loop has seen late counts from when it may
  have come.
- With the engine: {MEMBERS} members, each with at most {CAP} jobs a day. After {JOBS_A_DAY} jobs they are for the next
  day, so that every day fills up; what no member can take is sent unassigned. A second leader, or one that does not
  know of everything that was decided, gives a member more than {CAP}.
- The server draws these faults, for look-ups too: `{FAULTS}`,
  and one request in a hundred is answered by 429 with `Retry-After`.
- PostgreSQL runs without `fsync`: what a killed server has handed to the kernel survives. For the loss of power the
  project relies on PostgreSQL's own.
"""


def count(outcome: Outcome, kind: str) -> int:
    """How often it was done."""
    return sum(blow.kind == kind for blow in outcome.blows)


def stat(outcome: Outcome, *names: str) -> str:
    """Sum of counters of the server."""
    return str(sum(outcome.seen.stats[name] for name in names))


def peaks(outcome: Outcome) -> str:
    return ", ".join(f"{most} of {limit}" for limit, most in outcome.peaks.items())


def lateness(outcome: Outcome) -> float:
    """Seconds by which the server's loop came round late at most."""
    return max((late for _, late in outcome.seen.late), default=0.0)


def silence(outcome: Outcome) -> float:
    """The longest time within the storm without an acknowledgement, in seconds."""
    end = max(blow.ended for blow in outcome.blows)
    times = sorted({time for one in outcome.handed for time in one.acknowledged.values() if time < end})
    return max(later - earlier for earlier, later in zip([outcome.began, *times], [*times, end], strict=True))


def meanwhile(outcomes: Sequence[Outcome]) -> str:
    """Acknowledged and turned away, by what was being done."""
    lines = [
        "| while | " + " | ".join(f"`{one.policy}`: seconds | jobs/s | turned away" for one in outcomes) + " |",
        "|---|" + "---|" * 3 * len(outcomes),
    ]
    for kind, what in ({kind: what for kind, what in KINDS.items() if kind != "cut"} | {CALM: CALM}).items():
        cells = []
        for one in outcomes:
            spans = merged([blow for blow in one.blows if kind in {CALM, blow.kind}])
            if kind == CALM:
                spans = between(spans, one.began)
            seconds = sum(end - begin for begin, end in spans)
            jobs = within(spans, [time for handed in one.handed for time in handed.acknowledged.values()])
            away = within(spans, [time for handed in one.handed for time in handed.refused])
            cells.append(f"{seconds:.0f} | {jobs / seconds if seconds else 0:.0f} | {away}")
        lines.append(f"| {what} | {' | '.join(cells)} |")
    return "\n".join(lines)


def merged(blows: Sequence[Blow]) -> list[tuple[float, float]]:
    """Times in which at least one of them was under way."""
    spans: list[tuple[float, float]] = []
    for blow in sorted(blows, key=lambda one: one.began):
        if spans and blow.began <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], blow.ended))
        else:
            spans.append((blow.began, blow.ended))
    return spans


def between(spans: Sequence[tuple[float, float]], began: float) -> list[tuple[float, float]]:
    """The times between these, from `began` on."""
    ends = [began, *(end for _, end in spans)]
    return [(end, begin) for end, (begin, _) in zip(ends, spans, strict=False) if begin > end]


def within(spans: Sequence[tuple[float, float]], times: Sequence[float]) -> int:
    """How many of the times lie in the spans."""
    return sum(any(begin <= time <= end for begin, end in spans) for time in times)
