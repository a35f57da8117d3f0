"""Where the daemon listens, and whether anybody but this machine can reach it there."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass

from dispatcher.errors import ConfigError
from dispatcher.settings import Settings


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a TCP port.

    Attributes:
        host: name or IP address, IPv6 without brackets.
        port: 0 for any free one.
    """

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        """True when only this machine can reach it. Any name but `localhost` counts as reachable by others."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"

    @property
    def url(self) -> str:
        """Base URL, without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def url_for_others(self) -> str:
        """Base URL under which other machines may find it: one that listens everywhere goes by the machine's name."""
        try:
            everywhere = ipaddress.ip_address(self.host).is_unspecified
        except ValueError:
            everywhere = not self.host
        return Address(socket.gethostname(), self.port).url if everywhere else self.url


def listening_address(settings: Settings, *, keyed: bool) -> Address:
    """The address of the setting `listen`.

    Args:
        settings: of the process.
        keyed: whether clients need a key.

    Raises:
        ConfigError: others could reach it, and there is no key that they would need.
    """
    host, _, port = settings.listen.rpartition(":")
    address = Address(host.removeprefix("[").removesuffix("]"), int(port))
    if not address.loopback and not keyed:
        raise ConfigError(
            f"listen: {settings.listen} can be reached by others, so clients need a key: set accept_key "
            "(DISPATCHER_ACCEPT_KEY) or clients, or listen on 127.0.0.1"
        )
    return address
