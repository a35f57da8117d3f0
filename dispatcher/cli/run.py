"""`dispatcher run`: the daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from dispatcher.cli.exits import plain_errors
from dispatcher.cli.memory import one_arena
from dispatcher.cli.options import setting_options, source_from

if TYPE_CHECKING:
    from dispatcher.daemon.logs import LogFormat


@click.command()
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Of the log on standard error.",
)
@setting_options
@plain_errors
def run(*, log_format: LogFormat, **options: Any) -> None:
    """Serve Hellotracks' createjobs: take jobs in durably, assign and send them; until SIGTERM or SIGINT.

    With tables [accounts.NAME] in the configuration file it serves all of them; --account picks one. SIGHUP reads the
    configuration anew.

    An integration changes its base URL to the address of `--listen` and nothing else. GET /jobs/KEY says where a job
    is; /livez, /readyz and /metrics are for those who watch.

    Exit status: 0 ended in order, 1 ended by a second signal, 2 bad use, or a spool or address that cannot be used.
    """
    read = source_from(options)
    from dispatcher.daemon import run_daemon  # noqa: PLC0415 - help stays fast
    from dispatcher.daemon.logs import log_to_stderr  # noqa: PLC0415

    one_arena()
    log_to_stderr(log_format)
    run_daemon(read, on_ready=_say_ready)


def _say_ready(url: str, recovered: int) -> None:
    jobs = "1 job" if recovered == 1 else f"{recovered} jobs"
    click.echo(f"dispatcher ready at {url}, {jobs} of an earlier run are looked up first")
