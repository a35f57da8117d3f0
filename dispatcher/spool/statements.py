"""The named statements of `sqlite.sql`, and how such a file is read."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files

import orjson

ROWS = "/*rows*/ "
ROWS_PER_STATEMENT = 500
"""Rows in one VALUES list. Preparing a list costs 2 us a row, so full lists share one prepared statement; lists of more
than 1 000 rows run at half the speed."""


def read_statements(file: str) -> dict[str, str]:
    """Statement by name, of a file beside this one."""
    text = files("dispatcher.spool").joinpath(file).read_text(encoding="utf-8")
    blocks = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)[1:]
    return {
        name: re.sub(r"^--.*\n", "", block, flags=re.MULTILINE).strip()
        for name, block in zip(blocks[::2], blocks[1::2], strict=True)
    }


SQL = read_statements("sqlite.sql")
"""Statement by name."""


@lru_cache(maxsize=64)
def for_rows(name: str, count: int) -> str:
    """The statement with its VALUES list written out for `count` rows."""
    head, _, rest = SQL[name].partition(ROWS)
    row = rest[: rest.index(")") + 1]
    return head + ",".join([row] * count) + rest[len(row) :]


def json_text(values: list[int] | list[str]) -> str:
    """A list as the JSON text that statements take."""
    return orjson.dumps(values).decode()
