"""Looking for some jobs in the listing of a whole day, in flat memory."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec

from dispatcher.hellotracks.job_stream import JobStream
from dispatcher.hellotracks.remote_job import RemoteJob, from_api, identity


class _Keyed(msgspec.Struct, gc=False):
    uidSecondary: Any = None  # noqa: N815 - Hellotracks' own name


class DaySearch:
    """Picks the jobs with certain keys out of a getjobs reply. A sink for `Wire.call`.

    Attributes:
        found: key -> job. Of two jobs with one key, a job that is not archived goes first, then the first.
    """

    __slots__ = ("_keys", "_stream", "found")

    def __init__(self, keys: Collection[str]) -> None:
        self._keys = frozenset(keys)
        self._stream = JobStream(msgspec.json.Decoder(_Keyed).decode)
        self.found: dict[str, RemoteJob] = {}

    def feed(self, chunk: bytes) -> None:
        """The next piece of the reply."""
        for job, text in self._stream.feed(chunk):
            if identity(job.uidSecondary) in self._keys:
                self.look_at(msgspec.json.decode(text))

    def frame(self) -> bytes:
        """After the last piece: the reply without its jobs, to be judged."""
        return self._stream.frame()

    def look_at(self, job: object) -> None:
        """Keep a decoded job if it is one of those looked for."""
        remote = from_api(job) if isinstance(job, dict) else None
        if remote is None or remote.key not in self._keys:
            return
        known = self.found.get(remote.key)
        if known is None or (known.archived and not remote.archived):
            self.found[remote.key] = remote
