"""`POST /jobs/replay`: rejected and dead jobs are sent once more, as they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from dispatcher.daemon.access import desk_of
from dispatcher.daemon.body import read_body
from dispatcher.daemon.created import receipt_document
from dispatcher.daemon.reply import Refusal, json_reply
from dispatcher.model.records import Receipt
from dispatcher.model.state import State
from dispatcher.pipeline import Dispatcher
from dispatcher.settings import Settings

MOST_ROWS = 1000
"""Jobs that one request replays."""
MOST_SCANNED = 20_000
"""Rows that one request looks at to find them."""
MOST_BYTES = 1024 * 1024
"""Of a request: a thousand of the longest keys, escaped."""
PAGE_ROWS = 1000

Again = Literal["rejected", "dead"]
Moment = Annotated[float, Meta(ge=0, le=1e11)]


class Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which jobs: those with these keys, or those that pass every filter.

    Attributes:
        keys: `uidSecondary` of jobs, in any state; those that a person took back too.
        state: only rejected or only dead ones.
        changed_since, changed_before: Unix seconds of the last change.
        error: with this text in the last error, whatever its case.
        after: only rows behind this number: where the reply before left off.
        limit: jobs at most.
        dry_run: only say which.
    """

    keys: Annotated[list[str], Meta(max_length=MOST_ROWS)] | None = None
    state: Again | list[Again] | None = None
    changed_since: Moment | None = None
    changed_before: Moment | None = None
    error: str | None = None
    after: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0
    limit: Annotated[int, Meta(ge=1, le=MOST_ROWS)] = MOST_ROWS
    dry_run: bool = False

    @property
    def states(self) -> tuple[State, ...]:
        """Where jobs are replayed from."""
        if not self.state:
            return State.REJECTED, State.DEAD
        return tuple(State(name) for name in dict.fromkeys([self.state] if isinstance(self.state, str) else self.state))

    def wants(self, row: Receipt) -> bool:
        """Whether a row passes the filters."""
        return (
            not row.withdrawn
            and (self.changed_since is None or row.updated_at >= self.changed_since)
            and (self.changed_before is None or row.updated_at < self.changed_before)
            and (self.error is None or self.error.casefold() in row.error.casefold())
        )


@dataclass(slots=True)
class Found:
    """What a wish comes down to.

    Attributes:
        rows: to be replayed.
        left: jobs that are not, and why.
        next: the row to go on after when there may be more.
    """

    rows: list[Receipt] = field(default_factory=list)
    left: list[dict[str, Any]] = field(default_factory=list)
    next: int | None = None

    def leave(self, key: str, row: Receipt | None, why: str) -> None:
        """This one is not replayed."""
        self.left.append({"uidSecondary": key, "state": row.state if row else None, "why": why})


_decode = msgspec.json.Decoder(Wish).decode


class Replay:
    """The handler. A request is about the account that its key opens.

    Args:
        settings: times of the process.
    """

    def __init__(self, *, settings: Settings) -> None:
        self._settings = settings

    def routes(self) -> list[web.AbstractRouteDef]:
        """Where it answers."""
        return [web.post("/jobs/replay", self.answer)]

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one request: which jobs begin anew, and which do not and why."""
        body = await read_body(request, max_bytes=MOST_BYTES, timeout_s=self._settings.body_timeout_s)
        wish = _wish(body)
        dispatcher = desk_of(request).dispatcher
        found = await (_chosen if wish.keys is None else _named)(dispatcher, wish)
        if not wish.dry_run:
            begun = {row.seq for row in await dispatcher.care.replay(found.rows)}
            for row in found.rows:
                if row.seq not in begun:
                    found.leave(row.key, row, "something else happened to it meanwhile")
            found.rows = await dispatcher.look(begun)
        return json_reply(
            {
                "dry_run": wish.dry_run,
                "replayed": [receipt_document(row) for row in found.rows],
                "left": found.left,
                "next": found.next,
            }
        )


def _wish(body: bytes) -> Wish:
    try:
        wish = _decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Refusal(400, f"body: {error}") from None
    filters = (wish.state, wish.changed_since, wish.changed_before, wish.error)
    if wish.keys is not None and any(given is not None for given in filters):
        raise Refusal(400, "body: keys and filters are two ways of naming jobs; give one of them")
    if wish.keys is None and all(given is None for given in filters):
        raise Refusal(400, 'body: name jobs by keys, or by state ({"state": ["rejected", "dead"]} for all)')
    return wish


async def _named(dispatcher: Dispatcher, wish: Wish) -> Found:
    found = Found()
    for key in dict.fromkeys(wish.keys or ()):
        row = await dispatcher.receipt(key)
        if row is None:
            found.leave(key, None, "no job with this key")
        elif row.state not in wish.states:
            found.leave(key, row, f"it is {row.state}; only rejected and dead jobs are sent once more")
        else:
            found.rows.append(row)
    return found


async def _chosen(dispatcher: Dispatcher, wish: Wish) -> Found:
    found = Found()
    after, scanned = wish.after, 0
    while True:
        page = await dispatcher.page(states=wish.states, after_seq=after, limit=PAGE_ROWS)
        for row in page:
            after = row.seq
            if wish.wants(row):
                newest = await dispatcher.receipt(row.key)
                if newest is None or newest.seq == row.seq:
                    found.rows.append(row)
                else:
                    found.leave(row.key, row, f"version {row.version} was replaced by a newer one")
            if len(found.rows) + len(found.left) >= wish.limit:
                found.next = after
                return found
        scanned += len(page)
        if len(page) < PAGE_ROWS:
            return found
        if scanned >= MOST_SCANNED:
            found.next = after
            return found
