"""Hellotracks' job object as replies carry it: every field, with its default where the caller set nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

JOB_DEFAULTS: dict[str, Any] = {
    "carryOver": 1,
    "confirmationEmails": "",
    "contactEmail": "",
    "contactName": "",
    "contactPhone": "",
    "customFields": [],
    "day": 0,
    "destinationLat": 0.0,
    "destinationLng": 0.0,
    "destinationName": "",
    "destinationText": "",
    "dispatcherName": "",
    "dispatcherUid": "",
    "dispatcherUrl": "",
    "inputFormConfig": "",
    "itemsToDropoff": 0,
    "itemsToPickup": 0,
    "label": "",
    "linkedForms": "",
    "linkedZones": "",
    "manualChecks": "",
    "number": 0,
    "onSiteSeconds": 720,
    "orderId": 0,
    "placeName": "",
    "placeUid": "",
    "placeUrl": "",
    "priority": 5,
    "radius": 100,
    "scheduledEnd": 0,
    "scheduledStart": 0,
    "signatureName": "",
    "signaturePdf": "",
    "signatureSvg": "",
    "teamId": 0,
    "textDispatcher": "",
    "textReceiver": "",
    "tsAccepted": 0,
    "tsCheckIn": 0,
    "tsCheckNFC1": 0,
    "tsCheckNFC2": 0,
    "tsCheckOut": 0,
    "tsDoneFailed": 0,
    "tsDoneSuccess": 0,
    "tsRejected": 0,
    "tsScheduled": 0,
    "tsSignature": 0,
    "type": 0,
    "windowEnd": 2400,
    "windowStart": 0,
}
"""Defaults of all fields except those that the server sets (`SERVER_FIELDS`)."""

PERSON_FIELDS = ("assigneeName", "assigneeUsername", "receiverUid", "worker", "workerName")
"""Fields that follow from who the job is assigned to."""

SERVER_FIELDS = ("id", "uidSecondary", "status", "tsAssigned", "tsCreated", "tsSaved", *PERSON_FIELDS)
"""Fields kept outside of a job's stored text: its identity, its times, its person."""

MAX_SHAPES = 4096
"""Sets of field names for which the rest of the object is kept ready."""


class Defaults:
    """The part of the object that the caller did not set, as ready JSON text, one for each set of field names."""

    def __init__(self) -> None:
        self._rest: dict[tuple[str, ...], bytes] = {}

    def after(self, fields: Mapping[str, Any]) -> bytes:
        """What follows `fields` in the object: a comma before each remaining field, then the closing brace."""
        shape = tuple(fields)
        rest = self._rest.get(shape)
        if rest is None:
            if len(self._rest) >= MAX_SHAPES:
                self._rest.clear()
            missing = {name: value for name, value in JOB_DEFAULTS.items() if name not in fields}
            rest = b"," + orjson.dumps(missing)[1:] if missing else b"}"
            self._rest[shape] = rest
        return rest


def progress(job: Mapping[str, Any]) -> str:
    """`archived`, `success`, `failed` or `scheduled`, read off the object."""
    if job.get("status") == "archived":
        return "archived"
    if job.get("tsDoneSuccess"):
        return "success"
    return "failed" if job.get("tsDoneFailed") else "scheduled"
