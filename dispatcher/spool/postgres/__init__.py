"""The spool on PostgreSQL, for several daemons on several machines."""

from __future__ import annotations

from dispatcher.spool.postgres.spool import PostgresSpool
from dispatcher.spool.postgres.view import PostgresView

__all__ = ["PostgresSpool", "PostgresView"]
