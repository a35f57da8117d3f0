"""Tables in documents, between marks, so that a benchmark writes its figures there itself."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

MARK = re.compile(r"(<!-- table:(\w+) -->\n).*?(<!-- /table -->)", re.DOTALL)


def markdown(rows: Sequence[tuple[str, ...]]) -> str:
    """A table; the first row is its head."""
    head, *rest = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, "|" + "---|" * len(rows[0]), *rest]) + "\n"


def filled(text: str, tables: Mapping[str, str]) -> str:
    """The document with these tables in their places; others stay.

    Raises:
        ValueError: a table has no place in it.
    """
    absent = set(tables) - {match[2] for match in MARK.finditer(text)}
    if absent:
        raise ValueError(f"no place for {', '.join(sorted(absent))}")
    return MARK.sub(lambda match: match[1] + tables[match[2]] + match[3] if match[2] in tables else match[0], text)
