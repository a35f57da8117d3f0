"""Whether a job of ours may be offered to another member, to whom not, and what is written down: pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from dispatcher.model.records import Change, Receipt
from dispatcher.model.state import State
from dispatcher.pipeline.assigning import Found, note


class Why(StrEnum):
    """What took a job from its member."""

    REJECTED = "rejected"
    OFF_DUTY = "off duty"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReassignRules:
    """What an account wants.

    Attributes:
        on: whether jobs are offered at all.
        most: how many times one job is.
        send_route_change: tell the members' devices at once.
    """

    on: bool
    most: int
    send_route_change: bool = False


def is_ours(receipt: Receipt, *, rules: ReassignRules) -> bool:
    """Whether the member of a job was chosen here, and may be chosen anew.

    Not when its caller named the member, when the server chose, or when it was offered often enough.
    """
    chosen = receipt.state is State.CONFIRMED and receipt.worker and not receipt.preassigned and not receipt.autoassign
    return bool(chosen and receipt.remote_id) and len(passed_on(receipt.note)) < rules.most


def still_open(job: Mapping[str, Any], worker: str, why: Why) -> bool:
    """Whether a job, as the server has it now, is still with the member who was chosen here, and not begun.

    Who has given it to somebody else has decided, and so has the member who did not reject it after all.
    """
    over = ("tsDoneSuccess", "tsDoneFailed", "tsCheckIn")
    if any(job.get(name) for name in over) or job.get("status") == "archived":
        return False
    if (job.get("worker") or job.get("assigneeUsername")) != worker:
        return False
    return bool(job.get("tsRejected")) == (why is Why.REJECTED)


def passed_on(note_text: str) -> list[dict[str, Any]]:
    """The members who had a job before, oldest first, from the note of its receipt."""
    listed = orjson.loads(note_text).get("reassigned", []) if note_text else []
    return list(listed)


def question(body: bytes, worker: str, before: Sequence[str]) -> dict[str, Any]:
    """The job as the engine is asked: with its member, who is not considered, and those before excluded too."""
    job: dict[str, Any] = orjson.loads(body)
    listed = [field for field in job.get("customFields") or [] if isinstance(field, dict)]
    kept = [field for field in listed if field.get("key") != "excluded_workers"]
    own = [field.get("val") for field in listed if field.get("key") == "excluded_workers"]
    excluded = own[0] if own else job.get("custom_excluded_workers")
    names = [part for part in (str(excluded) if excluded else "").split(",") if part.strip()]
    kept.append({"key": "excluded_workers", "val": ",".join([*names, *before, worker])})
    return job | {"customFields": kept, "worker": worker}


def edit(job: Mapping[str, Any], worker: str) -> dict[str, Any]:
    """The fields to change at the server: the new member, who has neither rejected nor accepted it."""
    return {"worker": worker} | {name: 0 for name in ("tsRejected", "tsAccepted") if job.get(name)}


def reassigned(receipt: Receipt, found: Found, *, why: Why, at: float) -> Change:
    """The change of the receipt: another member, and in the note the new decision and who had the job before."""
    assert found.worker is not None  # noqa: S101 - somebody was found
    history = [*passed_on(receipt.note), {"from": receipt.worker, "why": why.value, "at": round(at, 3)}]
    words = orjson.dumps(orjson.loads(note(found)) | {"reassigned": history}).decode()
    return Change(
        seqs=[receipt.seq], to=State.CONFIRMED, expect=(State.CONFIRMED,), workers=[found.worker], notes=[words]
    )
