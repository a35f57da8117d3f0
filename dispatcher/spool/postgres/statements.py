"""The named statements of `postgres.sql`, `limits.sql` and `view.sql`."""

from __future__ import annotations

from dispatcher.spool.statements import read_statements

SQL = read_statements("postgres/postgres.sql") | read_statements("postgres/limits.sql")
"""Statement by name."""

VIEW_SQL = read_statements("postgres/view.sql")
"""Those of `view.sql`, for who only looks."""
