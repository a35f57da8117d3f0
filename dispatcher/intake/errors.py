"""A file as a whole that cannot be used."""

from __future__ import annotations

from dispatcher.errors import DispatcherError


class InputError(DispatcherError):
    """A file cannot be read or is not what was expected; the message names the file and says what it should be."""
