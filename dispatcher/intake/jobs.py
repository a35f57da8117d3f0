"""A file of jobs as a stream of checked jobs, in chunks; flat memory for JSON lines and CSV of any length."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from dispatcher.errors import FieldError, InvalidJobs
from dispatcher.intake.document import read_document
from dispatcher.intake.errors import InputError
from dispatcher.intake.source import Source, open_source
from dispatcher.intake.table import BadRow, read_rows
from dispatcher.model.check import Resolver
from dispatcher.model.fields import KNOWN
from dispatcher.model.job import JobReader, content_digest, named
from dispatcher.model.key import content_key
from dispatcher.model.records import NewJob

if TYPE_CHECKING:
    from dispatcher.intake.seen import Seen

CHUNK_JOBS = 1000
_TOLD_REPEATS = 10
_NAMES_TOLD = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A piece of a file, in its order.

    Attributes:
        jobs: the good jobs, each with a key.
        indexes: for each of `jobs` its place in the file, from 0, bad ones counted.
        unnamed: places in `jobs` (not in the file) of those whose key was made from their content.
        errors: what is wrong with the others, every problem of each.
        warnings: unknown fields and keys that stand twice, each told once in a file.
    """

    jobs: list[NewJob]
    indexes: list[int]
    unnamed: frozenset[int] = frozenset()
    errors: list[FieldError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def dicts(self) -> list[dict[str, Any]]:
        """`jobs` decoded, as the file has them: without the keys that were made from the content."""
        decoded: list[dict[str, Any]] = [orjson.loads(job.body) for job in self.jobs]
        for place in self.unnamed:
            del decoded[place]["uidSecondary"]
        return decoded


def read_jobs(
    path: str | os.PathLike[str],
    *,
    switches: int = 0,
    lenient_coordinates: bool = False,
    resolve: Resolver | None = None,
    chunk_jobs: int = CHUNK_JOBS,
) -> Iterator[Chunk]:
    """Read a file of jobs: a `createjobs` body, a JSON list, JSON lines or CSV, told by its content.

    Lines and rows stream. A list or body is mapped and its elements read one by one, so it needs memory as large as the
    file. A job without `uidSecondary` gets a key made from its content and its ordinal among equals, the same in every
    run.

    Args:
        path: of the file; "-" is standard input.
        switches: OR of AUTOASSIGN, SEND_ROUTE_CHANGE, IS_TEMPLATE for jobs whose file does not say.
        lenient_coordinates: unset and out-of-range coordinates are no errors.
        resolve: from a member's uid to the username.
        chunk_jobs: jobs in a chunk at most.

    Raises:
        InputError: the file as a whole cannot be used. Broken quoting in the middle of a CSV file raises it behind the
            chunks that came before; broken JSON raises it at once.
    """
    source = open_source(path)
    warnings: list[str] = []
    items: Iterable[tuple[int, Any]]
    try:
        if source.format == "document":
            document = read_document(source.whole(), name=source.name, switches=switches, line=source.line)
            switches, warnings = document.switches, document.warnings
            items = enumerate(document.jobs, 1)
        else:
            items = read_rows(source) if source.format == "table" else _lines(source)
        reader = JobReader(switches=switches, lenient_coordinates=lenient_coordinates, resolve=resolve)
        chunks = _Chunks(source, reader, warnings)
        yield from chunks.read(items, chunk_jobs)
    except OSError as error:
        raise InputError(f"{source.name} cannot be read: {error.strerror or error}") from error
    finally:
        source.file.close()


def _lines(source: Source) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(source.lines(), source.line):
        if not line.isspace():
            yield number, line


class _Chunks:
    """What runs through a file from chunk to chunk: the next index, what was seen, what was warned of.

    A job's *place* is its line, in a document its element's number from 1; it is what messages name.
    """

    def __init__(self, source: Source, read: JobReader, warnings: list[str]) -> None:
        from dispatcher.intake.seen import Seen  # noqa: PLC0415 - numpy is loaded only when there is something to read

        self._source = source
        self._read = read
        self._warnings = warnings
        self._index = 0
        self._keys: Seen = Seen()
        self._contents: Seen = Seen()
        self._told: set[str] = set()
        self._repeats = 0

    def read(self, items: Iterable[tuple[int, Any]], size: int) -> Iterator[Chunk]:
        jobs: list[NewJob] = []
        indexes: list[int] = []
        places: list[int] = []
        errors: list[FieldError] = []
        read, index, until = self._read, 0, size
        try:
            for index, (place, raw) in enumerate(items):
                if index == until:
                    yield self._chunk(jobs, indexes, places, errors)
                    jobs, indexes, places, errors = [], [], [], []
                    until += size
                try:
                    if isinstance(raw, bytes):
                        job = read(raw)
                    elif isinstance(raw, BadRow):
                        errors.append(FieldError(index=index, field="", message=str(raw), where=self._where(place)))
                        continue
                    else:
                        job = read(bytes(raw) if isinstance(raw, msgspec.Raw) else raw)
                except InvalidJobs as refused:
                    where = self._where(place)
                    errors += [_at(error, index, where) for error in refused.errors]
                    continue
                jobs.append(job)
                indexes.append(index)
                places.append(place)
        except InputError:
            if jobs or errors:
                yield self._chunk(jobs, indexes, places, errors)
            raise
        last = self._chunk(jobs, indexes, places, errors)
        if self._repeats > _TOLD_REPEATS:
            last.warnings.append(f"{self._source.name}: {self._repeats - _TOLD_REPEATS} more keys stand there again")
        if last.jobs or last.errors or last.warnings:
            yield last

    def _where(self, place: int) -> str:
        name = self._source.name
        return f"{name}[{place - 1}]" if self._source.format == "document" else f"{name}:{place}"

    def _chunk(self, jobs: list[NewJob], indexes: list[int], places: list[int], errors: list[FieldError]) -> Chunk:
        warnings, self._warnings = self._warnings, []
        bare = [place for place, job in enumerate(jobs) if not job.key]
        if bare:
            self._name(jobs, bare)
        if len(bare) < len(jobs):
            warnings += self._repeated(jobs, places, frozenset(bare))
        if new := self._read.extras - self._told:
            self._told |= new
            warnings.append(f"{self._source.name}: fields that the API does not document are passed on: {_names(new)}")
        return Chunk(jobs=jobs, indexes=indexes, unnamed=frozenset(bare), errors=errors, warnings=warnings)

    def _name(self, jobs: list[NewJob], bare: list[int]) -> None:
        """Give the jobs at these places a key made from content and ordinal."""
        import numpy as np  # noqa: PLC0415 - see above

        digests = [content_digest(jobs[place]) for place in bare]
        hashes = np.frombuffer(b"".join(digests), dtype=np.int64)[::2]
        ordinals = self._contents.ordinals(hashes).tolist()
        for place, digest, ordinal in zip(bare, digests, ordinals, strict=True):
            jobs[place] = named(jobs[place], content_key(digest, ordinal))

    def _repeated(self, jobs: list[NewJob], places: list[int], bare: frozenset[int]) -> Iterator[str]:
        """A warning for each of the first keys that stood in the file before."""
        import numpy as np  # noqa: PLC0415 - see above

        keyed = [place for place in range(len(jobs)) if place not in bare] if bare else range(len(jobs))
        hashes = np.fromiter((hash(jobs[place].key) for place in keyed), np.int64, len(keyed))
        earlier = self._keys.first_places(
            hashes, np.fromiter((places[place] for place in keyed), np.uint32, len(keyed))
        )
        for at in np.flatnonzero(earlier).tolist():
            self._repeats += 1
            if self._repeats <= _TOLD_REPEATS:
                place = keyed[at]
                first, again = self._where(int(earlier[at])), self._where(places[place])
                yield f"{again}: the key {jobs[place].key} stands at {first} too; taken as versions, this one the newer"


def _at(error: FieldError, index: int, where: str) -> FieldError:
    return FieldError(index=index, field=error.field, message=error.message, key=error.key, where=where)


def _names(names: set[str]) -> str:
    import difflib  # noqa: PLC0415 - only for this message

    shown = []
    for name in sorted(names)[:_NAMES_TOLD]:
        near = difflib.get_close_matches(name, KNOWN, n=1, cutoff=0.85)
        plain = ascii(name)[1:-1] if not name.isprintable() else name
        shown.append(f"{plain} (did you mean {near[0]}?)" if near else plain)
    more = f" and {len(names) - _NAMES_TOLD} more" if len(names) > _NAMES_TOLD else ""
    return ", ".join(shown) + more
