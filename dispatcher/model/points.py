"""Named points between two writes: where a process may die and nothing may be lost.

The crash suite kills a process at every one of them. In ordinary life `reached` does nothing.
"""

from __future__ import annotations

from collections.abc import Callable

MEANING: dict[str, str] = {
    "open.before": "the spool is about to be opened",
    "open.recovered": "the spool is open, what was being sent reads as unknown, no stage runs yet",
    "accept.before": "jobs are checked, the store has not got them yet",
    "commit.before": "the store's transaction is written, not committed",
    "commit.after": "the store has committed, nobody has been told",
    "accept.after": "jobs are durable, their caller has not been told",
    "assign.claimed": "accepted jobs are claimed, nothing is decided",
    "assign.decided": "their members are decided, nothing of it is written",
    "assign.written": "the decisions are durable",
    "send.claimed": "assigned jobs are claimed for a request",
    "send.before": "a request is cut, `sending` is not written",
    "send.written": "`sending` is durable, the request is not out",
    "send.answered": "the request has ended, nothing of it is written",
    "settle.done": "the outcome of a request is durable",
    "settle.unknown": "it is durable that the outcome of a request is not known",
    "settle.split": "a refused batch is given back, to go out in halves",
    "settle.shrink": "a batch that was too large is given back",
    "settle.stop": "the key was refused, the batch is given back",
    "lookup.claimed": "unknown jobs are claimed, nobody was asked",
    "lookup.answered": "a look-up is back, nothing of it is written",
    "lookup.written": "what a look-up found is durable",
    "close.before": "the end has begun, requests may be under way",
    "close.drained": "no request is under way any more, the spool is open",
    "close.after": "the spool is closed",
}
"""What lies behind and ahead, by point."""

POINTS = tuple(MEANING)
"""All of them; closed."""


def _pass(_: str) -> None:
    """Nobody wants to know."""


reached: Callable[[str], None] = _pass
"""Called with a name of `POINTS` when the point is passed, in whichever thread gets there. Tests put their own here."""
