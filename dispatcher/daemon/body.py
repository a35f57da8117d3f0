"""A request's body, within a size and a time."""

from __future__ import annotations

import asyncio

from aiohttp import web

from dispatcher.daemon.reply import Refusal

SLOWEST_BYTES_S = 16_384
"""Each second of patience beyond the first ones must bring so many bytes: a slow line, but no client that drips."""


async def read_body(request: web.BaseRequest, *, max_bytes: int, timeout_s: float) -> bytes:
    """Read the whole body, whatever its content type.

    Args:
        request: its body is not read yet.
        max_bytes: of the body as it is meant; a compressed one is not unpacked any further.
        timeout_s: how long a small body may take; large ones have a second more for each `SLOWEST_BYTES_S`.

    Raises:
        Refusal: 413 above `max_bytes` (at once when the header says so), 408 when it comes too slowly, 400 when its
            framing or compression is broken.
    """
    content = request.content
    if (request.content_length or 0) > max_bytes:
        raise _too_large(max_bytes)
    if content.is_eof() and content.exception() is None:  # it came with the header, as small ones do
        body = content.read_nowait(-1)
        if len(body) > max_bytes:
            raise _too_large(max_bytes)
        return body
    parts: list[bytes] = []
    size = 0
    patient_until = asyncio.get_running_loop().time() + timeout_s
    try:
        async with asyncio.timeout_at(patient_until) as patience:
            async for part in content.iter_any():
                size += len(part)
                if size > max_bytes:
                    raise _too_large(max_bytes)
                parts.append(part)
                patience.reschedule(patient_until + size / SLOWEST_BYTES_S)
    except TimeoutError:
        raise Refusal(408, "the body comes too slowly", close=True) from None
    except web.RequestPayloadError as error:
        raise Refusal(400, "the body is damaged", close=True) from error
    return b"".join(parts)


def _too_large(max_bytes: int) -> Refusal:
    return Refusal(413, f"the body is larger than {max_bytes} bytes", close=True)
