"""A job's own page: where it is, what happened, its versions, and why this member."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from dispatcher.daemon.reply import Refusal
from dispatcher.model.records import Receipt
from dispatcher.model.state import State
from dispatcher.pipeline import Dispatcher, as_dict
from dispatcher.pipeline.by_hand import FAILED, UNSENT


async def sheet(dispatcher: Dispatcher, key: str) -> dict[str, Any]:
    """Everything that is known of a job.

    Raises:
        Refusal: 404, the key is not known.
    """
    explanation = await dispatcher.explain(key)
    if explanation is None:
        raise Refusal(404, f"no job with the key {key}")
    receipt = explanation.receipt
    versions = await dispatcher.care.versions(key)
    bodies = await dispatcher.pipeline.spool.bodies(dispatcher.account, [receipt.seq])
    told: dict[str, Any] = msgspec.to_builtins(explanation)
    del told["receipt"]
    return {
        "receipt": line(receipt),
        "explanation": told,
        "versions": [line(row) for row in versions],
        "job": orjson.loads(bodies[receipt.seq]) if receipt.seq in bodies else None,
        "why": msgspec.to_builtins(await dispatcher.why(key)),
        "may": {
            "replay": receipt.state in FAILED,
            "withdraw": any(row.state in UNSENT for row in versions),
        },
    }


def line(receipt: Receipt) -> dict[str, Any]:
    """A row of a table."""
    return as_dict(receipt) | {"withdrawn": receipt.withdrawn, "settled": State(receipt.state).settled}
