"""Hellotracks' reply to `createjobs`, written by the daemon for its own clients. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import orjson

from dispatcher.daemon.reply import FAILED, OK
from dispatcher.model.job_object import JOB_DEFAULTS, PERSON_FIELDS
from dispatcher.model.records import NewJob, Receipt
from dispatcher.model.state import State
from dispatcher.pipeline import as_dict

_NOBODY = dict.fromkeys(PERSON_FIELDS, "")
_plain = re.compile(r"[A-Za-z0-9_.~-]*").fullmatch
"""Keys that stand in a path as they are: nearly all, and quoting costs as much as reading a job."""
_FAILED = (State.REJECTED, State.DEAD)


def outcome(jobs: Sequence[NewJob], receipts: Sequence[Receipt]) -> tuple[int, dict[str, Any]]:
    """HTTP status and document for the jobs of a request as things are now.

    - All confirmed: 200, `status` 0, the full job objects in the request's order.
    - All through, some not created: 200, `status` 1, the job objects of those that were, `errors` for the others.
    - Some neither through nor refused: 202 with where each is, `status` 1 and `errors` if some were refused already.

    Args:
        jobs: as they were stored.
        receipts: aligned with `jobs`.
    """
    failed = [(place, receipt) for place, receipt in enumerate(receipts) if receipt.state in _FAILED]
    document: dict[str, Any] = {"status": FAILED if failed else OK}
    if failed:
        count = "1 job was" if len(failed) == 1 else f"{len(failed)} jobs were"
        document["message"] = f"{count} not created: {failed[0][1].error}"
        document["errors"] = [
            {"index": place, "uidSecondary": receipt.key, "state": receipt.state, "message": receipt.error}
            for place, receipt in failed
        ]
    if any(not receipt.state.settled for receipt in receipts):
        document["jobs"] = [whereabouts(receipt.key, receipt.state) for receipt in receipts]
        return 202, document
    document["jobs"] = [
        job_object(job, receipt)
        for job, receipt in zip(jobs, receipts, strict=True)
        if receipt.state is State.CONFIRMED
    ]
    return 200, document


def whereabouts(key: str, state: State) -> dict[str, str]:
    """A job that is not through yet: its key, its state, and where to ask for it."""
    return {"uidSecondary": key, "state": state, "receipt": receipt_path(key)}


def receipt_path(key: str) -> str:
    """The path at which a job's receipt is."""
    return f"/jobs/{key if _plain(key) else quote(key, safe='')}"


def receipt_document(receipt: Receipt) -> dict[str, Any]:
    """A receipt as clients get it: Hellotracks' name for the key, and the path to ask at again."""
    return {"uidSecondary": receipt.key, "receipt": receipt_path(receipt.key)} | as_dict(receipt)


def job_object(job: NewJob, receipt: Receipt) -> dict[str, Any]:
    """The full object of a confirmed job: what was sent over the documented defaults, with its id, member and times.

    Who the server chose under `autoassign` is not known here; the member is then empty. So are names of people.
    """
    sent: dict[str, Any] = orjson.loads(job.body)
    by_uid = receipt.preassigned and not sent.get("worker")
    worker = "" if by_uid or receipt.worker is None else receipt.worker
    saved = _ms(receipt.updated_at)
    return (
        JOB_DEFAULTS
        | _NOBODY
        | sent
        | {
            "id": receipt.remote_id,
            "uidSecondary": receipt.key,
            "worker": worker,
            "assigneeUsername": worker,
            "tsCreated": _ms(receipt.accepted_at),
            "tsAssigned": saved if receipt.worker else 0,
            "tsSaved": saved,
        }
    )


def _ms(at: float) -> int:
    return round(at * 1000)
