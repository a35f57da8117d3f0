"""What each source says: the TOML file with its account tables, the environment, flags, code. Nothing is merged yet."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dispatcher.errors import ConfigError
from dispatcher.settings.settings import describe

CONFIG_FILE = "dispatcher.toml"
"""read from the working directory when it is there and no other file is named"""
CONFIG_VARIABLE = "DISPATCHER_CONFIG"
ACCOUNTS = "accounts"
"""the table of the file that holds a table for each account"""
_PREFIX = "DISPATCHER_"
_TEST_PREFIX = "DISPATCHER_TEST_"
_name = re.compile(r"[A-Za-z0-9._-]{1,64}").fullmatch

Layer = dict[str, tuple[Any, str]]
"""by name: the value as it stands there, and where that is"""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A configuration file.

    Attributes:
        settings: outside of the accounts' tables.
        accounts: what each account's table says, by its name.
    """

    settings: Layer = field(default_factory=dict)
    accounts: dict[str, Layer] = field(default_factory=dict)


def from_file(config: str | os.PathLike[str] | None, environ: Mapping[str, str]) -> ConfigFile:
    """The file that is named, else the one of the environment, else the one that lies here.

    Raises:
        ConfigError: it cannot be read, or says what it must not.
    """
    named = config or environ.get(CONFIG_VARIABLE)
    path = Path(named) if named else Path(CONFIG_FILE)
    if not named and not path.exists():
        return ConfigFile()
    import tomllib  # noqa: PLC0415 - most runs have no file

    try:
        document = tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        raise ConfigError(f"the configuration file {path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"the configuration file {path} is not UTF-8: byte {error.start + 1}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the configuration file {path} is not TOML: {error}") from error
    origin = f"file {path}"
    tables = document.pop(ACCOUNTS, None)
    accounts = {} if tables is None else _accounts(tables, origin)
    return ConfigFile(_table(document, origin, place=f"{origin}: "), accounts)


def from_environment(environ: Mapping[str, str]) -> Layer:
    """Variables with our prefix."""
    ours = {
        variable: environ[variable]
        for variable in sorted(environ)
        if variable.startswith(_PREFIX) and variable != CONFIG_VARIABLE and not variable.startswith(_TEST_PREFIX)
    }
    return _layer(ours, origin="variable ", known={info.variable: info.name for info in describe()})


def from_flags(flags: Mapping[str, Any]) -> Layer:
    """Flags by name, with `-` or `_`."""
    given = {f"--{name.lstrip('-').replace('_', '-')}": value for name, value in flags.items() if value is not None}
    return _layer(given, origin="flag ", known={info.flag: info.name for info in describe()})


def from_code(overrides: Mapping[str, Any]) -> Layer:
    """Values given by a caller."""
    return _layer(overrides, origin="argument ", known={info.name: info.name for info in describe()})


def _accounts(tables: Any, origin: str) -> dict[str, Layer]:
    if not isinstance(tables, dict) or not tables:
        raise ConfigError(f"{origin}: {ACCOUNTS} must hold a table for each account, such as [accounts.acme]")
    of_process = {info.name for info in describe() if info.scope == "process"}
    accounts = {}
    for name, table in tables.items():
        where = f"{origin} [{ACCOUNTS}.{name}]"
        if not _name(name):
            raise ConfigError(f"{where}: an account's name has letters, digits, -, _ and . only, 64 at most")
        if not isinstance(table, dict):
            raise ConfigError(f"{where}: must be a table")
        if "account" in table:
            raise ConfigError(f"{where}: account is the table's own name; leave it out")
        for setting in table:
            if setting in of_process:
                raise ConfigError(
                    f"{where}: {setting} is a setting of the whole process; set it outside of the accounts' tables"
                )
        accounts[name] = _table(table, where, place=f"{where}: ") | {"account": (name, where)}
    return accounts


def _table(table: Mapping[str, Any], origin: str, *, place: str) -> Layer:
    layer = _layer(table, origin="", known={info.name: info.name for info in describe()}, place=place)
    return {name: (value, origin) for name, (value, _) in layer.items()}


def _layer(values: Mapping[str, Any], *, origin: str, known: Mapping[str, str], place: str = "") -> Layer:
    """Values under the names that a source has for them, turned to the settings' own; an unknown name is an error."""
    layer: Layer = {}
    for written, value in values.items():
        name = known.get(written)
        if name is None:
            import difflib  # noqa: PLC0415 - only for this message

            near = difflib.get_close_matches(written, known, n=1, cutoff=0.6)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(f"{place}{origin}{written} is not a setting{hint}")
        layer[name] = (value, f"{origin}{written}")
    return layer
