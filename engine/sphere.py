# ruff: noqa: PLR0917 - kernels take positional arguments
"""Distances on the sphere. Angles in radians, unit vectors for bounds, metres for answers."""

from __future__ import annotations

from math import asin, sin, sqrt
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from engine._jit import kernel

RADIUS_M: Final = 6_371_008.8
"""Mean earth radius, metres."""

CHORD_MARGIN: Final = 2e-13
"""Added to chords of the unit sphere in bounds: 1e-6 m of tie is 1.6e-13, rounding less than a hundredth of it."""

Floats = npt.NDArray[np.float64]


@kernel
def metres(lat1: float, lng1: float, cos1: float, lat2: float, lng2: float, cos2: float) -> float:
    """Great-circle distance by the haversine formula; `cos` is the cosine of the latitude."""
    a = sin((lat2 - lat1) * 0.5)
    b = sin((lng2 - lng1) * 0.5)
    h = a * a + cos1 * cos2 * b * b
    return 2.0 * RADIUS_M * asin(sqrt(min(1.0, h)))


def set_place(target: npt.NDArray[Any], prefix: str, lat_deg: Floats, lng_deg: Floats) -> None:
    """Write degrees into the fields lat, lng, cos, x, y, z of records (`prefix` before each name); NaN stays NaN."""
    lat, lng = np.radians(lat_deg), np.radians(lng_deg)
    cos = np.cos(lat)
    target[f"{prefix}lat"] = lat
    target[f"{prefix}lng"] = lng
    target[f"{prefix}cos"] = cos
    target[f"{prefix}x"] = cos * np.cos(lng)
    target[f"{prefix}y"] = cos * np.sin(lng)
    target[f"{prefix}z"] = np.sin(lat)
