"""Secrets that stand in files of their own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dispatcher.errors import ConfigError
from dispatcher.model.secret import Secret
from dispatcher.settings.sources import Layer
from dispatcher.settings.value import clients_table

_FILE_BYTES = 65_536
_IN_FILES = {
    "api_key": "API key",
    "accept_key": "accept key",
    "hook_key": "webhooks' key",
    "read_token": "read token",
    "act_token": "act token",
}
"""Secrets that may stand in a file, and what they are called."""
_CLIENTS = "clients"


def one_of_each(layer: Layer, below: Layer) -> None:
    """A secret and the file that holds it replace each other: the one of the stronger source counts.

    Args:
        layer: what the stronger source says.
        below: what weaker ones say; what is replaced is taken out.

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


def read_secret_files(merged: Layer) -> None:
    """Put in for each file that holds a secret the secret itself.

    Raises:
        ConfigError: a file cannot be read, or holds none.
    """
    for name, what in _IN_FILES.items():
        file, origin = merged.get(f"{name}_file", ("", ""))
        if file and isinstance(file, str) and not merged.get(name, ("", ""))[0]:
            merged[name] = (_secret_in(file, what=what, origin=origin), f"file {file}")
    if _CLIENTS in merged:
        merged[_CLIENTS] = _with_files_read(*merged[_CLIENTS])


def _with_files_read(value: object, origin: str) -> tuple[dict[str, object], str]:
    """The clients' table with a secret for every `{file = PATH}`."""
    try:
        table = clients_table(value)
    except ValueError as error:
        raise ConfigError(f"{origin}: {_CLIENTS} {error}") from error
    for name, entry in table.items():
        if isinstance(entry, Mapping):
            file = entry.get("file")
            if set(entry) != {"file"} or not isinstance(file, str) or not file:
                raise ConfigError(f'{origin}: {_CLIENTS}.{name} must be a key, or {{file = "PATH"}}')
            table[name] = _secret_in(file, what=f"key of the client {name}, the", origin=origin)
    return table, origin


def _secret_in(file: str, *, what: str, origin: str) -> Secret:
    try:
        with Path(file).open("rb") as stream:
            text = stream.read(_FILE_BYTES).decode().strip()
    except OSError as error:
        raise ConfigError(f"{origin}: the {what} file {file} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise ConfigError(f"{origin}: the {what} file {file} is not text") from None
    if not text:
        raise ConfigError(f"{origin}: the {what} file {file} is empty")
    return Secret(text)
