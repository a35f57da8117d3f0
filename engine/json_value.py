"""JSON values whose type nobody promises."""

from __future__ import annotations

import math
from typing import TypeGuard


def is_number(value: object) -> TypeGuard[int | float]:
    """A number, and not a truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_amount(value: object) -> TypeGuard[int | float]:
    """A finite number, 0 or above."""
    return is_number(value) and 0 <= value < math.inf


def number(value: object) -> float:
    """A finite number, else 0.0."""
    return float(value) if is_number(value) and math.isfinite(value) else 0.0


def positive(value: object) -> float:
    """A finite number above 0, else 0.0."""
    return float(value) if is_amount(value) else 0.0


def text(value: object) -> str | None:
    """A non-empty text (a whole number is written out), else None."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value else None


def coordinates(lat: object, lng: object) -> tuple[float, float] | None:
    """Two values as (latitude, longitude), degrees; None when one is no number in range or both are exactly 0."""
    if not is_number(lat) or not is_number(lng):
        return None
    if not (-90 <= lat <= 90 and -180 <= lng <= 180) or (lat == 0 and lng == 0):
        return None
    return float(lat), float(lng)
