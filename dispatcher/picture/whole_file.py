"""Files that are there as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from dispatcher.errors import ConfigError


def writable(path: str, *, flag: str) -> Path:
    """A path where a file can be written, found out before the work and not after it.

    Raises:
        ConfigError: there cannot be a file; the message names the flag.
    """
    target = Path(path)
    try:
        folder = target.is_dir()
        if not folder:
            _aside(target).open("wb").close()
            _aside(target).unlink()
    except OSError as error:
        raise ConfigError(f"{flag} {path}: cannot be written: {error.strerror or error}") from error
    if folder:
        raise ConfigError(f"{flag} {path}: is a folder; a file is to be written")
    return target


def replace_file(target: Path, content: bytes, *, flag: str) -> None:
    """Write a file beside the target, then put it in its place; a reader sees the old one or the new one, never half.

    Raises:
        ConfigError: it cannot be written; what was there before is as it was.
    """
    aside = _aside(target)
    try:
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(target)
    except OSError as error:
        with contextlib.suppress(OSError):
            aside.unlink()
        raise ConfigError(f"{flag} {target}: cannot be written: {error.strerror or error}") from error


def _aside(target: Path) -> Path:
    return target.with_name(f".{os.getpid()}-{target.name[:100]}.part")
