"""`dispatcher sandbox`: a local Hellotracks to develop and test against."""

from __future__ import annotations

from typing import Any

import click

from dispatcher.cli.exits import plain_errors
from dispatcher.errors import ConfigError


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=9000, show_default=True, help="TCP port; 0 takes a free one."
)
@click.option("--api-key", metavar="KEY", help="The key clients must send (default: any).")
@click.option("--members", metavar="FILE", help="A getaccounts reply (default: a made-up fleet).")
@click.option("--company", metavar="FILE", help="A getcompany reply.")
@click.option("--jobs", metavar="FILE", help="A getjobs reply with jobs to start with.")
@click.option("--fleet-size", type=click.IntRange(0), default=50, show_default=True, help="Members of a made-up fleet.")
@click.option("--city", default="", help="Cities of a made-up fleet, comma-separated, or `all`.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the fleet, the ids and the faults.")
@click.option(
    "--limits", default="", metavar="LIMITS", help='Rate limits per key, such as "10/s, 300/min"; answered by 429.'
)
@click.option(
    "--latency", default="0", metavar="SECONDS[~JITTER]", help="Every reply waits so long, such as 0.05 or 0.05~0.02."
)
@click.option("--faults", default="", metavar="FAULTS", help='Such as "429:0.05,500-after:0.03" or "all:0.3".')
@click.option(
    "--slow",
    "slow_s",
    type=click.FloatRange(0),
    default=15.0,
    show_default=True,
    help="Seconds of the faults slow and slow-before.",
)
@click.option(
    "--max-batch-jobs", type=click.IntRange(0), default=0, help="413 above so many jobs a request; 0: no limit."
)
@click.option("--max-body-bytes", type=click.IntRange(0), default=0, help="413 above so many bytes; 0: no limit.")
@click.option("--hook-url", default="", metavar="URL", help="Post what happens to jobs there, as webhooks do.")
@click.option("--hook-key", default="", metavar="KEY", help="What each webhook shows in the header Authorization.")
@plain_errors
def sandbox(*, members: str | None, company: str | None, jobs: str | None, latency: str, **options: Any) -> None:
    """Serve the Hellotracks API from memory, with faults on request.

    Serves /api/createjobs, getjobs, getaccounts, getcompany, editjobs, deletejobs, autoassign and /v1/jobs; what it
    counted is at /sandbox/stats. Everything is forgotten when it ends.
    """
    from dispatcher.intake import load_company, load_members, load_routes  # noqa: PLC0415 - help stays fast
    from dispatcher.sandbox import SandboxSettings, run_sandbox  # noqa: PLC0415

    base, _, jitter = latency.partition("~")
    try:
        settings = SandboxSettings(
            members=load_members(members) if members else None,
            company=load_company(company) if company else None,
            jobs=load_routes(jobs) if jobs else (),
            latency_s=float(base),
            latency_jitter_s=float(jitter or 0),
            **options,
        )
    except ValueError as error:
        raise ConfigError(f"sandbox: {error}") from None
    try:
        run_sandbox(settings, on_ready=lambda url: click.echo(f"sandbox ready at {url}"))
    except OSError as error:
        raise ConfigError(f"sandbox: cannot listen on {settings.host}:{settings.port}: {error.strerror}") from None
