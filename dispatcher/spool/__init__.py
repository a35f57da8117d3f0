"""The durable queue: port and adapters."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from dispatcher.errors import ConfigError
from dispatcher.spool.care import SpoolStats
from dispatcher.spool.cluster import About, Cluster, Hint, cluster_of
from dispatcher.spool.lent import LentSpool
from dispatcher.spool.lock import holder
from dispatcher.spool.memory import MemorySpool
from dispatcher.spool.port import Collected, Outbox, Spool
from dispatcher.spool.shared import SharedLimits, limits_of
from dispatcher.spool.sqlite import SqliteSpool
from dispatcher.spool.view import Filter, SpoolView

if TYPE_CHECKING:
    from dispatcher.spool.postgres import PostgresSpool, PostgresView

__all__ = [
    "About",
    "Cluster",
    "Collected",
    "Filter",
    "Hint",
    "LentSpool",
    "MemorySpool",
    "Outbox",
    "SharedLimits",
    "Spool",
    "SpoolStats",
    "SpoolView",
    "SqliteSpool",
    "cluster_of",
    "holder",
    "is_postgres",
    "limits_of",
    "open_spool",
    "open_view",
    "outbox_of",
]


def is_postgres(url_or_path: str | Path) -> bool:
    """Whether a setting names a PostgreSQL database.

    Raises:
        ConfigError: it does, and the extra that speaks to one is not installed.
    """
    scheme, found, _ = str(url_or_path).partition("://")
    if not found or scheme not in {"postgresql", "postgres"}:
        return False
    if importlib.util.find_spec("asyncpg") is None:
        raise ConfigError("spool: PostgreSQL needs asyncpg: pip install 'hellotracks-dispatcher[postgres]'")
    return True


def open_spool(
    url_or_path: str | Path, *, max_rows: int = 0, min_free_bytes: int = 0, node: str = ""
) -> MemorySpool | SqliteSpool | PostgresSpool:
    """The spool that a setting names, not opened yet: `await spool.open(now=...)` is the caller's.

    Args:
        url_or_path: "memory:" for one that lives as long as the process, "postgresql://..." for one that several
            processes share, otherwise the path of an SQLite file.
        max_rows: most unsettled rows of an account before `accept` raises SpoolFull, 0 for no limit.
        min_free_bytes: free space on the disk below which `accept` raises SpoolFull, 0 for no floor; for a file.
        node: name of this process among those that share a database.

    Raises:
        ConfigError: no adapter of this build speaks that URL.
    """
    text = str(url_or_path)
    if text in {"memory:", ":memory:"}:
        return MemorySpool(max_rows=max_rows)
    if is_postgres(text):
        from dispatcher.spool.postgres import PostgresSpool  # noqa: PLC0415 - asyncpg is an extra

        return PostgresSpool(text, node=node, max_rows=max_rows)
    scheme, found, _ = text.partition("://")
    if found:
        raise ConfigError(f"spool: unknown kind of spool {scheme}://; name a file, memory: or a postgresql:// database")
    if not text:
        raise ConfigError("spool: is empty; name a file or memory:")
    return SqliteSpool(text, max_rows=max_rows, min_free_bytes=min_free_bytes)


def open_view(url_or_path: str | Path) -> SpoolView | PostgresView:
    """The spool that a setting names, for looking.

    Raises:
        ConfigError: no adapter of this build speaks that URL.
        SpoolUnusable: there is none, or it cannot be read.
    """
    if is_postgres(url_or_path):
        from dispatcher.spool.postgres import PostgresView  # noqa: PLC0415 - asyncpg is an extra

        return PostgresView(str(url_or_path))
    return SpoolView(url_or_path)


def outbox_of(spool: Spool) -> Outbox | None:
    """The outbox of a spool that has one, be it lent or not."""
    store = spool.store if isinstance(spool, LentSpool) else spool
    return store if isinstance(store, Outbox) else None
