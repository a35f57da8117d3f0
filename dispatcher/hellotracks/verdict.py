"""What a reply means: an answer, or which error of the tree. Pure: no I/O.

| reply | raised |
|---|---|
| 2xx, JSON, status 0 | nothing |
| 2xx, JSON, status other than 0 | `Rejected` |
| 2xx without a status, not JSON, cut short, wrong shapes | `OutcomeUnknown`: something answered that is not the API |
| 3xx | `Denied`: redirects are not followed (the key would go along), the address is wrong; stop, change nothing |
| 401, 403 | `Denied` |
| 404, 405 | `Denied`: this is not the address of the API; no job is at fault |
| 408 | `OutcomeUnknown(backpressure=True)` |
| 413 | `Rejected(too_large=True)` |
| 429 | `Throttled` |
| other 4xx | `Rejected` |
| 503 | `OutcomeUnknown(backpressure=True)`, with its `Retry-After` |
| other 5xx | `OutcomeUnknown` |

The same types are raised for reads, where an unknown outcome only means that the question was not answered.
"""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from dispatcher.errors import Denied, OutcomeUnknown, Rejected, RemoteError, Throttled
from dispatcher.hellotracks.remote_words import tidy, words_of, words_of_body
from dispatcher.model.secret import NO_SECRET, Secret


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP reply, read.

    Attributes:
        action: name of the call, for messages.
        http_status: the status code.
        body: the content; for statuses outside 2xx perhaps only its beginning.
        retry_after_s: the `Retry-After` header in seconds, None when there was none.
        location: the `Location` header of a redirect without its query, "" when there was none.
        secret: what must not be quoted from it.
    """

    action: str
    http_status: int
    body: bytes
    retry_after_s: float | None = None
    location: str = ""
    secret: Secret = NO_SECRET


def refusal(reply: Reply) -> RemoteError | None:
    """The error that the HTTP status alone stands for; None for 2xx."""
    code = reply.http_status
    if 200 <= code < 300:
        return None
    words = words_of_body(reply.body, reply.secret)
    said = f"{reply.action}: HTTP {code}{': ' if words else ''}{words}"
    if code in {401, 403}:
        return Denied(said, http_status=code)
    if code in {404, 405}:
        return Denied(f"{said} (base_url is not the API's address)", http_status=code)
    if 300 <= code < 400:
        where = tidy(reply.location, reply.secret) or "another place"
        return Denied(
            f"{reply.action}: HTTP {code} leads to {where}: base_url is not the API's address", http_status=code
        )
    if code == 429:
        return Throttled(said, http_status=code, retry_after_s=reply.retry_after_s)
    if code in {408, 503}:
        return OutcomeUnknown(said, http_status=code, backpressure=True, retry_after_s=reply.retry_after_s)
    if 400 <= code < 500:
        return Rejected(said, http_status=code, remote_words=words, too_large=code == 413)
    return OutcomeUnknown(said, http_status=code)


def document(reply: Reply) -> dict[str, Any]:
    """The JSON object of a 2xx reply of `/api` whose status is 0.

    Raises:
        Rejected: its status is another number.
        OutcomeUnknown: not a JSON object, or without a readable status.
    """
    decoded = _json_object(reply)
    value = decoded.get("status")
    status = _status(value)
    if status is None:
        raise foreign(
            reply, "no status" if value is None else f"a status that is no number ({tidy(repr(value), reply.secret)})"
        )
    if status != 0:
        rest = {name: part for name, part in decoded.items() if name != "status"}
        words = words_of(rest, reply.secret) if rest else ""
        said = f"{reply.action}: refused with status {status}{': ' if words else ''}{words}"
        raise Rejected(said, http_status=reply.http_status, status=status, remote_words=words)
    return decoded


def items(reply: Reply) -> list[Any]:
    """`data.items` of a 2xx reply of `/v1`.

    Raises:
        Rejected: it carries an `error` instead.
        OutcomeUnknown: another shape.
    """
    decoded = _json_object(reply)
    if decoded.get("error"):
        words = words_of(decoded, reply.secret)
        raise Rejected(f"{reply.action}: refused: {words}", http_status=reply.http_status, remote_words=words)
    data = decoded.get("data")
    found = data.get("items") if isinstance(data, dict) else None
    if not isinstance(found, list):
        raise foreign(reply, "no data.items")
    return found


def listed(reply: Reply, decoded: dict[str, Any], name: str) -> list[Any]:
    """A list inside a decoded reply.

    Raises:
        OutcomeUnknown: missing or not a list.
    """
    found = decoded.get(name)
    if not isinstance(found, list):
        raise foreign(reply, f"no list {name!r}")
    return found


def foreign(reply: Reply, lack: str) -> OutcomeUnknown:
    """The error for a reply that the API does not give."""
    words = words_of_body(reply.body, reply.secret)
    said = f"{reply.action}: HTTP {reply.http_status} with {lack}{': ' if words else ''}{words}"
    return OutcomeUnknown(said, http_status=reply.http_status)


def _json_object(reply: Reply) -> dict[str, Any]:
    lack = "no JSON object"
    try:
        decoded = orjson.loads(reply.body)
    except ValueError:
        decoded, lack = None, "no JSON" if reply.body.strip() else "an empty body"
    # raised outside of the handler: the decoder's error holds the whole reply
    if not isinstance(decoded, dict):
        raise foreign(reply, lack)
    return decoded


def _status(value: object) -> int | None:
    """0, 17, "0" and 0.0 are numbers; words, true, null and the rest are not Hellotracks'."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        # a fraction is not zero, so it must not be cut down to it
        return int(value) if isinstance(value, int | str) or value.is_integer() else 1
    except ValueError:
        return None
