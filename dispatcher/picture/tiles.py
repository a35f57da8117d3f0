"""The address of map tiles that a page may load: the only thing it ever loads from elsewhere."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from dispatcher.errors import ConfigError

_PARTS = ("{z}", "{x}", "{y}")
_HOST = re.compile(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]")
_UNSAFE = re.compile(r"[\s\"'<>;,\\\x00-\x1f]")
_OPENSTREETMAP = "openstreetmap.org"


@dataclass(frozen=True, slots=True)
class Tiles:
    """A tile server.

    Attributes:
        url: address with `{z}`, `{x}` and `{y}`.
        origin: scheme, host and port, for the page's content security policy.
        credit: whom to name on the map.
    """

    url: str
    origin: str
    credit: str


def read_tile_url(text: str) -> Tiles:
    """Check an address such as `https://tile.openstreetmap.org/{z}/{x}/{y}.png`; `{s}` is the subdomain `a`.

    Raises:
        ConfigError: it is no such address.
    """
    url = text.strip().replace("{s}", "a")
    missing = [part for part in _PARTS if part not in url]
    if missing:
        raise ConfigError(f"--tile-url {text}: {' and '.join(missing)} must be in it")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    written = f"[{host}]" if ":" in host else host
    if (
        parts.scheme not in {"http", "https"}
        or not _HOST.fullmatch(written)
        or _UNSAFE.search(url)
        or "@" in parts.netloc
    ):
        raise ConfigError(
            f"--tile-url {text}: expected an address such as https://tile.example.com/{{z}}/{{x}}/{{y}}.png"
        )
    origin = f"{parts.scheme}://{written}" + (f":{port}" if port else "")
    ours = host == _OPENSTREETMAP or host.endswith(f".{_OPENSTREETMAP}")
    return Tiles(url=url, origin=origin, credit="© OpenStreetMap contributors" if ours else f"tiles: {host}")
