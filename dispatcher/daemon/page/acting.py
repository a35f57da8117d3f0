"""What a person does from the page: replaying dead letters, taking jobs back."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from dispatcher.daemon.reply import Refusal
from dispatcher.pipeline import Dispatcher
from dispatcher.pipeline.by_hand import FAILED

_log = logging.getLogger("dispatcher.daemon")

MOST_KEYS = 1000


def keys_in(document: Mapping[str, Any]) -> list[str]:
    """The keys of a request `{"keys": […]}`, each once.

    Raises:
        Refusal: 400, they are not a list of texts, or too many.
    """
    keys = document.get("keys")
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys) or len(keys) > MOST_KEYS:
        raise Refusal(400, f"keys: must be a list of at most {MOST_KEYS} texts")
    return list(dict.fromkeys(keys))


async def replay(dispatcher: Dispatcher, keys: list[str]) -> dict[str, Any]:
    """Rejected and dead jobs begin anew; what is neither is left alone."""
    rows = [row for key in keys if (row := await dispatcher.receipt(key)) is not None and row.state in FAILED]
    begun = await dispatcher.care.replay(rows)
    _log.info("%d jobs of %s are replayed from the page", len(begun), dispatcher.account)
    return {"status": 0, "replayed": [row.key for row in begun]}


async def withdraw(dispatcher: Dispatcher, keys: list[str]) -> dict[str, Any]:
    """Jobs that were not sent never will be; what may be at the server is left alone."""
    withdrawn = [key for key in keys if (await dispatcher.care.delete(key)).withdrawn]
    _log.info("%d jobs of %s are withdrawn from the page", len(withdrawn), dispatcher.account)
    return {"status": 0, "withdrawn": withdrawn}
