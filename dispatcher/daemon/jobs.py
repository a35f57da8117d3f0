"""`/jobs`: where jobs are, and taking one back."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from dispatcher.daemon.access import desk_of
from dispatcher.daemon.created import receipt_document
from dispatcher.daemon.reply import Refusal, json_reply
from dispatcher.model.state import State

MOST_ROWS = 1000
DEFAULT_ROWS = 100
FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_HIGHEST_SEQ = 2**63 - 1


class Jobs:
    """The handlers. A request is about the account that its key opens."""

    def routes(self) -> list[web.AbstractRouteDef]:
        """Where they answer."""
        return [
            web.get("/jobs", self.page),
            web.get("/jobs/{key:.+}", self.show),
            web.delete("/jobs/{key:.+}", self.take_back),
        ]

    async def show(self, request: web.Request) -> web.Response:
        """`GET /jobs/{key}`: the newest version of a job; with `?explain=true` why it waits and why with whom."""
        key = request.match_info["key"]
        dispatcher = desk_of(request).dispatcher
        if _flag(request.query.get("explain", "false"), "explain"):
            explanation = await dispatcher.explain(key)
            if explanation is None:
                raise _unknown(key)
            told: dict[str, Any] = msgspec.to_builtins(explanation)
            del told["receipt"]
            told["choice"] = msgspec.to_builtins(await dispatcher.why(key))
            return json_reply(receipt_document(explanation.receipt) | {"explanation": told})
        receipt = await dispatcher.receipt(key)
        if receipt is None:
            raise _unknown(key)
        return json_reply(receipt_document(receipt))

    async def page(self, request: web.Request) -> web.Response:
        """`GET /jobs?state=held,dead&after=SEQ&limit=N`: receipts in the order of acceptance, a page at a time."""
        query = request.query
        names = ",".join(query.getall("state", [])).split(",")
        states = [_state(name.strip()) for name in names if name.strip()]
        after = _whole(query.get("after", "0"), "after", low=0, high=_HIGHEST_SEQ)
        limit = _whole(query.get("limit", str(DEFAULT_ROWS)), "limit", low=1, high=MOST_ROWS)
        rows = await desk_of(request).dispatcher.page(states=states, after_seq=after, limit=limit)
        return json_reply(
            {"jobs": [receipt_document(row) for row in rows], "next": rows[-1].seq if len(rows) == limit else None}
        )

    async def take_back(self, request: web.Request) -> web.Response:
        """`DELETE /jobs/{key}`: a job that was not sent never will be. 409 when it may be at the server already."""
        key = request.match_info["key"]
        dispatcher = desk_of(request).dispatcher
        withdrawal = await dispatcher.care.delete(key)
        withdrawn, left = ([receipt_document(row) for row in rows] for rows in (withdrawal.withdrawn, withdrawal.left))
        if left:
            states = ", ".join(f"version {row.version} is {row.state}" for row in withdrawal.left)
            raise Refusal(
                409, f"{key} cannot be taken back whole: {states}", extra={"withdrawn": withdrawn, "left": left}
            )
        if not withdrawn and await dispatcher.receipt(key) is None:
            raise _unknown(key)
        return json_reply({"withdrawn": withdrawn, "left": left})


def _unknown(key: str) -> Refusal:
    return Refusal(404, f"no job with the key {key}")


def _state(name: str) -> State:
    try:
        return State(name)
    except ValueError:
        raise Refusal(400, f"state: {name} is none of {', '.join(State)}") from None


def _flag(text: str, name: str) -> bool:
    if text.lower() in FLAGS:
        return FLAGS[text.lower()]
    raise Refusal(400, f"{name}: must be true or false")


def _whole(text: str, name: str, *, low: int, high: int) -> int:
    if text.isascii() and text.isdigit() and len(text) < 20 and low <= int(text) <= high:
        return int(text)
    raise Refusal(400, f"{name}: must be a whole number from {low} to {high}")
