"""Clients that send what is no HTTP, or are gone in the middle: anybody can, so it must not fill the log."""

from __future__ import annotations

import logging

from aiohttp.http_exceptions import HttpProcessingError

_log = logging.getLogger("dispatcher.daemon")


class Unreadable(logging.Filter):
    """Turns such errors of the server, with their tracebacks, into a line at debug level; all else passes."""

    def filter(self, record: logging.LogRecord) -> bool:
        """See the class."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError | ConnectionError):
            _log.debug("a client was not understood, or is gone: %r", error)
            return False
        return True


def server_log() -> logging.Logger:
    """The log for aiohttp's server."""
    log = logging.getLogger("dispatcher.daemon.server")
    if not any(isinstance(one, Unreadable) for one in log.filters):
        log.addFilter(Unreadable())
    return log
