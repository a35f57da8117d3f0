"""Where a job is, what happened to it, why it waits and when it goes next: told from its rows. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from dispatcher.flow import GateReport
from dispatcher.model.records import AUTOASSIGN, Receipt
from dispatcher.model.state import State
from dispatcher.pipeline.moves import REFUSALS_TO_REJECT

WaitsFor = Literal[
    "",
    "older_version",
    "assignment",
    "member",
    "backoff",
    "turn",
    "limit",
    "concurrency",
    "blocked",
    "breaker",
    "denied",
    "reply",
    "look_up",
    "process",
    "person",
]
"""Why a job does not move right now; "" when nothing is left to do.

- older_version: an older version of its key is not settled.
- assignment: it has not been looked at yet.
- member: nobody could take it; it is offered again.
- backoff: its next try has a time.
- turn: it is ready, and nothing is in its way but other jobs.
- limit, concurrency, blocked, breaker, denied: it is ready, and the account's gate says why it waits.
- reply: a request with it is under way.
- look_up: whether it arrived is looked up by key.
- process: nobody works on the spool.
- person: it is not sent until a person replays or edits it.
"""

_AT_THE_GATE: dict[str, str] = {
    "limit": "the account's rate limit",
    "concurrency": "a request under way to end",
    "blocked": "the pause that the server asked for",
    "breaker": "the server to come back (the breaker is open)",
    "denied": "a key that the server accepts",
}


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """One job, explained.

    Attributes:
        receipt: the version that is explained.
        where: where it is, in a sentence.
        happened: what happened so far, oldest first, a sentence each.
        waits_for: why it does not move, see `WaitsFor`.
        why: the same in a sentence, "" when nothing is left to do.
        next_at: Unix time of what comes next, None when no time can be named or nothing comes.
        next_step: what comes next, in a sentence.
        versions: version and state of every version of the key, oldest first.
        reasons: why no member can take it as things are now, a count and an example per code; None: was not asked.
    """

    receipt: Receipt
    where: str
    happened: list[str]
    waits_for: WaitsFor
    why: str
    next_at: float | None
    next_step: str
    versions: list[tuple[int, State]]
    reasons: dict[str, tuple[int, str | None]] | None = None


def explain(
    versions: Sequence[Receipt],
    *,
    now: float,
    clock: Callable[[float], str],
    owner: int | None,
    gate: GateReport | None = None,
    fleet: str = "",
    reasons: Mapping[str, Any] | None = None,
) -> Explanation:
    """Explain the newest version of a key.

    Args:
        versions: every version that is known, oldest first, at least one.
        now: Unix seconds.
        clock: a Unix time as people read it.
        owner: the process that works on the spool; 0: there is none; None: that is not known.
        gate: the account's gate, inside the process that sends; None outside of it.
        fleet: what is wrong with the fleet, "" when nothing is or it is not known.
        reasons: the engine's, by code.
    """
    row = versions[-1]
    older = [one for one in versions[:-1] if not one.state.settled]
    waits_for, why, next_at, next_step = _ahead(row, older, now=now, clock=clock, owner=owner, gate=gate, fleet=fleet)
    return Explanation(
        receipt=row,
        where=_where(row),
        happened=_happened(row, clock),
        waits_for=waits_for,
        why=why,
        next_at=next_at,
        next_step=next_step,
        versions=[(one.version, one.state) for one in versions],
        reasons=None if reasons is None else {code: (one.count, one.example) for code, one in reasons.items()},
    )


def _where(row: Receipt) -> str:
    to = _whom(row)
    match row.state:
        case State.ACCEPTED:
            return "In the spool, not looked at yet."
        case State.HELD:
            return "In the spool, held until a member can take it."
        case State.ASSIGNED:
            return f"In the spool, decided ({to}), ready to be sent."
        case State.SENDING:
            return f"On its way to the server ({to})."
        case State.UNKNOWN:
            return f"Perhaps at the server ({to}): a request with it went out and its outcome is not known."
        case State.CONFIRMED:
            return f"At the server as {row.remote_id or 'a job without id'} ({to})."
        case State.REJECTED:
            return "In the spool as a dead letter: the server refused it."
        case _ if row.withdrawn:
            return "In the spool, taken back before it was sent."
        case _:
            return "In the spool as a dead letter: it was given up."


def _whom(row: Receipt) -> str:
    if row.worker:
        return f"{row.worker}, named by the caller" if row.preassigned else row.worker
    if row.autoassign:
        return "the server assigns it" + (", as the caller wished" if row.switches & AUTOASSIGN else "")
    return "without a member"


def _happened(row: Receipt, clock: Callable[[float], str]) -> list[str]:
    found = [f"Accepted {clock(row.accepted_at)}."]
    if row.attempts:
        tries = "1 request" if row.attempts == 1 else f"{row.attempts} requests"
        found.append(f"{tries} may have gone out with it, the last {clock(row.sent_at)}.")
    if row.refusals:
        times = "once" if row.refusals == 1 else f"{row.refusals} times"
        believed = "" if row.state is State.REJECTED else f"; the {_nth(REFUSALS_TO_REJECT)} time is believed"
        found.append(f"The server refused it alone {times}{believed}.")
    if row.error:
        found.append(f"Last error: {row.error}")
    found.append(f"Last change {clock(row.updated_at)}.")
    return found


def _ahead(
    row: Receipt,
    older: Sequence[Receipt],
    *,
    now: float,
    clock: Callable[[float], str],
    owner: int | None,
    gate: GateReport | None,
    fleet: str,
) -> tuple[WaitsFor, str, float | None, str]:
    """Why it waits (code and sentence), when something comes and what."""
    if row.state is State.CONFIRMED:
        return "", "", None, "Nothing: it is done."
    if row.withdrawn:
        return "", "", None, "Nothing. `dispatcher dead replay --key` brings it back."
    if row.state.settled:
        return (
            "person",
            "It is not sent again by itself.",
            None,
            "`dispatcher dead replay` sends it as it is, `dispatcher dead edit` with other values.",
        )
    waits = _wait(row, older, now=now, clock=clock, gate=gate, fleet=fleet)
    if owner == 0:
        return (
            "process",
            f"No process works on this spool. Beyond that: {waits[1][0].lower()}{waits[1][1:]}",
            None,
            "It goes on when a dispatcher runs on this spool.",
        )
    return waits


def _wait(
    row: Receipt,
    older: Sequence[Receipt],
    *,
    now: float,
    clock: Callable[[float], str],
    gate: GateReport | None,
    fleet: str,
) -> tuple[WaitsFor, str, float | None, str]:
    later = row.next_at if row.next_at > now else None
    due = later or now
    if row.state is State.SENDING:
        return "reply", f"The request began {clock(row.sent_at)}.", None, "The server's reply settles it."
    if older and row.state is not State.UNKNOWN:
        first = older[0]
        why = f"Version {first.version} of the key goes first and is {first.state}."
        return "older_version", why, None, "It goes when every older version is settled."
    if row.state is State.UNKNOWN:
        final = f"; one that finds nothing is final from {clock(row.settle_by)}" if row.settle_by > now else ""
        words = f"It is looked up by key before anything else is done{final}."
        return _at_the_gate(gate, now, later) or ("look_up", words, due, f"Look-up {_when(later, clock)}.")
    if row.state is State.HELD:
        return "member", "No member can take it.", due, f"It is offered again {_when(later, clock)}."
    if row.state is State.ACCEPTED:
        because = f" The fleet is not usable: {fleet}." if fleet else ""
        return "assignment", f"It has not been decided who gets it.{because}", due, "The engine decides."
    if later:
        return (
            "backoff",
            f"It is tried again after a pause: {row.error or 'no error is known'}",
            later,
            (f"Ready to be sent again {_when(later, clock)}."),
        )
    return _at_the_gate(gate, now, later) or (
        "turn",
        "It waits for its turn among the jobs that are ready.",
        due,
        "It goes with one of the next requests.",
    )


def _at_the_gate(
    gate: GateReport | None, now: float, later: float | None
) -> tuple[WaitsFor, str, float | None, str] | None:
    """What keeps a due job from being sent or looked up; None when nothing does, or it cannot be known."""
    if gate is None or not gate.why or later is not None:
        return None
    next_at = None if gate.wait_s is None else now + gate.wait_s
    limits = f" ({gate.limits})" if gate.why == "limit" else ""
    return gate.why, f"The account waits for {_AT_THE_GATE[gate.why]}{limits}.", next_at, "Then it takes its turn."


def _when(later: float | None, clock: Callable[[float], str]) -> str:
    return clock(later) if later else "now"


def _nth(number: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(number, f"{number}th")
