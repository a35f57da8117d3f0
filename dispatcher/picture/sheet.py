"""From the globe to the sheet: Web Mercator in degrees, cut where nobody is."""

from __future__ import annotations

import math

import numpy as np

from dispatcher.picture.scene import Place, Scene

MOST_LAT = 85.05
"""Degrees; beyond that a Mercator map ends."""


def cut(scene: Scene) -> float:
    """The longitude at which the sheet is cut: those below it are drawn 360 degrees further east.

    It lies in the widest gap, so that a fleet across the antimeridian stays together; -180 for most.
    """
    places = [spot.place for spot in scene.spots] + [member.place for member in scene.members]
    lngs = np.unique([place[1] for place in places if place is not None])
    if len(lngs) < 2:
        return -180.0
    gaps = np.diff(lngs)
    widest = int(gaps.argmax())
    around = lngs[0] + 360.0 - lngs[-1]
    return float(lngs[widest + 1]) if gaps[widest] > around else -180.0


def unrolled(place: Place, at: float) -> Place:
    """A place with the longitude that it has on a sheet cut at `at`."""
    return place[0], place[1] + 360.0 if place[1] < at else place[1]


def mercator(place: Place) -> tuple[float, float]:
    """X and y in degrees: y is as long as x everywhere, and 180 at the edge of the map."""
    lat = math.radians(max(-MOST_LAT, min(MOST_LAT, place[0])))
    return place[1], math.degrees(math.asinh(math.tan(lat)))
