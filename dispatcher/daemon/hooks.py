"""`POST /hooks/{account}`: Hellotracks' webhooks, in both generations of their form, guarded by a secret."""

from __future__ import annotations

import hmac
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qsl

import orjson
from aiohttp import hdrs, web

from dispatcher.daemon.body import read_body
from dispatcher.daemon.desk import Desk
from dispatcher.daemon.reply import OK, Refusal, json_reply
from dispatcher.model.secret import Secret
from dispatcher.pipeline.job_event import IGNORED, KNOWN, action_name, read_events
from dispatcher.settings import Settings

MAX_BYTES = 1024 * 1024
"""A delivery carries one job; no job is so large."""
MAX_FIELDS = 100
_BEARER = re.compile(r"bearer +", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook as it came.

    Attributes:
        action: in one spelling, see `action_name`.
        id: of the object that it is about, "" when it has none.
        jobs: the objects that it carries.
    """

    action: str
    id: str
    jobs: list[Mapping[str, Any]]


class Hooks:
    """The handler.

    Args:
        desks: the accounts by name, as they are at the moment.
        settings: sizes and times of the process.

    Attributes:
        tally: deliveries by account and kind: `taken`, `ignored` (nothing to do with jobs), `unknown` action.
    """

    def __init__(self, desks: Mapping[str, Desk], *, settings: Settings) -> None:
        self.tally: Counter[tuple[str, str]] = Counter()
        self._desks = desks
        self._settings = settings

    def routes(self) -> list[web.AbstractRouteDef]:
        """Where it answers."""
        return [web.post("/hooks/{account}", self.answer)]

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one delivery: what it tells is applied right after."""
        account = request.match_info["account"]
        desk = self._desks.get(account)
        if desk is None or not desk.settings.hook_key:
            raise Refusal(404, "not found")
        if not carries_key(request.headers.getall(desk.settings.hook_header, ()), desk.settings.hook_key):
            raise Refusal(401, "unauthorized")
        body = await read_body(
            request,
            max_bytes=min(MAX_BYTES, self._settings.max_body_bytes),
            timeout_s=self._settings.body_timeout_s,
        )
        events = desk.dispatcher.pipeline.events
        for delivery in read_deliveries(body, request.headers.get(hdrs.CONTENT_TYPE, "")):
            kind = "taken" if delivery.action in KNOWN else "ignored" if delivery.action in IGNORED else "unknown"
            self.tally[account, kind] += 1
            if kind == "taken" and events is not None:
                events.put(read_events(delivery.action, delivery.id, delivery.jobs))
        return json_reply({"status": OK})


def carries_key(values: tuple[str, ...] | list[str], key: Secret) -> bool:
    """Whether a header shows the key, alone or behind `Bearer`; compared in constant time."""
    wanted = key.reveal().encode()
    found = False
    for value in values:
        shown = value.strip()
        for text in (shown, _BEARER.sub("", shown, count=1) if _BEARER.match(shown) else shown):
            found |= hmac.compare_digest(wanted, text.encode(errors="surrogateescape"))
    return found


def read_deliveries(body: bytes, content_type: str) -> list[Delivery]:
    """The deliveries in a body: form parameters, or JSON with the same names (one object, or an array of them).

    Raises:
        Refusal: 400, it cannot be read.
    """
    return [_delivery(fields) for fields in _parameters(body, content_type)]


def _parameters(body: bytes, content_type: str) -> Iterator[Mapping[str, Any]]:
    if body.lstrip()[:1] in {b"{", b"["}:
        content = _json(body)
        yield from _objects(content, "the body")
    elif content_type.lower().startswith("multipart/form-data"):
        yield _multipart(body, content_type)
    else:
        try:
            yield dict(parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS))
        except (UnicodeDecodeError, ValueError):
            raise Refusal(400, "the form parameters cannot be read") from None


def _multipart(body: bytes, content_type: str) -> dict[str, Any]:
    head = f"Content-Type: {content_type}\r\n\r\n".encode(errors="replace")
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    fields: dict[str, Any] = {}
    for part in message.iter_parts() if message.is_multipart() else ():
        name, content = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes):
            fields[name] = content.decode(errors="replace")
    return fields


def _delivery(fields: Mapping[str, Any]) -> Delivery:
    action = fields.get("action") or fields.get("reason")
    if not isinstance(action, str) or not action.strip():
        raise Refusal(400, "action is missing")
    data = fields.get("data")
    if isinstance(data, str):
        data = _json(data.encode(errors="surrogatepass")) if data.strip() else None
    name = fields.get("id")
    return Delivery(
        action_name(action),
        name if isinstance(name, str) else "",
        [] if data is None else list(_objects(data, "data")),
    )


def _objects(content: object, what: str) -> Iterator[Mapping[str, Any]]:
    for one in content if isinstance(content, list) else [content]:
        if not isinstance(one, dict):
            raise Refusal(400, f"{what} must be a JSON object or an array of them")
        yield one


def _json(text: bytes) -> object:
    try:
        content: object = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Refusal(400, f"not JSON: {error}") from None
    return content
