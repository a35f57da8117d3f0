"""The daemon: Hellotracks' `createjobs` on an address of one's own, with everything behind it made durable."""

from dispatcher.daemon.run import run_daemon
from dispatcher.daemon.server import Daemon

__all__ = ["Daemon", "run_daemon"]
