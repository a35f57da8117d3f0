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
    status: Any = None


class DayStops:
    """Picks the jobs that somebody has and that are not over out of a getjobs reply. A sink for `Wire.call`.

    Attributes:
        stops: the jobs, with the fields that a day route needs.
    """

    __slots__ = ("_stream", "stops")

    def __init__(self) -> None:
        self._stream = JobStream(msgspec.json.Decoder(_Stop).decode)
        self.stops: list[dict[str, Any]] = []

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
        somebodys = job.worker or job.assigneeUsername or job.receiverUid
        over = job.tsDoneSuccess or job.tsDoneFailed or job.tsRejected or job.status == "archived"
        if somebodys and not over:
            self.stops.append(msgspec.to_builtins(job))
