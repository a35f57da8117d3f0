"""Tells the service manager how the process is: systemd's notification protocol, one datagram a message.

Ten lines of a stable protocol (see sd_notify(3)); the libraries for it are unkept, or need systemd's headers to build.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Mapping

_log = logging.getLogger("dispatcher.daemon")


class Notifier:
    """Sends what the manager wants to know; does nothing when nobody asked for it (no `NOTIFY_SOCKET`).

    A message that cannot be sent is dropped: the process never waits for its manager.

    Args:
        environ: with `NOTIFY_SOCKET` (a path, or `@NAME` for an abstract socket), `WATCHDOG_USEC` and `WATCHDOG_PID`.

    Attributes:
        wanted: whether anybody listens.
        watchdog_s: within so many seconds `alive` must be told again, None when no watchdog is set.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        name = environ.get("NOTIFY_SOCKET", "")
        self._address = f"\0{name[1:]}" if name.startswith("@") else name
        self.wanted = name.startswith(("/", "@")) and len(name) > 1
        self.watchdog_s = _watchdog_s(environ) if self.wanted else None
        self._said = ""
        self._failed = False

    def ready(self) -> None:
        """Requests are taken (again)."""
        self._send("READY=1")

    def reloading(self) -> None:
        """The configuration is read anew; `ready` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The end has begun."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """Jobs are being sent, or could be."""
        self._send("WATCHDOG=1")

    def status(self, words: str) -> None:
        """One line for `systemctl status`; said only when it has changed."""
        words = " ".join(words.split())
        if words != self._said:
            self._said = words
            self._send(f"STATUS={words}")

    def _send(self, message: str) -> None:
        if not self.wanted:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.sendto(message.encode(), self._address)
        except OSError as error:
            if not self._failed:
                _log.warning("the service manager cannot be told: %s", error.strerror or error)
            self._failed = True
        else:
            self._failed = False


def _watchdog_s(environ: Mapping[str, str]) -> float | None:
    """The manager's patience, when it is meant for this process."""
    microseconds, process = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not microseconds.isdecimal() or not int(microseconds) or process not in {"", str(os.getpid())}:
        return None
    return int(microseconds) / 1e6
