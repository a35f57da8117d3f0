"""Where settings come from: defaults, then a TOML file, then the environment, then flags; the later one wins."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dispatcher.errors import ConfigError
from dispatcher.model.secret import Secret
from dispatcher.settings.settings import Settings, describe

CONFIG_FILE = "dispatcher.toml"
"""read from the working directory when it is there and no other file is named"""
CONFIG_VARIABLE = "DISPATCHER_CONFIG"
_PREFIX = "DISPATCHER_"
_TEST_PREFIX = "DISPATCHER_TEST_"
_SECRET_FILE_BYTES = 65_536
_IN_FILES = {"api_key": "API key", "read_token": "read token", "act_token": "act token"}
"""Secrets that may stand in a file of their own, and what they are called."""

_Layer = dict[str, tuple[Any, str]]
"""by name: the value as it stands there, and where that is"""


def load_settings(
    config: str | os.PathLike[str] | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
    *,
    base: Settings | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Settings:
    """The settings from all their sources.

    Args:
        config: the TOML file; None for `DISPATCHER_CONFIG`, else `dispatcher.toml` when it is there.
        environ: the environment; None for the process's own.
        flags: from the command line, by name with `-` or `_`; a None value is no flag.
        base: start from these instead of defaults, file and environment.
        overrides: values given by code, on top of everything.

    Raises:
        ConfigError: an unknown name or a value that cannot be used, with the source named; an unreadable file.
    """
    if base is None:
        environ = os.environ if environ is None else environ
        merged = _from_file(config, environ)
        layers = [_from_environment(environ)]
    else:
        merged = {
            info.name: (getattr(base, info.name), base.origin(info.name))
            for info in describe()
            if info.name in base.origins or getattr(base, info.name) != info.default
        }
        layers = []
    for layer in (*layers, _from_flags(flags or {}), _from_code(overrides or {})):
        _one_of_each(layer, merged)
        merged |= layer
    _read_secret_files(merged)
    values = {name: value for name, (value, _) in merged.items()}
    return Settings(**values, origins={name: origin for name, (_, origin) in merged.items() if origin != "default"})


def _from_file(config: str | os.PathLike[str] | None, environ: Mapping[str, str]) -> _Layer:
    named = config or environ.get(CONFIG_VARIABLE)
    path = Path(named) if named else Path(CONFIG_FILE)
    if not named and not path.exists():
        return {}
    import tomllib  # noqa: PLC0415 - most runs have no file

    try:
        table = tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        raise ConfigError(f"the configuration file {path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"the configuration file {path} is not UTF-8: byte {error.start + 1}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the configuration file {path} is not TOML: {error}") from error
    origin = f"file {path}"
    layer = _layer(table, origin="", known={info.name: info.name for info in describe()}, place=f"{origin}: ")
    layer = {name: (value, origin) for name, (value, _) in layer.items()}
    _one_of_each(layer, {})
    return layer


def _from_environment(environ: Mapping[str, str]) -> _Layer:
    ours = {
        variable: environ[variable]
        for variable in sorted(environ)
        if variable.startswith(_PREFIX) and variable != CONFIG_VARIABLE and not variable.startswith(_TEST_PREFIX)
    }
    return _layer(ours, origin="variable ", known={info.variable: info.name for info in describe()})


def _from_flags(flags: Mapping[str, Any]) -> _Layer:
    given = {f"--{name.lstrip('-').replace('_', '-')}": value for name, value in flags.items() if value is not None}
    return _layer(given, origin="flag ", known={info.flag: info.name for info in describe()})


def _from_code(overrides: Mapping[str, Any]) -> _Layer:
    return _layer(overrides, origin="argument ", known={info.name: info.name for info in describe()})


def _layer(values: Mapping[str, Any], *, origin: str, known: Mapping[str, str], place: str = "") -> _Layer:
    """Values under the names that a source has for them, turned to the settings' own; an unknown name is an error."""
    layer: _Layer = {}
    for written, value in values.items():
        name = known.get(written)
        if name is None:
            import difflib  # noqa: PLC0415 - only for this message

            near = difflib.get_close_matches(written, known, n=1, cutoff=0.6)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(f"{place}{origin}{written} is not a setting{hint}")
        layer[name] = (value, f"{origin}{written}")
    return layer


def _one_of_each(layer: _Layer, below: _Layer) -> None:
    """A secret and the file that holds it replace each other: the one of the stronger source counts.

    Raises:
        ConfigError: one source sets both.
    """
    for name in _IN_FILES:
        in_file = f"{name}_file"
        text, file = (layer.get(one, ("", "")) for one in (name, in_file))
        if text[0] and file[0]:
            raise ConfigError(f"{file[1]}: {in_file} and {name} are both set; set one of them")
        if file[0]:
            below.pop(name, None)
        if text[0]:
            below.pop(in_file, None)


def _read_secret_files(merged: _Layer) -> None:
    for name, what in _IN_FILES.items():
        file, origin = merged.get(f"{name}_file", ("", ""))
        if file and isinstance(file, str) and name not in merged:
            merged[name] = (_secret_in(file, what=what, origin=origin), f"file {file}")


def _secret_in(file: str, *, what: str, origin: str) -> Secret:
    try:
        with Path(file).open("rb") as stream:
            text = stream.read(_SECRET_FILE_BYTES).decode().strip()
    except OSError as error:
        raise ConfigError(f"{origin}: the {what} file {file} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise ConfigError(f"{origin}: the {what} file {file} is not text") from None
    if not text:
        raise ConfigError(f"{origin}: the {what} file {file} is empty")
    return Secret(text)
