"""The named statements of `postgres.sql`."""

from __future__ import annotations

from dispatcher.spool.statements import read_statements

SQL = read_statements("postgres/postgres.sql")
"""Statement by name."""
