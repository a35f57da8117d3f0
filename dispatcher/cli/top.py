"""`dispatcher top`: a running daemon on one screen, from its `/metrics` and `/readyz`."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from dispatcher.cli.exits import NOT_ALL, OK, plain_errors
from dispatcher.errors import ConfigError

if TYPE_CHECKING:
    from dispatcher.cli.reading import Reading
    from dispatcher.cli.scrape import Scrape


@click.command()
@click.option("--url", default="http://127.0.0.1:8080", show_default=True, help="The daemon's address.")
@click.option("--account", metavar="NAME", help="Only this account.")
@click.option(
    "--every",
    type=click.FloatRange(0.1, 3600),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="Between two looks.",
)
@click.option("--once", is_flag=True, help="Look twice, --every apart, so that there are rates; print that and end.")
@click.option("--json", "as_json", is_flag=True, help="JSON, one document a line.")
@plain_errors
def top(*, url: str, account: str | None, every: float, once: bool, as_json: bool) -> None:
    """Watch a running daemon: jobs by state, rates, limits, what work waits for, the fleet. Needs no key.

    On a terminal it redraws one screen until Ctrl-C or SIGTERM; elsewhere it prints one line for each account and look.

    Exit status: 0; 1 with --once when an account is not ready; 2 when there is no daemon at the address.
    """
    from dispatcher.cli.scrape import base_of  # noqa: PLC0415 - help stays fast

    watch = Watch(base_of(url), account)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does, with the terminal as it was
    with contextlib.suppress(KeyboardInterrupt):
        watch.look()
        if watch.away:
            raise ConfigError(watch.away)
        if once:
            time.sleep(every)
            watch.look()
            _print(watch, as_json=as_json)
            sys.exit(OK if watch.well else NOT_ALL)
        if sys.stdout.isatty() and not as_json:
            _live(watch, every)
        for _ in _looks(watch, every):
            _print(watch, as_json=as_json)


class Watch:
    """A daemon looked at again and again.

    Args:
        base: its address.
        account: the only one to show, None for all.

    Attributes:
        last: the last look that was answered.
        found: what it said of the accounts to show.
        away: why the last look was not answered, "" when it was.
        curves: confirmed jobs per second over the last looks, by account.
    """

    def __init__(self, base: str, account: str | None, *, clock: Callable[[], float] = time.time) -> None:
        self.base = base
        self._account = account
        self._clock = clock
        self.last: Scrape | None = None
        self.found: list[Reading] = []
        self.away = ""
        self.curves: dict[str, deque[float]] = {}

    @property
    def at(self) -> float:
        """Unix seconds."""
        return self._clock()

    @property
    def well(self) -> bool:
        """The daemon answers, and all the accounts shown are ready."""
        return not self.away and all(reading.ready for reading in self.found)

    def look(self) -> None:
        """Look once more.

        Raises:
            ConfigError: somebody else answers at the address, or there is no such account, at the first look.
        """
        from dispatcher.cli.reading import readings  # noqa: PLC0415 - help stays fast
        from dispatcher.cli.scrape import DaemonAway, scrape  # noqa: PLC0415
        from dispatcher.cli.screen import HISTORY  # noqa: PLC0415

        try:
            now = scrape(self.base, at=self.at, monotonic=time.monotonic())
            self._check_account(now)
        except DaemonAway as error:
            self.away = str(error)
            return
        except ConfigError as error:
            if self.last is None:
                raise
            self.away = str(error)
            return
        self.found = [one for one in readings(now, self.last) if self._account in {None, one.account}]
        self.last, self.away = now, ""
        for one in self.found:
            if one.confirmed_per_s is not None:
                self.curves.setdefault(one.account, deque(maxlen=HISTORY)).append(one.confirmed_per_s)

    def _check_account(self, now: Scrape) -> None:
        if self._account is not None and self._account not in now.accounts:
            raise ConfigError(f"--account {self._account}: the daemon has {', '.join(now.accounts) or 'none'}")


def _looks(watch: Watch, every: float) -> Iterator[None]:
    """After each look; the first one was made already."""
    while True:
        yield
        time.sleep(every)
        watch.look()


def _live(watch: Watch, every: float) -> None:
    from rich.live import Live  # noqa: PLC0415 - help stays fast

    from dispatcher.cli.screen import view  # noqa: PLC0415

    with Live(screen=True, auto_refresh=False) as live:
        for _ in _looks(watch, every):
            picture = view(watch.base, watch.last, watch.found, curves=watch.curves, away=watch.away, at=watch.at)
            live.update(picture, refresh=True)


def _print(watch: Watch, *, as_json: bool) -> None:
    import orjson  # noqa: PLC0415 - help stays fast

    from dispatcher.cli.reading import document  # noqa: PLC0415
    from dispatcher.cli.screen import line  # noqa: PLC0415

    if watch.away or watch.last is None:
        away = {"url": watch.base, "at": watch.at, "up": False, "reason": watch.away}
        text = orjson.dumps(away).decode() if as_json else f"away: {watch.away}"
        click.echo(text)
        return
    if as_json:
        click.echo(orjson.dumps(document(watch.base, watch.last, watch.found)))
        return
    for reading in watch.found:
        click.echo(line(reading, watch.last.at))
