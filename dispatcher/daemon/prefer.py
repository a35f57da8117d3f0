"""The header `Prefer` (RFC 7240): `respond-async`, and `wait=SECONDS`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preference:
    """What the client would like.

    Attributes:
        respond_async: be answered as soon as the jobs are durable.
        wait_s: wait for outcomes at most so long, None: as long as the daemon does.
    """

    respond_async: bool = False
    wait_s: float | None = None


_NONE = Preference()


def read_preference(headers: Iterable[str]) -> Preference:
    """From the values of all `Prefer` headers; what is not understood is ignored, as the RFC asks for.

    Example:
        >>> read_preference(["respond-async, wait=10"])
        Preference(respond_async=True, wait_s=10.0)
    """
    respond_async, wait_s = False, None
    for header in headers:
        for wish in header.split(","):
            name, _, value = wish.partition(";")[0].strip().lower().partition("=")
            value = value.strip().strip('"')
            if name.strip() == "respond-async":
                respond_async = True
            elif name.strip() == "wait" and value.isascii() and value.isdigit() and len(value) < 10:
                wait_s = float(value)
    return Preference(respond_async, wait_s) if respond_async or wait_s is not None else _NONE
