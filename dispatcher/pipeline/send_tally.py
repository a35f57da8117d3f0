"""What the sender has sent, as plain numbers that a scrape reads."""

from __future__ import annotations

from dataclasses import dataclass, field

from dispatcher.errors import NotSent, OutcomeUnknown, Rejected, RemoteError, Throttled
from dispatcher.model.histogram import Histogram

BATCH_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)
REQUEST_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
WAIT_BUCKETS_S = (0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


@dataclass(slots=True)
class SendTally:
    """Counters of this process.

    Attributes:
        requests: createjobs requests that were started.
        jobs: jobs they carried.
        unsent, throttled, unknown, refused: how many of the requests ended so.
        sizes: jobs of each request.
        seconds: how long each took.
        waits: seconds each waited before, for limits, concurrency and pauses.
    """

    requests: int = 0
    jobs: int = 0
    unsent: int = 0
    throttled: int = 0
    unknown: int = 0
    refused: int = 0
    sizes: Histogram = field(default_factory=lambda: Histogram(BATCH_BUCKETS))
    seconds: Histogram = field(default_factory=lambda: Histogram(REQUEST_BUCKETS_S))
    waits: Histogram = field(default_factory=lambda: Histogram(WAIT_BUCKETS_S))

    def failed(self, error: RemoteError) -> None:
        """A request ended so."""
        match error:
            case NotSent():
                self.unsent += 1
            case Throttled():
                self.throttled += 1
            case Rejected():
                self.refused += 1
            case OutcomeUnknown():
                self.unknown += 1
            case _:
                pass
