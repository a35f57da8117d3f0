"""What a daemon tells the others on its database of itself: a small JSON object, asked for once a second.

    {"accepted_per_s": 12.0, "confirmed_per_s": 11.4, "in_flight": 2, "stands": ["acme"], "more": 0,
     "accounts": {"acme": {"accepted_per_s": 12.0, "confirmed_per_s": 11.4, "in_flight": 2, "waits_for": "limit",
                           "problem": ""}}}

Rates are those of the last seconds. It stands in the node's row, which every write of the node copies; so of the
accounts only the busiest and those with a problem are in it, and `more` says how many are not.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from dispatcher.daemon.desk import Desk
from dispatcher.model.state import State
from dispatcher.spool.roster import STANDING

WINDOW_S = 5.0
"""Rates are those of so long: long enough to be calm, short enough to be of now."""
MOST_ACCOUNTS = 8
MOST_STANDING = 100
"""Names of accounts that it would assign for; who has more need not be told of the others."""
MOST_LETTERS = 100
"""Of a problem."""


class Rate:
    """How fast a counter has risen in the last seconds."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def at(self, now: float, total: int) -> float:
        """One more look at the counter; its rise per second. `now` in seconds."""
        seen = self._seen
        seen.append((now, total))
        while len(seen) > 2 and seen[1][0] <= now - WINDOW_S:
            seen.popleft()
        since_s = now - seen[0][0]
        return (total - seen[0][1]) / since_s if since_s > 0 else 0.0


class Report:
    """Called at every beat.

    Args:
        desks: the open accounts by name, as they are at the moment.
        clock: seconds that never step back.
    """

    def __init__(self, desks: Mapping[str, Desk], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._desks = desks
        self._clock = clock
        self._rates: dict[str, tuple[Desk, Rate, Rate]] = {}

    def __call__(self) -> str:
        """The report as JSON."""
        now = self._clock()
        desks = {name: desk for name, desk in self._desks.items() if not desk.stopping}
        lines = {name: self._line(name, desk, now) for name, desk in desks.items()}
        self._rates = {name: kept for name, kept in self._rates.items() if name in desks}
        shown = sorted(lines, key=lambda name: (not lines[name]["problem"], -_busy(lines[name]), name))[:MOST_ACCOUNTS]
        report: dict[str, Any] = {
            total: round(sum(line[total] for line in lines.values()), 1)
            for total in ("accepted_per_s", "confirmed_per_s", "in_flight")
        }
        report |= {
            STANDING: [name for name, desk in desks.items() if desk.settings.policy != "none"][:MOST_STANDING],
            "accounts": {name: lines[name] for name in shown},
            "more": len(lines) - len(shown),
        }
        return orjson.dumps(report).decode()

    def _line(self, name: str, desk: Desk, now: float) -> dict[str, Any]:
        kept = self._rates.get(name)
        if kept is None or kept[0] is not desk:  # an account of that name that was opened anew counts from the start
            kept = self._rates[name] = (desk, Rate(), Rate())
        pipeline = desk.dispatcher.pipeline
        gate = pipeline.turnstile.gate.snapshot(pipeline.clock.monotonic())
        return {
            "accepted_per_s": round(kept[1].at(now, desk.tally.jobs), 1),
            "confirmed_per_s": round(kept[2].at(now, pipeline.journal.moved[State.CONFIRMED]), 1),
            "in_flight": gate.in_flight,
            "waits_for": gate.why,
            "problem": desk.problem[:MOST_LETTERS],
        }


def _busy(line: Mapping[str, Any]) -> float:
    return float(line["accepted_per_s"] + line["confirmed_per_s"] + line["in_flight"])
