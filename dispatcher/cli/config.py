"""`dispatcher config check | show`: are the settings good, what are they, where does each come from?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from dispatcher.cli.exits import plain_errors
from dispatcher.cli.options import configuration_from, setting_options
from dispatcher.errors import ConfigError

if TYPE_CHECKING:
    from dispatcher.settings import Configuration, Settings

json_flag = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.group()
def config() -> None:
    """Check and show the settings, of all accounts or of the one that --account picks."""


@config.command()
@json_flag
@setting_options
@plain_errors
def check(*, as_json: bool, **options: Any) -> None:
    """Say whether the settings can be used; exit status 2 when not."""
    configuration = configuration_from(options)
    for settings in configuration.accounts.values():
        if settings.policy != "none":
            settings.engine()
    accounts = configuration.accounts
    notes = {name: _notes(settings) for name, settings in accounts.items()}
    daemon = _daemon_problem(configuration)
    spool = configuration.process.spool
    if as_json:
        _print_json(
            {
                "spool": spool,
                "accounts": {
                    name: {"base_url": settings.base_url, "notes": notes[name]} for name, settings in accounts.items()
                },
                "daemon": daemon,
            }
        )
        return
    for name, settings in accounts.items():
        click.echo(f"the settings are good: account {name} at {settings.base_url}, spool {spool}")
        for note in notes[name]:
            click.echo(f"note: {note}" if len(accounts) == 1 else f"note: account {name}: {note}")
    if daemon:
        click.echo(f"note: dispatcher run would not start: {daemon}")


@config.command()
@click.option("--origin", is_flag=True, help="Also say where each value comes from.")
@json_flag
@setting_options
@plain_errors
def show(*, origin: bool, as_json: bool, **options: Any) -> None:
    """Print every setting; secrets are never printed.

    With several accounts: the settings of the process first, then each account's.
    """
    configuration = configuration_from(options)
    if as_json:
        _print_json(_document(configuration, origin=origin))
        return
    if len(configuration.accounts) == 1:
        _print_rows(configuration.only.rows(), origin=origin)
        return
    own = _names("process")
    _print_rows([row for row in configuration.process.rows() if row[0] in own], origin=origin)
    for name, settings in configuration.accounts.items():
        click.echo(f"\n[accounts.{name}]")
        _print_rows([row for row in settings.rows() if row[0] not in own], origin=origin)


def _notes(settings: Settings) -> list[str]:
    notes = []
    if not settings.api_key:
        notes.append("no api_key is set; sending needs one (DISPATCHER_API_KEY or api_key_file)")
    if not settings.limits:
        notes.append("no limits are set; the server's 429 and the adaptive concurrency are the only brakes")
    return notes


def _daemon_problem(configuration: Configuration) -> str:
    """Why the daemon could not start with these settings, "" when it can."""
    from dispatcher.daemon.address import listening_address  # noqa: PLC0415 - help stays fast
    from dispatcher.daemon.passes import passes_of  # noqa: PLC0415

    try:
        listening_address(configuration.process, keyed=bool(passes_of(configuration)))
    except ConfigError as error:
        return str(error)
    return ""


def _names(scope: str) -> set[str]:
    from dispatcher.settings import describe  # noqa: PLC0415 - help stays fast

    return {info.name for info in describe() if info.scope == scope}


def _print_rows(rows: list[tuple[str, str, str]], *, origin: bool) -> None:
    for name, value, source in rows:
        click.echo(f"{name} = {value}" + (f"    # {source}" if origin else ""))


def _document(configuration: Configuration, *, origin: bool) -> dict[str, Any]:
    own = _names("process")
    return {
        "process": _values(configuration.process, own - {"account"}, origin=origin),
        "accounts": {
            name: _values(settings, _names("account"), origin=origin)
            for name, settings in configuration.accounts.items()
        },
    }


def _values(settings: Settings, names: set[str], *, origin: bool) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, _, source in settings.rows():
        if name in names:
            value = _masked(getattr(settings, name))
            values[name] = {"value": value, "origin": source} if origin else value
    return values


def _masked(value: Any) -> Any:
    """A value as JSON has it; a secret as `***`, an unset one as an empty text."""
    from dispatcher.settings import Secret  # noqa: PLC0415 - help stays fast

    if isinstance(value, Secret):
        return str(value) if value else ""
    if isinstance(value, dict):
        return {name: _masked(one) for name, one in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _print_json(document: dict[str, Any]) -> None:
    import json  # noqa: PLC0415 - help stays fast

    click.echo(json.dumps(document, ensure_ascii=False, indent=2))
