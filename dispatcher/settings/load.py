"""Settings from all their sources.

Defaults, then the TOML file, the environment, the account's table in the file, flags: the later one wins. An account's
table comes after the environment, because a variable is meant for all accounts and a table for one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from dispatcher.errors import ConfigError
from dispatcher.settings.configuration import Configuration
from dispatcher.settings.keyfiles import one_of_each, read_secret_files
from dispatcher.settings.settings import Settings, describe
from dispatcher.settings.sources import Layer, from_code, from_environment, from_file, from_flags


def load_settings(
    config: str | os.PathLike[str] | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
    *,
    base: Settings | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Settings:
    """The settings of one account; where the file has tables for several, the setting `account` picks it.

    Args:
        config: the TOML file; None for `DISPATCHER_CONFIG`, else `dispatcher.toml` when it is there.
        environ: the environment; None for the process's own.
        flags: from the command line, by name with `-` or `_`; a None value is no flag.
        base: start from these instead of defaults, file and environment.
        overrides: values given by code, on top of everything.

    Raises:
        ConfigError: an unknown name or a value that cannot be used, with the source named; an unreadable file; several
            accounts and none picked.
    """
    if base is None:
        return load_configuration(config, environ, flags, overrides=overrides).only
    known = {
        info.name: (getattr(base, info.name), base.origin(info.name))
        for info in describe()
        if info.name in base.origins or getattr(base, info.name) != info.default
    }
    return _settings([from_flags(flags or {}), from_code(overrides or {})], start=known)


def load_configuration(
    config: str | os.PathLike[str] | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
    *,
    overrides: Mapping[str, Any] | None = None,
) -> Configuration:
    """The settings of all accounts, or of the one that the setting `account` picks.

    Without tables for accounts in the file there is one, which the setting `account` names. Arguments and errors as
    for `load_settings`.
    """
    environ = os.environ if environ is None else environ
    file = from_file(config, environ)
    below = [file.settings, from_environment(environ)]
    above = [from_flags(flags or {}), from_code(overrides or {})]
    process = _settings([*below, *above])
    if not file.accounts:
        return Configuration.of(process)
    tables = file.accounts
    if process.origin("account") != "default":
        if process.account not in tables:
            raise ConfigError(
                f"{process.origin('account')}: there is no account {process.account}; there are {', '.join(tables)}"
            )
        tables = {process.account: tables[process.account]}
    return Configuration(
        process=process, accounts={name: _settings([*below, table, *above]) for name, table in tables.items()}
    )


def _settings(layers: Iterable[Layer], *, start: Layer | None = None) -> Settings:
    """One record of all layers, the later one winning; `start` is below them and complete in itself."""
    merged: Layer = dict(start or {})
    for layer in layers:
        one_of_each(layer, merged)
        merged |= layer
    read_secret_files(merged)
    values = {name: value for name, (value, _) in merged.items()}
    return Settings(**values, origins={name: origin for name, (_, origin) in merged.items() if origin != "default"})
