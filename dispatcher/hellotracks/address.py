"""Where an account's server is."""

from __future__ import annotations

from yarl import URL

from dispatcher.errors import ConfigError


class Address:
    """The two roots of a Hellotracks server, from a base URL with or without a trailing slash or `/api`.

    Args:
        base_url: such as `https://api.hellotracks.com`, `http://127.0.0.1:9000/` or `https://host/prefix/api`.

    Raises:
        ConfigError: not http(s), no host, or with a user name, password, query or fragment in it.
    """

    __slots__ = ("_root",)

    def __init__(self, base_url: str) -> None:
        try:
            url = URL(base_url.strip())
            port = url.port
        except ValueError as exc:
            # the text is not repeated: it may hold a password
            raise ConfigError(f"base_url is not a URL ({type(exc).__name__})") from None
        if url.scheme not in {"http", "https"} or not url.host or not port:
            raise ConfigError("base_url must be an http or https URL with a host, such as https://api.hellotracks.com")
        if url.user is not None or url.password is not None:
            raise ConfigError("base_url must not contain a user name or password; the API key has its own setting")
        if url.query_string or url.fragment:
            raise ConfigError("base_url must not contain a query or a fragment")
        path = url.path.rstrip("/")
        if path == "/api" or path.endswith("/api"):
            path = path.removesuffix("/api")
        self._root = url.with_path(path.rstrip("/") or "/")

    @property
    def origin(self) -> str:
        """Scheme, host and port, for messages."""
        return str(self._root.origin())

    def api(self, action: str) -> URL:
        """URL of an `/api` action, such as `createjobs`."""
        return self._root / "api" / action

    def v1(self, resource: str, query: dict[str, str]) -> URL:
        """URL of a `/v1` resource; the query's values are encoded."""
        return (self._root / "v1" / resource).with_query(query)

    def __repr__(self) -> str:
        return f"Address({str(self._root)!r})"
