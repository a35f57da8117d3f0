"""The named statements of `postgres.sql`, `limits.sql` and `view.sql`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dispatcher.spool.statements import read_statements

SQL = read_statements("postgres/postgres.sql") | read_statements("postgres/limits.sql")
"""Statement by name."""

VIEW_SQL = read_statements("postgres/view.sql")
"""Those of `view.sql`, for who only looks."""


def with_numbers(sql: str, *values: float | Sequence[float]) -> str:
    """A statement with numbers, or lists of them, in the place of $1, $2, …; so that several go in one message."""

    def literal(match: re.Match[str]) -> str:
        value = values[int(match[1]) - 1]
        return repr(value) if isinstance(value, int | float) else f"'{{{','.join(map(repr, value))}}}'"

    return re.sub(r"\$(\d+)", literal, sql)
