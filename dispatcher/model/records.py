"""What crosses the seams: a job on its way in, a job taken out of the spool, a change of state, a receipt."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from dispatcher.model.state import State

AUTOASSIGN = 1
SEND_ROUTE_CHANGE = 2
IS_TEMPLATE = 4

WITHDRAWN = "withdrawn: "
"""How the error of a dead job begins that a person took back before it was sent."""


class NewJob(msgspec.Struct, frozen=True, gc=False):
    """A validated job that is to be stored.

    Attributes:
        key: the job's `uidSecondary`, unique per account.
        body: the job as one JSON object in UTF-8, as it will be sent, `uidSecondary` included.
        digest: 16 bytes over the canonical content and the switches; equal digest means same content.
        switches: the caller's wishes for the whole request, an OR of AUTOASSIGN, SEND_ROUTE_CHANGE, IS_TEMPLATE.
        worker: `worker` (or the `receiverUid`) that the caller named; None when the engine or the fallback decides.
        day: YYYYMMDD, 0 for none.
        priority: 0 to 10, 10 first.
    """

    key: str
    body: bytes
    digest: bytes
    switches: int = 0
    worker: str | None = None
    day: int = 0
    priority: int = 5


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """What `Spool.accept` says of one job.

    Attributes:
        seq: the row's number, rising in the order of acceptance, unique in the spool.
        version: 1 for a new key, one more for each new content of it.
        state: the row's state right now (`accepted` for a new row).
        fresh: True when this call stored the row; False when the same key with the same content was there already.
    """

    seq: int
    version: int
    state: State
    fresh: bool


class SpooledJob(msgspec.Struct, frozen=True, gc=False):
    """A job taken out of the spool to work on.

    Attributes:
        seq, key, version, body, switches, day, priority: as stored.
        state: state of the row at the moment of the claim.
        worker: the member the caller named or the engine decided on; None when there is none.
        preassigned: True when the caller named the member.
        autoassign: True when the decision was to let the server assign.
        attempts: how many times a request that carried it may have gone out.
        sent_at: Unix time of the last attempt's start, 0 when there was none.
        settle_by: for unknown rows, Unix time from which a look-up that finds nothing is final.
        refusals: how many times the server refused a request that carried this job alone.
    """

    seq: int
    key: str
    version: int
    body: bytes
    switches: int
    day: int
    priority: int
    state: State
    worker: str | None
    preassigned: bool
    autoassign: bool
    attempts: int
    sent_at: float
    settle_by: float
    refusals: int


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """The same move for one or many jobs: one transaction writes it whole or not at all.

    A row that is not in one of `expect` (or does not exist) is left alone and reported by `Spool.apply`.

    Attributes:
        seqs: rows to move.
        to: the new state.
        expect: states a row must be in.
        workers: per row the decided member (None: none), or None to leave the column as it is.
        autoassign: the decision to let the server assign, or None to leave the column as it is.
        notes: per row a short JSON text about the decision, or None to leave it.
        remote_ids: per row Hellotracks' `id`, or None to leave it.
        next_at: Unix time in seconds before which the row is not claimed again.
        add_attempts: added to `attempts`.
        add_refusals: added to `refusals`.
        sent_at: Unix time of the attempt's start, None to leave it.
        settle_by: Unix time from which a look-up that finds nothing is final, None to leave it.
        error: the reason in words, "" to clear, None to leave it.
    """

    seqs: Sequence[int]
    to: State
    expect: tuple[State, ...]
    workers: Sequence[str | None] | None = None
    autoassign: bool | None = None
    notes: Sequence[str | None] | None = None
    remote_ids: Sequence[str | None] | None = None
    next_at: float = 0.0
    add_attempts: int = 0
    add_refusals: int = 0
    sent_at: float | None = None
    settle_by: float | None = None
    error: str | None = None


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one job as its caller sees it; ask again by key for a newer one.

    Attributes:
        account: name of the account.
        key: the job's `uidSecondary`.
        version: 1 for the first content of the key.
        seq: row number in the spool.
        state: see `State`.
        worker: username (or uid) of the member, None when none was set by the caller or the engine.
        preassigned: True when the caller named the member.
        autoassign: True when the server was asked to assign.
        day: YYYYMMDD, 0 for none.
        priority: 0 to 10.
        remote_id: Hellotracks' `id` once confirmed.
        attempts: requests that may have gone out with it.
        refusals: how many times the server refused a request that carried this job alone.
        sent_at: Unix time of the last attempt's start, 0 when there was none.
        settle_by: for unknown jobs, Unix time from which a look-up that finds nothing is final.
        switches: the caller's wishes, see `NewJob`.
        next_at: Unix time before which nothing happens, 0 when it is due.
        error: last error in words, "" when there was none.
        note: the decision as short JSON text (distance_m, added_travel_s, position, start_s), "" when there is none.
        accepted_at: Unix time of the durable acceptance.
        updated_at: Unix time of the last change.
    """

    account: str
    key: str
    version: int
    seq: int
    state: State
    worker: str | None = None
    preassigned: bool = False
    autoassign: bool = False
    day: int = 0
    priority: int = 5
    remote_id: str | None = None
    attempts: int = 0
    refusals: int = 0
    sent_at: float = 0.0
    settle_by: float = 0.0
    switches: int = 0
    next_at: float = 0.0
    error: str = ""
    note: str = ""
    accepted_at: float = 0.0
    updated_at: float = 0.0

    @property
    def withdrawn(self) -> bool:
        """True when a person took the job back before it was sent: it is dead, but nothing went wrong."""
        return self.state is State.DEAD and self.error.startswith(WITHDRAWN)
