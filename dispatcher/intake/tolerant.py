"""JSON as Python reads it: NaN, Infinity and halves of surrogate pairs are let through, for later checks to name."""

from __future__ import annotations

import json
from typing import Any

from dispatcher.intake.errors import InputError


def tolerant_json(text: bytes, *, name: str, line: int = 1) -> Any:
    """The value of a text that a strict reader refused.

    Args:
        text: JSON in UTF-8.
        name: of the file, for messages.
        line: number of the text's first line in it.

    Raises:
        InputError: not UTF-8 or not JSON, with line and column.
    """
    try:
        return json.loads(text.decode())
    except UnicodeDecodeError as error:
        at = line + text.count(b"\n", 0, error.start)
        raise InputError(f"{name}:{at}: not UTF-8 at byte {error.start + 1}") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{name}:{line + error.lineno - 1}: not JSON at column {error.colno}: {error.msg}") from None
    except (ValueError, RecursionError):
        raise InputError(f"{name}: the JSON is nested too deep or has a number of too many digits") from None
