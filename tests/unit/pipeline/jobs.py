"""Spooled jobs for the tests of the pipeline's pure parts."""

from __future__ import annotations

from typing import Any

from dispatcher.model.records import SpooledJob
from dispatcher.model.state import State


def spooled(seq: int, **fields: Any) -> SpooledJob:
    """A decided job, ready to be sent; any field can be given."""
    plain: dict[str, Any] = {
        "seq": seq,
        "key": f"K-{seq}",
        "version": 1,
        "body": b'{"uidSecondary":"K-%d"}' % seq,
        "switches": 0,
        "day": 20261130,
        "priority": 5,
        "state": State.ASSIGNED,
        "worker": None,
        "preassigned": False,
        "autoassign": False,
        "attempts": 0,
        "sent_at": 0.0,
        "settle_by": 0.0,
        "refusals": 0,
    }
    return SpooledJob(**(plain | fields))
