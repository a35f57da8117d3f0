"""A file of jobs opened and its format told by its content, the extension being a hint."""

from __future__ import annotations

import mmap
import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import PurePath
from typing import BinaryIO, Literal

import msgspec

from dispatcher.intake.errors import InputError

Format = Literal["document", "lines", "table"]

BOM = b"\xef\xbb\xbf"
_FIRST_LINE_BYTES = 1 << 20
"""A first line longer than this is no line of a JSON lines file but a document written in one piece."""
_FOREIGN = {
    b"\x1f\x8b": "is compressed with gzip: unpack it first",
    b"PK\x03\x04": "is a zip archive or a spreadsheet: save it as CSV or JSON",
    b"\xff\xfe": "is UTF-16: save it as UTF-8",
    b"\xfe\xff": "is UTF-16: save it as UTF-8",
}


@dataclass(slots=True)
class Source:
    """An open file whose format is known.

    Attributes:
        name: the path as given, or "standard input".
        format: a JSON document (a list, or an object with jobs), JSON lines, or a table (CSV).
        file: the rest of the file, behind `ahead`.
        ahead: what was read to tell the format, from the first line that is not blank.
        line: number of that line, from 1.
    """

    name: str
    format: Format
    file: BinaryIO
    ahead: list[bytes] = field(default_factory=list)
    line: int = 1

    def lines(self) -> Iterator[bytes]:
        """Every line from `line` on, with its end."""
        return chain(self.ahead, self.file)

    def whole(self) -> bytes | memoryview:
        """Everything from `line` on. A regular file is mapped, not copied."""
        held = b"".join(self.ahead)
        try:
            if not stat.S_ISREG(os.fstat(self.file.fileno()).st_mode):
                return held + self.file.read()
            view = memoryview(mmap.mmap(self.file.fileno(), 0, access=mmap.ACCESS_READ))
        except (OSError, ValueError):  # a stream without a descriptor, or one that cannot be mapped
            return held + self.file.read()
        return view[self.file.tell() - len(held) :]


def open_source(path: str | os.PathLike[str]) -> Source:
    """Open a file, or standard input for "-", and tell its format.

    Raises:
        InputError: the file cannot be read, is empty, or is of a kind that is no text.
    """
    name = "standard input" if path == "-" else os.fspath(path)
    file = open_file(path)
    try:
        return _told(name, file)
    except OSError as error:
        file.close()
        raise InputError(f"{name} cannot be read: {error.strerror or error}") from error
    except BaseException:
        file.close()
        raise


def open_file(path: str | os.PathLike[str]) -> BinaryIO:
    """The file's bytes, or those of standard input for "-".

    Raises:
        InputError: the file cannot be opened.
    """
    try:
        # Standard input is opened by number, so that closing the source leaves `sys.stdin` as it is.
        return open(sys.stdin.fileno(), "rb", closefd=False) if path == "-" else open(path, "rb")  # noqa: PTH123
    except (OSError, ValueError) as error:
        name = "standard input" if path == "-" else os.fspath(path)
        raise InputError(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _told(name: str, file: BinaryIO) -> Source:
    source = Source(name, "document", file)
    first = file.readline(_FIRST_LINE_BYTES)
    for magic, words in _FOREIGN.items():
        if first.startswith(magic):
            raise InputError(f"{name} {words}")
    first = first.removeprefix(BOM)
    while first and first.isspace():
        first = file.readline(_FIRST_LINE_BYTES)
        source.line += 1
    if not first:
        raise InputError(f"{name} is empty: expected jobs as JSON, JSON lines or CSV")
    source.ahead.append(first)
    kind = PurePath(name).suffix.lower()
    start = first.lstrip()[:1]
    if start == b"{":
        source.format = _object_or_lines(source, first, hinted=kind in {".jsonl", ".ndjson"})
    elif start == b"[" or kind == ".json":
        source.format = "document"
    else:
        source.format = "lines" if kind in {".jsonl", ".ndjson"} else "table"
    return source


def _object_or_lines(source: Source, first: bytes, *, hinted: bool) -> Format:
    """One object over the whole file, or one job a line?"""
    whole = first.endswith(b"\n") or len(first) < _FIRST_LINE_BYTES
    names: dict[str, msgspec.Raw] | None = None
    if whole:
        try:
            names = msgspec.json.decode(first, type=dict[str, msgspec.Raw])
        except (msgspec.MsgspecError, ValueError, RecursionError):
            names = None
    following = b""
    while whole and (following := source.file.readline(_FIRST_LINE_BYTES)):
        source.ahead.append(following)
        if not following.isspace():
            break
    if names is not None:
        return "document" if not following and ("data" in names or "jobs" in names) else "lines"
    # The first line is not JSON by itself: the beginning of a document over several lines, or a bad job.
    last = first.rstrip()[-1:]
    if following.lstrip().startswith(b"{"):
        return "lines" if hinted or last == b"}" else "document"
    return "lines" if hinted and last not in {b"{", b"[", b","} else "document"
