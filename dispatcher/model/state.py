"""The states of a job in the spool and the moves between them (DESIGN: accepted → assigned → sending → confirmed)."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a job is. Every change is one durable transaction."""

    ACCEPTED = "accepted"
    """durable, not looked at yet"""
    ASSIGNED = "assigned"
    """decided (a member, or the fallback), ready to be sent when due"""
    SENDING = "sending"
    """written before the request goes out; after a crash it reads as unknown"""
    UNKNOWN = "unknown"
    """the request may have arrived: waits for a look-up by key"""
    HELD = "held"
    """no member now: waits for one (fallback `hold`)"""
    CONFIRMED = "confirmed"
    """the server has it"""
    REJECTED = "rejected"
    """the server said that this job is bad"""
    DEAD = "dead"
    """retries used up, or given up by hand"""

    @property
    def settled(self) -> bool:
        """True when nothing more will be done without a person asking."""
        return self in SETTLED


SETTLED = frozenset({State.CONFIRMED, State.REJECTED, State.DEAD})

MOVES: dict[State, frozenset[State]] = {
    State.ACCEPTED: frozenset({State.ASSIGNED, State.HELD, State.DEAD}),
    State.ASSIGNED: frozenset({State.SENDING, State.ACCEPTED, State.DEAD}),
    State.SENDING: frozenset({State.CONFIRMED, State.REJECTED, State.DEAD, State.UNKNOWN, State.ASSIGNED}),
    State.UNKNOWN: frozenset({State.CONFIRMED, State.ASSIGNED, State.DEAD, State.UNKNOWN}),
    State.HELD: frozenset({State.ACCEPTED, State.ASSIGNED, State.DEAD, State.HELD}),
    State.CONFIRMED: frozenset({State.CONFIRMED}),
    State.REJECTED: frozenset({State.ACCEPTED}),
    State.DEAD: frozenset({State.ACCEPTED}),
}
"""Allowed moves. From rejected and dead only a replay leads back; a confirmed job may get another member."""
