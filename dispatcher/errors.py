"""One tree of errors. A type says what the caller may do next; the cause is kept (`__cause__`).

DispatcherError
├── ConfigError            a setting is unknown or wrong
├── InvalidJobs            refused here, before anything was stored
├── TooLate                a job cannot be taken back or changed any more
├── FleetUnusable          nobody can say who would get a job
├── SpoolError             the store
│   ├── SpoolUnusable      foreign, corrupted, newer or locked file: named and left alone
│   └── SpoolFull          no room: nothing of this call was stored, try later
└── RemoteError            a call to Hellotracks
    ├── NotSent            the request cannot have arrived: simply retry
    ├── OutcomeUnknown     it may have arrived: look the keys up, never resend blind
    ├── Throttled          back-pressure: the whole account waits
    ├── Rejected           refused for its content
    └── Denied             401/403, or not the API's address: stop sending, change nothing
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class DispatcherError(Exception):
    """Something in the dispatcher went wrong."""


class ConfigError(DispatcherError):
    """A setting is unknown, missing or has a value that cannot be used."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with one job.

    Attributes:
        index: place of the job in what was handed in, from 0.
        field: name of the job's field, or "" when the job as a whole is meant.
        message: what is wrong, in words a person can act on.
        key: the job's `uidSecondary` when it has one.
        where: file and line or element, such as "jobs.jsonl:17"; "" when it did not come from a file.
    """

    index: int
    field: str
    message: str
    key: str | None = None
    where: str = ""

    def __str__(self) -> str:
        place = self.where or f"job {self.index}"
        name = f" ({self.key})" if self.key else ""
        field = f"{self.field}: " if self.field else ""
        return f"{place}{name}: {field}{self.message}"


class InvalidJobs(DispatcherError):  # noqa: N818 - named for what is wrong, as the whole tree is
    """Jobs were refused for their content, before anything was stored.

    Attributes:
        errors: every problem found, in input order.
    """

    def __init__(self, errors: Sequence[FieldError]) -> None:
        self.errors = tuple(errors)
        more = f" (and {len(self.errors) - 1} more)" if len(self.errors) > 1 else ""
        super().__init__(f"{self.errors[0]}{more}" if self.errors else "invalid jobs")


class TooLate(DispatcherError):  # noqa: N818
    """A request may have carried the job already, or it is through: it cannot be taken back or changed any more."""


class FleetUnusable(DispatcherError):  # noqa: N818
    """There are no members and day routes to decide on right now; jobs go the way of the fallback."""


class SpoolError(DispatcherError):
    """The spool could not do what was asked."""


class SpoolUnusable(SpoolError):  # noqa: N818
    """The spool cannot be opened: not ours, damaged, of a newer version, or in use by another process."""


class SpoolFull(SpoolError):  # noqa: N818
    """The spool or its disk has no room. Nothing of this call was stored; what was stored before is safe.

    Attributes:
        retry_after_s: when it may be worth trying again.
    """

    def __init__(self, message: str, *, retry_after_s: float = 5.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RemoteError(DispatcherError):
    """A call to Hellotracks failed.

    Attributes:
        http_status: status of the reply, None when there was none.
    """

    def __init__(self, message: str, *, http_status: int | None = None) -> None:
        super().__init__(message)
        self.http_status = http_status


class NotSent(RemoteError):  # noqa: N818
    """The request cannot have arrived: the connection failed before the body was written."""


class OutcomeUnknown(RemoteError):  # noqa: N818
    """The request may have arrived and may have taken effect.

    Attributes:
        backpressure: True when it also says that the server is overloaded (time-out, 503).
        server_done: True when the server has finished with the request (it answered something or closed the
            connection), so that a look-up now is final; False when it may still be working on it (time-out).
        retry_after_s: the server's wish as a floor for the whole account (503), None when it named none.
    """

    def __init__(
        self,
        message: str,
        *,
        http_status: int | None = None,
        backpressure: bool = False,
        server_done: bool = True,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, http_status=http_status)
        self.backpressure = backpressure
        self.server_done = server_done
        self.retry_after_s = retry_after_s


class Throttled(RemoteError):  # noqa: N818
    """The server asked for less (429). The request was not carried out.

    Attributes:
        retry_after_s: the server's wish as a floor for the whole account, None when it named none.
    """

    def __init__(self, message: str, *, http_status: int | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message, http_status=http_status)
        self.retry_after_s = retry_after_s


class Rejected(RemoteError):  # noqa: N818
    """The server refused the request for its content.

    Attributes:
        status: Hellotracks' own `status` value when the reply carried one.
        remote_words: what the server said, shortened, never empty.
        too_large: True for 413: the batch, not a job, is the problem.
    """

    def __init__(
        self,
        message: str,
        *,
        http_status: int | None = None,
        status: int | None = None,
        remote_words: str = "",
        too_large: bool = False,
    ) -> None:
        super().__init__(message, http_status=http_status)
        self.status = status
        self.remote_words = remote_words or message
        self.too_large = too_large


class Denied(RemoteError):  # noqa: N818
    """The key is wrong or may not do this (401, 403), or this is not the API's address (3xx, 404, 405).

    Sending stops; no job is touched.
    """

    @property
    def about_key(self) -> bool:
        """True when the server refused the key, False when the address answers, but not as the API."""
        return self.http_status in {401, 403}
