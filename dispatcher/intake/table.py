"""CSV: a header of job field names, one job a row."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from dispatcher.intake.errors import InputError
from dispatcher.intake.source import Source
from dispatcher.model.fields import KNOWN, rules

_DELIMITERS = (",", ";", "\t")
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")


class BadRow(str):
    """What is wrong with a row that is no job at all."""

    __slots__ = ()


def read_rows(source: Source) -> Iterator[tuple[int, dict[str, Any] | BadRow]]:
    """(line, job) for every row that is not blank. Empty cells are left out; numbers are read by the field's type.

    A cell that is no number where one is due stays text, for the job's check to name. Bytes that are not UTF-8 become
    lone surrogates, which that check names too.

    Raises:
        InputError: the header cannot be used, or the quoting is broken, from where nothing can be told any more.
    """
    lines = (line.decode("utf-8", "surrogateescape") for line in source.lines())
    delimiter = _delimiter(source.ahead[0].decode("utf-8", "surrogateescape"))
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    start = source.line
    try:
        header = [name.strip() for name in next(reader)]
        columns = _columns(header, source.name)
        width = len(header)
        before = reader.line_num
        for row in reader:
            line, before = start + before, reader.line_num
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != width:
                yield line, BadRow(f"has {len(row)} cells where the header has {width}")
                continue
            yield (
                line,
                {name: read(cell) if read else cell for (name, read), cell in zip(columns, row, strict=True) if cell},
            )
    except csv.Error as error:
        raise InputError(f"{source.name}:{start + reader.line_num - 1}: not CSV: {error}") from error


def read_cell(name: str, cell: str) -> Any:
    """One cell of the column `name`, by the field's type; None when it is empty."""
    rule = rules().get(name)
    read = _READERS.get(rule.kind) if rule else None
    return (read(cell) if read else cell) if cell else None


def _delimiter(header: str) -> str:
    bare = re.sub(r'"[^"]*"', "", header)
    return max(_DELIMITERS, key=bare.count)


def _columns(header: list[str], name: str) -> list[tuple[str, Callable[[str], Any] | None]]:
    if KNOWN.isdisjoint(header):
        shown = ", ".join(header)[:60]
        raise InputError(
            f"{name} is neither JSON nor CSV with a header of job fields (uidSecondary, destinationLat, …): "
            f"it begins with {shown!a}"
        )
    for place, column in enumerate(header):
        if not column:
            raise InputError(f"{name}: column {place + 1} of the header has no name")
        if column in header[:place]:
            raise InputError(f"{name}: column {column} stands twice in the header")
    table = rules()
    return [(column, _READERS.get(table[column].kind) if column in table else None) for column in header]


def _whole(cell: str) -> int | str | None:
    text = cell.strip()
    return int(text) if _WHOLE.fullmatch(text) else text or None


def _number(cell: str) -> float | str | None:
    text = cell.strip()
    try:
        return float(text) if "_" not in text else text
    except ValueError:
        return text or None


def _list(cell: str) -> Any:
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        return cell


_READERS: dict[str, Callable[[str], Any]] = {"whole": _whole, "number": _number, "list": _list}
