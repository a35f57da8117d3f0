"""What the daemon answers: JSON, always; a refusal with Hellotracks' `status` and a message."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

from dispatcher.errors import InvalidJobs

OK = 0
"""`status` of a reply: all well."""
FAILED = 1
"""Anything else. Hellotracks documents no values but 0."""

SERVER = "hellotracks-dispatcher"
"""Instead of the names and versions of what it is built on."""

STOPPING = "the dispatcher is stopping"
STOPPING_S = 5.0
"""When it is worth asking again: a restart takes about so long."""

_CONTENT_TYPE = "application/json"


class Refusal(Exception):  # noqa: N818 - named for what it is
    """A request that is not carried out.

    Attributes:
        http_status: such as 413.
        message: why, in words that may be shown to the client.
        headers: more headers of the reply.
        close: whether the connection ends with the reply.
        extra: more fields of the reply's document.
    """

    def __init__(
        self,
        http_status: int,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        close: bool = False,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.message = message
        self.headers = dict(headers or {})
        self.close = close
        self.extra = dict(extra or {})

    def response(self) -> web.Response:
        """The reply to send."""
        response = json_reply(
            {"status": FAILED, "message": self.message, **self.extra},
            http_status=self.http_status,
            headers=self.headers,
        )
        if self.close:
            response.force_close()
        return response


def busy(message: str, *, retry_after_s: float, close: bool = False) -> Refusal:
    """503: nothing was taken; the same request is worth sending again after a while."""
    return Refusal(503, message, headers={"Retry-After": str(max(1, round(retry_after_s)))}, close=close)


def refused_jobs(bad: InvalidJobs, what: str = "nothing was accepted") -> Refusal:
    """400 with every problem of every job."""
    errors = [{"index": error.index, "field": error.field, "message": error.message} for error in bad.errors]
    return Refusal(400, f"{what}: {bad}", extra={"errors": errors})


def json_reply(content: Any, *, http_status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON document as a reply."""
    return web.Response(body=_json(content), status=http_status, content_type=_CONTENT_TYPE, headers=headers)


def _json(content: Any) -> bytes:
    try:
        return orjson.dumps(content)
    except orjson.JSONEncodeError:  # half a character out of a client's text, repeated in a message
        return json.dumps(content, ensure_ascii=False).encode(errors="replace")
