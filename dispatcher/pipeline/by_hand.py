"""Moves that a person asks for: taking back, changing and replaying jobs. Pure, beside the delivery rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from dispatcher.errors import FieldError, InvalidJobs
from dispatcher.model.job import read_job
from dispatcher.model.records import WITHDRAWN, Change, NewJob, Receipt
from dispatcher.model.state import State

UNSENT = (State.ACCEPTED, State.ASSIGNED, State.HELD)
"""Where the server does not have a job, and no request that could bring it there is under way."""
FAILED = (State.REJECTED, State.DEAD)
"""Where a replay leads back from."""


def withdraw(rows: Sequence[Receipt], *, words: str) -> Change:
    """Take unsent jobs back. They stay as dead letters of their own kind, so that none is sent again by accident.

    Args:
        rows: jobs; those that are not in `UNSENT` any more when the change is written are left alone.
        words: why, in a few words.
    """
    return Change(seqs=[row.seq for row in rows], to=State.DEAD, expect=UNSENT, error=f"{WITHDRAWN}{words}")


def replay(rows: Sequence[Receipt]) -> list[Change]:
    """Rejected or dead jobs begin anew: nothing decided, no attempt used. The last error stays until they are through.

    Args:
        rows: each the newest version of its key; an older one would overwrite newer content at the server.
    """
    alike: dict[tuple[State, int, int], list[Receipt]] = {}
    for row in rows:
        alike.setdefault((row.state, row.attempts, row.refusals), []).append(row)
    return [
        Change(
            seqs=[row.seq for row in group],
            to=State.ACCEPTED,
            expect=(state,),
            workers=[row.worker if row.preassigned else None for row in group],
            notes=[""] * len(group),
            autoassign=False,
            add_attempts=-attempts,
            add_refusals=-refusals,
            sent_at=0.0,
            settle_by=0.0,
        )
        for (state, attempts, refusals), group in alike.items()
    ]


def edited(row: Receipt, body: bytes, fields: Mapping[str, Any]) -> NewJob:
    """The job with other values, checked like any job that comes in.

    Args:
        row: the job, which gives key and switches.
        body: as it was stored.
        fields: value by field name; None takes the field out.

    Raises:
        InvalidJobs: the job would not be good; every problem is named.
    """
    if "uidSecondary" in fields and fields["uidSecondary"] != row.key:
        raise InvalidJobs(
            [FieldError(index=0, field="uidSecondary", message="is what the job is known by: it stays", key=row.key)]
        )
    job = orjson.loads(body) | dict(fields)
    return read_job({name: value for name, value in job.items() if value is not None}, switches=row.switches)
