"""Settings as command line flags: one name everywhere, taken from the settings' own table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from dispatcher.settings import Configuration, Settings, describe, load_configuration

F = TypeVar("F", bound=Callable[..., Any])

MOST_USED = (
    "base_url",
    "api_key",
    "api_key_file",
    "account",
    "spool",
    "policy",
    "fallback",
    "limits",
    "max_batch_jobs",
    "max_concurrency",
    "request_timeout_s",
    "timezone",
)
"""settings that `--help` lists as flags; every other one is a hidden flag of the same form"""


def setting_options(command: F) -> F:
    """Add `--config`, `--set NAME=VALUE` and a flag for every setting."""
    for info in reversed(describe()):
        flag = "--" + info.name.replace("_", "-")
        command = click.option(
            flag,
            f"setting_{info.name}",
            metavar="VALUE",
            default=None,
            hidden=info.name not in MOST_USED,
            help=info.help,
        )(command)
    command = click.option(
        "--set", "set_pairs", metavar="NAME=VALUE", multiple=True, help="Any setting by name; repeatable."
    )(command)
    return click.option(
        "--config",
        "config_file",
        metavar="FILE",
        default=None,
        help="TOML file (default: dispatcher.toml when present).",
    )(command)


def settings_from(options: dict[str, Any]) -> Settings:
    """Take the flags out of a command's options and load the settings of the one account that is meant.

    Raises:
        ConfigError: a name is unknown or a value is wrong; there are several accounts and none was chosen.
        click.UsageError: `--set` without `=`.
    """
    return configuration_from(options).only


def configuration_from(options: dict[str, Any]) -> Configuration:
    """Take the flags out of a command's options and load the settings of all accounts.

    Raises:
        ConfigError: a name is unknown or a value is wrong.
        click.UsageError: `--set` without `=`.
    """
    return source_from(options)()


def source_from(options: dict[str, Any]) -> Callable[[], Configuration]:
    """Take the flags out of a command's options; what comes back loads the settings, each time from the start.

    Raises:
        click.UsageError: `--set` without `=`.
    """
    flags: dict[str, str] = {}
    for name in [name for name in options if name.startswith("setting_")]:
        value = options.pop(name)
        if value is not None:
            flags[name.removeprefix("setting_")] = value
    for pair in options.pop("set_pairs"):
        name, sign, value = pair.partition("=")
        if not sign:
            raise click.UsageError(f"--set {pair}: expected NAME=VALUE")
        flags[name.strip().replace("-", "_")] = value
    config = options.pop("config_file")
    return lambda: load_configuration(config=config, flags=flags)
