"""The crash report: what was killed where, and what the server said afterwards."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path

from dispatcher.model.points import MEANING
from tests.crash.campaign import FAULTS, SETTINGS, Outcome
from tests.crash.deaths import RANDOM_MOMENT, Deaths

REPORT = Path(__file__).parents[2] / "docs" / "crash-report.md"


def write_report(deaths: Deaths, outcomes: Sequence[Outcome], *, seed: int, seconds: float) -> None:
    """Write `docs/crash-report.md`."""
    REPORT.write_text(text_of(deaths, outcomes, seed=seed, seconds=seconds), encoding="utf-8")


def text_of(deaths: Deaths, outcomes: Sequence[Outcome], *, seed: int, seconds: float) -> str:
    """The report as Markdown."""
    kills = deaths.came.total()
    points = "\n".join(f"| `{point}` | {meaning} | {deaths.came[point]} |" for point, meaning in MEANING.items())
    timeout, grace = SETTINGS["request_timeout_s"], SETTINGS["unknown_grace_s"]
    return f"""# Crash report

{kills} processes were killed with SIGKILL while they delivered jobs to a hostile server, one after the other on the
same spool. Then one more process ran to its end, and the server was asked what it has.

| | |
|---|---|
| processes killed | {kills} |
| acknowledged jobs | {sum(outcome.jobs for outcome in outcomes)} |
| lost | {sum(len(outcome.lost) for outcome in outcomes)} |
| created twice | {sum(len(outcome.doubled) for outcome in outcomes)} |
| keys under way twice at once | {sum(outcome.overlaps for outcome in outcomes)} |
| keys sent again after they had taken effect | {sum(outcome.repeats for outcome in outcomes)} |
| createjobs requests at the server | {sum(outcome.requests for outcome in outcomes)} |
| look-ups at the server | {sum(outcome.look_ups for outcome in outcomes)} |
| spools | {len(outcomes)} |
| duration | {seconds:.0f} s |
| seed | {seed} |
| Python, system, cores | {platform.python_version()}, {platform.system()}, {os.cpu_count()} |

The command: `.venv/bin/python -m pytest tests/crash --kills {deaths.wanted} --crash-seed {seed}`. The seed fixes the
jobs and the draw of faults and deaths; four spools are at work at once, so which process meets which death, and what is
under way then, is left to the machine.

## How

- Half of the spools belong to `dispatcher submit FILE --json`, killed and started again with a file that has grown:
  every job of the file must be at the server once. The other half belong to a program that embeds `Dispatcher`,
  prints each key once its acceptance has returned, and never submits a job a second time: every printed key must be
  there once.
- A process kills itself the moment it passes a named point for the first, second or third time, some of them a few
  milliseconds later, while the request is under way. The others are killed from outside at a random moment, some of
  them before they have opened the spool.
- The server draws these faults, for look-ups too: `{FAULTS}`.
  One job in a hundred is refused, without a word which one of the request it is.
- The time-out is {timeout} s and the grace {grace} s, so that one life is short; a slow server is late by more than the
  first and less than both. SQLite, WAL, `synchronous=FULL`. A killed process is not a power failure: what SQLite has
  handed to the kernel survives it. For the loss of power the project relies on SQLite's own `fsync`.
- Other than in ordinary life: retries wait half a second at most, and a job may be attempted a thousand times, because
  a death between the write of an attempt and its request uses one up. One process in twenty-five lets the engine choose
  the members; the others send jobs as they are.

## Where they died

| point | what lies behind it | killed |
|---|---|---|
{points}
| {RANDOM_MOMENT} | | {deaths.came[RANDOM_MOMENT]} |
"""
