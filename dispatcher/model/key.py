"""Keys for jobs that come without one: a fresh one, or one that the same file gives again."""

from __future__ import annotations

import uuid_utils


def new_key() -> str:
    """A new key: a UUIDv7 as text, so that keys sort by the time they were made."""
    return str(uuid_utils.uuid7())


def content_key(digest: bytes, ordinal: int) -> str:
    """The key of a job of a file that sets none: the same content at the same ordinal gets the same key in every run.

    Args:
        digest: 16 bytes over the content alone; with the switches in it, another switch would create the job anew.
        ordinal: place among the equal jobs of the file, from 1.
    """
    return f"c-{digest.hex()}-{ordinal}"
