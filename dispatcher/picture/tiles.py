"""Map tiles below a plan: the only thing that a page may load from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

_OPENSTREETMAP = "openstreetmap.org"


@dataclass(frozen=True, slots=True)
class Tiles:
    """A tile server.

    Attributes:
        url: address with `{z}`, `{x}` and `{y}`, as the setting `tile_url` allows it.
    """

    url: str

    @property
    def origin(self) -> str:
        """Scheme, host and port, for the page's content security policy."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def credit(self) -> str:
        """Whom to name on the map."""
        host = urlsplit(self.url).hostname or ""
        ours = host == _OPENSTREETMAP or host.endswith(f".{_OPENSTREETMAP}")
        return "© OpenStreetMap contributors" if ours else f"map: {host}"
