"""The fields of a job as Hellotracks names them, with type and range: one schema for checking, CSV and messages."""
# ruff: noqa: N815 - the names are the API's own

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct

INT_MAX = 2**31 - 1
"""Hellotracks documents these fields as `int`, which is 32 bits on its side (`long` is another type there)."""
LONG_MAX = 2**63 - 1
KEY_MAX = 255
"""Characters of `uidSecondary`. The API documents no limit; this is what an indexed text column usually takes."""

Text = str | None
Count = Annotated[int, Meta(ge=0, le=INT_MAX)] | None
Long = Annotated[int, Meta(ge=0, le=LONG_MAX)] | None
Clock = Annotated[int, Meta(ge=0, le=2400)] | None
Kind = Annotated[int, Meta(ge=0, le=2)] | None
Priority = Annotated[int, Meta(ge=0, le=10)] | None
Degrees = float | None


class JobFields(Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True):
    """A job's known fields; None is "not set". Those that callers write often come first, which makes decoding faster.

    Its encoding is the canonical form of a job: `uidSecondary` first, then always this order. Rules between fields,
    calendar days and the ranges of coordinates are not part of it; `job.py` has them.
    """

    uidSecondary: Annotated[str, Meta(min_length=1, max_length=KEY_MAX)] | None = None
    destinationName: Text = None
    destinationLat: Degrees = None
    destinationLng: Degrees = None
    destinationText: Text = None
    day: Count = None
    windowStart: Clock = None
    windowEnd: Clock = None
    onSiteSeconds: Count = None
    teamId: Count = None
    priority: Priority = None
    type: Kind = None
    number: Count = None
    worker: Text = None
    receiverUid: Text = None
    itemsToDropoff: Count = None
    itemsToPickup: Count = None
    textDispatcher: Text = None
    notes: Text = None
    contactName: Text = None
    contactPhone: Text = None
    contactEmail: Text = None
    placeUid: Text = None
    orderId: Long = None
    fileNumber: Text = None
    customFields: list[dict[str, Any]] | None = None
    destinationUrl: Text = None
    textReceiver: Text = None
    dispatcherUid: Text = None
    dispatcherName: Text = None
    dispatcherUrl: Text = None
    placeName: Text = None
    placeUrl: Text = None
    radius: Count = None
    workerName: Text = None
    workerEmail: Text = None
    workerPhone: Text = None
    assigneeName: Text = None
    assigneeUsername: Text = None
    carryOver: Annotated[int, Meta(ge=0, le=1)] | None = None
    label: Text = None
    labels: Text = None
    linkedForms: Text = None
    linkedZones: Text = None
    submittedForms: Text = None
    confirmationEmails: Text = None
    inputFormConfig: Text = None
    manualChecks: Text = None
    signatureName: Text = None
    signatureSvg: Text = None
    signaturePdf: Text = None
    scheduledStart: Long = None
    scheduledEnd: Long = None
    tsCreated: Long = None
    tsSaved: Long = None
    tsScheduled: Long = None
    tsSignature: Long = None
    tsAssigned: Long = None
    tsAccepted: Long = None
    tsRejected: Long = None
    tsDoneSuccess: Long = None
    tsDoneFailed: Long = None
    tsCheckIn: Long = None
    tsCheckOut: Long = None
    tsCheckNFC1: Long = None
    tsCheckNFC2: Long = None


class Rule(NamedTuple):
    """What a field must be.

    Attributes:
        kind: `list` is the one of `customFields`.
        low, high: bounds of a number, or of the length of a text; None where there is none.
    """

    kind: Literal["text", "whole", "number", "list"]
    low: int | None = None
    high: int | None = None


KNOWN = frozenset(JobFields.__struct_fields__)
"""Names that the schema knows. `id`, `custom_*` and the `extra_*` inputs are known too, but handled apart."""

UNTYPED = frozenset(
    f"extra_{kind}_{number}_{end}" for kind in ("number", "text") for number in range(1, 5) for end in ("key", "val")
) | {"extra_number_types", "extra_text_types", "status"}
"""Fields of the job object that are passed on unchecked: the worker's own input fields and the read-only status."""


@functools.cache
def rules() -> Mapping[str, Rule]:
    """The schema as a table, in the order of `JobFields`."""
    from msgspec import inspect  # noqa: PLC0415 - only the slow path and CSV need it

    table: dict[str, Rule] = {}
    for field in msgspec.structs.fields(JobFields):
        info = inspect.type_info(field.type)
        options = info.types if isinstance(info, inspect.UnionType) else (info,)
        for option in options:
            if isinstance(option, inspect.IntType):
                table[field.name] = Rule("whole", option.ge, option.le)
            elif isinstance(option, inspect.FloatType):
                table[field.name] = Rule("number")
            elif isinstance(option, inspect.StrType):
                table[field.name] = Rule("text", option.min_length, option.max_length)
            elif isinstance(option, inspect.ListType):
                table[field.name] = Rule("list")
    return table
