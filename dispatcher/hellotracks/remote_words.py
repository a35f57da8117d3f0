"""What a server said, made fit for a message, a log line and a database column."""

from __future__ import annotations

import re
from typing import Any

import orjson

from dispatcher.model.secret import NO_SECRET, Secret

LONGEST = 300
"""Characters kept of a server's words."""
_LOOKED_AT = 16_384
"""Bytes of a text reply that are looked at."""
_NAMES = ("message", "errorMessage", "error_message", "error", "msg", "description", "detail", "reason", "title")

_HIDDEN = re.compile(r"(?is)<(script|style|head)\b.*?</\1\s*>|<!--.*?-->")
_TAG = re.compile(r"<[^<>]{0,500}>")


def tidy(text: str, secret: Secret = NO_SECRET) -> str:
    """One line of at most 300 printable characters, without the secret (a server may quote the key it was given)."""
    text = secret.scrub(text)
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 8 * LONGEST]).split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def words_of(document: Any, secret: Secret = NO_SECRET) -> str:
    """The server's message inside a decoded JSON reply; the reply itself, shortened, when it names none."""
    if isinstance(document, dict):
        for name in _NAMES:
            value = document.get(name)
            if isinstance(value, str) and value.strip():
                return tidy(value, secret)
            if isinstance(value, dict) and (inner := value.get("message")) and isinstance(inner, str):
                return tidy(inner, secret)
        errors = document.get("errors")
        if errors:
            return tidy(_compact(errors), secret)
    if isinstance(document, str):
        return tidy(document, secret)
    return tidy(_compact(document), secret)


def words_of_body(body: bytes, secret: Secret = NO_SECRET) -> str:
    """The server's message in a reply of any kind: JSON, HTML or text; "" when there is none."""
    start = body[:_LOOKED_AT]
    if start.lstrip()[:1] in {b"{", b"["}:
        try:
            return words_of(orjson.loads(body), secret)
        except ValueError:
            pass
    text = start.decode("utf-8", "replace")
    return tidy(_TAG.sub(" ", _HIDDEN.sub(" ", text)) if "<" in text else text, secret)


def _compact(document: Any) -> str:
    return orjson.dumps(document)[:_LOOKED_AT].decode("utf-8", "replace")
