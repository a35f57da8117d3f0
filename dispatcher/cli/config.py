"""`dispatcher config check | show`: are the settings good, what are they, where does each come from?"""

from __future__ import annotations

from typing import Any

import click

from dispatcher.cli.exits import plain_errors
from dispatcher.cli.options import setting_options, settings_from


@click.group()
def config() -> None:
    """Check and show the settings."""


@config.command()
@setting_options
@plain_errors
def check(**options: Any) -> None:
    """Say whether the settings can be used; exit status 2 when not."""
    settings = settings_from(options)
    click.echo(f"the settings are good: account {settings.account} at {settings.base_url}, spool {settings.spool}")
    if not settings.api_key:
        click.echo("note: no api_key is set; sending needs one (DISPATCHER_API_KEY or api_key_file)")
    if not settings.limits:
        click.echo("note: no limits are set; the server's 429 and the adaptive concurrency are the only brakes")


@config.command()
@click.option("--origin", is_flag=True, help="Also say where each value comes from.")
@setting_options
@plain_errors
def show(*, origin: bool, **options: Any) -> None:
    """Print every setting; secrets are never printed."""
    settings = settings_from(options)
    for name, value, source in settings.rows():
        click.echo(f"{name} = {value}" + (f"    # {source}" if origin else ""))
