"""The durable queue: port and adapters."""

from __future__ import annotations

from pathlib import Path

from dispatcher.errors import ConfigError
from dispatcher.spool.care import SpoolStats
from dispatcher.spool.lent import LentSpool
from dispatcher.spool.lock import holder
from dispatcher.spool.memory import MemorySpool
from dispatcher.spool.port import Spool
from dispatcher.spool.sqlite import SqliteSpool
from dispatcher.spool.view import Filter, SpoolView

__all__ = [
    "Filter",
    "LentSpool",
    "MemorySpool",
    "Spool",
    "SpoolStats",
    "SpoolView",
    "SqliteSpool",
    "holder",
    "open_spool",
]


def open_spool(url_or_path: str | Path, *, max_rows: int = 0, min_free_bytes: int = 0) -> MemorySpool | SqliteSpool:
    """The spool that a setting names, not opened yet: `await spool.open(now=...)` is the caller's.

    Args:
        url_or_path: "memory:" for one that lives as long as the process, otherwise the path of an SQLite file.
        max_rows: most unsettled rows of an account before `accept` raises SpoolFull, 0 for no limit.
        min_free_bytes: free space on the disk below which `accept` raises SpoolFull, 0 for no floor.

    Raises:
        ConfigError: no adapter of this build speaks that URL.
    """
    text = str(url_or_path)
    if text in {"memory:", ":memory:"}:
        return MemorySpool(max_rows=max_rows)
    scheme, found, _ = text.partition("://")
    if scheme in {"postgresql", "postgres"} and found:
        raise ConfigError(f"spool: this build has no PostgreSQL adapter ({scheme}://...); name a file or memory:")
    if found:
        raise ConfigError(f"spool: unknown kind of spool {scheme}://; name a file or memory:")
    if not text:
        raise ConfigError("spool: is empty; name a file or memory:")
    return SqliteSpool(text, max_rows=max_rows, min_free_bytes=min_free_bytes)
