"""The open stops of a whole day out of its listing, in memory that grows with the stops and not with the listing."""

from __future__ import annotations

from typing import Any

import msgspec

from dispatcher.hellotracks.job_stream import JobStream


class _Stop(msgspec.Struct, gc=False, omit_defaults=True):
    """What a day route needs of a job; everything else is skipped while decoding."""

    uidSecondary: Any = None  # noqa: N815 - Hellotracks' own names, here and below
    id: Any = None
    worker: Any = None
    assigneeUsername: Any = None  # noqa: N815
    receiverUid: Any = None  # noqa: N815
    destinationLat: Any = None  # noqa: N815
    destinationLng: Any = None  # noqa: N815
    day: Any = None
    number: Any = None
    scheduledStart: Any = None  # noqa: N815
    windowStart: Any = None  # noqa: N815
    windowEnd: Any = None  # noqa: N815
    onSiteSeconds: Any = None  # noqa: N815
    itemsToDropoff: Any = None  # noqa: N815
    itemsToPickup: Any = None  # noqa: N815
    tsCreated: Any = None  # noqa: N815
    tsCheckIn: Any = None  # noqa: N815
    tsAccepted: Any = None  # noqa: N815
    tsRejected: Any = None  # noqa: N815
    tsDoneSuccess: Any = None  # noqa: N815
    tsDoneFailed: Any = None  # noqa: N815
    tsSaved: Any = None  # noqa: N815
    status: Any = None


class DayStops:
    """Picks the jobs that somebody has and that are not over out of a getjobs reply. A sink for `Wire.call`.

    Attributes:
        stops: the jobs, with the fields that a day route needs.
        rejected: likewise those that their member rejected.
        newest_ms: the latest `tsSaved` of all jobs in the listing, those that are no stops included, 0 without any:
            the listing shows at least everything that was saved before.
    """

    __slots__ = ("_stream", "newest_ms", "rejected", "stops")

    def __init__(self) -> None:
        self._stream = JobStream(msgspec.json.Decoder(_Stop).decode)
        self.stops: list[dict[str, Any]] = []
        self.rejected: list[dict[str, Any]] = []
        self.newest_ms = 0

    def feed(self, chunk: bytes) -> None:
        """The next piece of the reply."""
        for job, _ in self._stream.feed(chunk):
            self._keep(job)

    def frame(self) -> bytes:
        """After the last piece: the reply without its jobs, to be judged."""
        return self._stream.frame()

    def look_at(self, job: object) -> None:
        """Keep a decoded job if it is a stop."""
        if isinstance(job, dict):
            self._keep(msgspec.convert(job, _Stop))

    def _keep(self, job: _Stop) -> None:
        if isinstance(job.tsSaved, int | float) and job.tsSaved > self.newest_ms:
            self.newest_ms = int(job.tsSaved)
        somebodys = job.worker or job.assigneeUsername or job.receiverUid
        if not somebodys or job.tsDoneSuccess or job.tsDoneFailed or job.status == "archived":
            return
        (self.rejected if job.tsRejected else self.stops).append(msgspec.to_builtins(job))
