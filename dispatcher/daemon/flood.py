"""Keeps a log from filling a disk: of each kind of line so many a second, and what was left out is counted."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from dispatcher.model.event import Event

USUAL_PER_S = 10.0
USUAL_BURST = 200.0
"""Of what goes well: each batch of most accounts, and a sample of a very busy one's."""
TROUBLE_PER_S = 0.2
TROUBLE_BURST = 50.0
"""Of what goes wrong: an outage says the same for hours."""
MOST_KINDS = 1_000

_Kind = tuple[str, ...]


@dataclass(slots=True)
class _Bucket:
    """What one kind of line may still say, and how often it was left out since it was last said."""

    tokens: float
    at: float
    left_out: int = 0


class Flood(logging.Filter):
    """Lets a record through when its kind has not been said too often, with `suppressed` = how many were not.

    A kind is a logger and a message before its values are filled in; of an event it is its name, account and outcome.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[_Kind, _Bucket] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is said."""
        kind, trouble = _kind(record)
        per_s, burst = (TROUBLE_PER_S, TROUBLE_BURST) if trouble else (USUAL_PER_S, USUAL_BURST)
        with self._lock:
            now = self._clock()
            bucket = self._buckets.get(kind)
            if bucket is None:
                bucket = self._buckets[kind] = _Bucket(burst, now)
                if len(self._buckets) > MOST_KINDS:
                    self._buckets.popitem(last=False)
            else:
                self._buckets.move_to_end(kind)
            bucket.tokens = min(burst, bucket.tokens + (now - bucket.at) * per_s)
            bucket.at = now
            if bucket.tokens < 1.0:
                bucket.left_out += 1
                return False
            bucket.tokens -= 1.0
            if bucket.left_out:
                record.suppressed = bucket.left_out
                bucket.left_out = 0
            return True


def _kind(record: logging.LogRecord) -> tuple[_Kind, bool]:
    """What counts as the same line, and whether it tells of trouble."""
    what = record.msg
    if isinstance(what, Event):
        account, outcome = str(what.fields.get("account", "")), str(what.fields.get("outcome", "ok"))
        return (record.name, what.name, account, outcome), outcome != "ok" or record.levelno >= logging.WARNING
    return (record.name, record.levelname, str(what)), record.levelno >= logging.WARNING
