"""The wire client: Hellotracks' HTTP API as typed calls and one tree of errors."""

from dispatcher.hellotracks.client import Assignment, HellotracksClient
from dispatcher.hellotracks.created import CreatedJob, with_worker
from dispatcher.hellotracks.remote_job import RemoteJob, carries
from dispatcher.model.secret import Secret

__all__ = [  # noqa: RUF022 - in groups
    # the client
    "HellotracksClient",
    "Secret",
    # what it returns
    "Assignment",
    "CreatedJob",
    "RemoteJob",
    # judging and completing stored jobs
    "carries",
    "with_worker",
]
