"""What clients send that is no HTTP: anybody can, as often as they like, so it must not fill the log."""

from __future__ import annotations

import logging

from aiohttp.http_exceptions import HttpProcessingError

_log = logging.getLogger("dispatcher.daemon")


class Unreadable(logging.Filter):
    """Turns the server's errors with tracebacks into a line at debug level; lets everything else pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        """See the class."""
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, HttpProcessingError):
            return True
        _log.debug("a request that is no HTTP was answered %d: %r", error.code, error.message)
        return False


def server_log() -> logging.Logger:
    """The log for aiohttp's server."""
    log = logging.getLogger("dispatcher.daemon.server")
    if not any(isinstance(one, Unreadable) for one in log.filters):
        log.addFilter(Unreadable())
    return log
