"""Jobs as records for the kernels."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, radians, sin
from typing import Any

import numpy as np

from engine.job import Job
from engine.state import JOB, Records


def job_records(jobs: Sequence[Job], handle: int) -> Records:
    """Jobs as JOB records, (len(jobs),), handles counted from `handle`; row, needs and exclusions are left at 0."""
    return np.array([_record(job, handle + i) for i, job in enumerate(jobs)], dtype=JOB)


def _record(job: Job, handle: int) -> tuple[Any, ...]:
    lat, lng = radians(job.lat), radians(job.lng)
    flat = cos(lat)
    return (
        flat * cos(lng), flat * sin(lng), sin(lat), lat, lng, flat,
        job.opens_s, job.closes_s, job.on_site_s, job.drop, job.pick, job.number, job.scheduled, job.created,
        handle, 0, 0, 0, 0, 0, 0, job.lat == job.lat, job.checked_in,
    )  # fmt: skip


def stop_record(stop: Any) -> Records:
    """A stop taken out of a route as a JOB record, (1,), to be put in elsewhere."""
    record = np.zeros(1, dtype=JOB)
    for name in JOB.fields or ():
        if name in stop.dtype.fields:
            record[name] = stop[name]
    return record
