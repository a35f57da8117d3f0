"""Progress of `submit`: a live bar on a terminal, plain lines elsewhere, nothing with `--json`."""

from __future__ import annotations

import sys
import time
from collections import deque
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from dispatcher.cli.exits import say
from dispatcher.cli.tally import FileTally
from dispatcher.model.state import State
from dispatcher.pipeline import RESTING, PipelineStatus

LINE_EVERY_S = 5.0
RATE_OVER_S = 5.0
BAR_CELLS = 40


class Progress(Protocol):
    """Where progress is shown."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def note(self, text: str) -> None:
        """A line that stays."""
        ...

    def show(self, tally: FileTally, status: PipelineStatus) -> None:
        """The state of things, a few times a second."""
        ...


def progress_for(*, quiet: bool) -> Progress:
    """The right one for where standard error goes."""
    if quiet:
        return Silent()
    return Bar() if sys.stderr.isatty() else Lines()


class Rate:
    """Confirmed jobs a second over the last seconds."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, int]] = deque()

    def at(self, now: float, confirmed: int) -> float:
        self._points.append((now, confirmed))
        while len(self._points) > 2 and now - self._points[0][0] > RATE_OVER_S:
            self._points.popleft()
        since, count = self._points[0]
        return (confirmed - count) / (now - since) if now > since else 0.0


class Silent:
    """Notes only, on standard error."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def note(self, text: str) -> None:
        say(text)

    def show(self, tally: FileTally, status: PipelineStatus) -> None:
        pass


class Lines(Silent):
    """One line every few seconds, for logs."""

    def __init__(self) -> None:
        self._rate = Rate()
        self._last = 0.0

    def show(self, tally: FileTally, status: PipelineStatus) -> None:
        now = time.monotonic()
        rate = self._rate.at(now, tally.counts[State.CONFIRMED])
        if now - self._last >= LINE_EVERY_S:
            self._last = now
            say(_line(tally, status, rate))


class Bar(Silent):
    """A live bar with the counts beneath."""

    def __init__(self) -> None:
        self._rate = Rate()
        self._live = Live(console=Console(stderr=True), refresh_per_second=8, transient=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def note(self, text: str) -> None:
        self._live.console.print(text, highlight=False)

    def show(self, tally: FileTally, status: PipelineStatus) -> None:
        rate = self._rate.at(time.monotonic(), tally.counts[State.CONFIRMED])
        through = sum(tally.counts[state] for state in RESTING)
        filled = round(BAR_CELLS * through / tally.accepted) if tally.accepted else 0
        grid = Table.grid(padding=(0, 1))
        bar = Text("━" * filled, style="green") + Text("━" * (BAR_CELLS - filled), style="bright_black")
        grid.add_row(bar, Text(f"{through:,} of {tally.accepted:,}"))
        self._live.update(_rows(grid, Text(_line(tally, status, rate), style="dim")))


def _rows(*rows: Table | Text) -> Table:
    table = Table.grid()
    for row in rows:
        table.add_row(row)
    return table


def _line(tally: FileTally, status: PipelineStatus, rate: float) -> str:
    moved = max(0, tally.accepted - status.counts[State.ACCEPTED])
    parts = [
        f"accepted {tally.accepted:,}",
        f"assigned {moved:,}",
        f"confirmed {tally.counts[State.CONFIRMED]:,}",
        f"{rate:,.0f}/s",
        f"{status.in_flight} in flight",
    ]
    parts += [
        f"{state.value} {count:,}"
        for state in (State.UNKNOWN, State.HELD, State.REJECTED, State.DEAD)
        if (count := status.counts[state] if state is State.UNKNOWN else tally.counts[state])
    ]
    if status.waiting_for and status.waiting_for != "concurrency":
        parts.append(f"waiting: {status.waiting_for}")
    if status.fleet:
        parts.append(status.fleet)
    return " · ".join(parts)
