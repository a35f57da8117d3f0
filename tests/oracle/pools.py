"""The small pools that worlds are drawn from: moments, zones, maps, hours, windows and stays, ordinary and not.

In every pool the plainest option stands first, so that hypothesis shrinks towards it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from math import asin, degrees
from random import Random
from typing import Any

NOWS = (
    datetime(2026, 11, 30, 7, 30, tzinfo=UTC),
    datetime(2026, 11, 30, 4, 0, tzinfo=UTC),
    datetime(2026, 11, 30, 9, 0, 30, 500_000, tzinfo=UTC),
    datetime(2026, 11, 30, 16, 45, tzinfo=UTC),
    datetime(2026, 11, 30, 23, 30, tzinfo=UTC),
    datetime(2026, 11, 30, 10, 30, tzinfo=UTC),
    datetime(2026, 3, 29, 0, 30, tzinfo=UTC),
    datetime(2026, 3, 29, 5, 0, tzinfo=UTC),
    datetime(2026, 3, 28, 23, 30, tzinfo=UTC),
    datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
    datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
    datetime(2026, 10, 25, 6, 15, tzinfo=UTC),
)
HOME_ZONES = ("UTC", "Europe/Rome", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kolkata", "America/New_York")
OTHER_ZONES = ("Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC", "Mars/Olympus", "", None, 7)


def clustered_places(random: Random, *, count: int) -> tuple[tuple[float, float], ...]:
    """Places around a few cities, most within ten kilometres of a centre."""
    centres = ((45.46, 9.19), (45.44, 12.33), (41.9, 12.5), (46.06, 13.24), (-33.87, 151.21))
    around = [(random.choice(centres), random.gauss(0, 0.08), random.gauss(0, 0.08)) for _ in range(count)]
    return tuple((lat + north, lng + east) for (lat, lng), north, east in around)


def scattered_places(random: Random, *, count: int) -> tuple[tuple[float, float], ...]:
    """Places all over the sphere, some of them near the poles and the date line."""
    places = [(degrees(asin(random.uniform(-1, 1))), random.uniform(-180, 180)) for _ in range(count - 60)]
    places += [(random.uniform(85, 90), random.uniform(-180, 180)) for _ in range(30)]
    places += [(random.uniform(-5, 5), random.choice((-1, 1)) * random.uniform(175, 180)) for _ in range(30)]
    return tuple(places)


MAPS: dict[str, tuple[tuple[float, float], ...]] = {
    "city": tuple((45.0 + row * 0.02, 9.0 + column * 0.02) for row in range(3) for column in range(3)),
    "county": tuple((45.0 + row * 0.25, 9.0 + column * 0.25) for row in range(3) for column in range(3)),
    "date line": ((0.0, 179.9), (0.0, -179.9), (0.0, 180.0), (0.0, -180.0), (0.1, 179.95), (-0.1, -179.95)),
    "pole": ((90.0, 0.0), (90.0, 120.0), (89.9, 0.0), (89.9, 180.0), (89.9, -180.0), (89.9, -90.0), (89.8, 45.0)),
    "long way home": ((45.0, 9.0), (45.02, 9.0), (45.0, 9.02), (49.5, 9.0), (45.01, 9.0)),
    "one street": ((45.0, 9.0), (45.01, 9.0), (45.02, 9.0), (45.03, 9.0)),
}
WIDE_MAPS = {
    "clusters": clustered_places(Random(1), count=400),
    "globe": scattered_places(Random(2), count=400),
    "one street": MAPS["one street"],
    "city": MAPS["city"],
}
"""Maps of big fleets, on which a spatial index has branches to skip; on the narrow ones everything ties."""
NO_PLACES: tuple[tuple[Any, Any], ...] = (
    (None, None),
    (0, 0.0),
    (90.5, 9.0),
    (45.0, -180.5),
    (float("nan"), 9.0),
    (45.0, float("inf")),
    (45.0, None),
)
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
HOURS: tuple[tuple[Any, Any], ...] = (
    (800, 1800),
    (800, 1800),
    (700, 1200),
    (900, 1730),
    (480, 1020),
    (600, 1200),
    (2200, 600),
    (600, 600),
    (0, 2400),
    (0, 1440),
    (1300, 2130),
    (0, 0),
)
BAD_HOURS: tuple[Any, ...] = (
    {"start": 800, "end": 2575},
    {"start": -10, "end": 900},
    {"start": 1980, "end": 2000},
    {"start": 8.5, "end": 1700},
    {"start": None, "end": 1700},
    {"end": 1700},
    {},
    None,
    "closed",
)
WINDOWS = (
    (0, 2400),
    (0, 2400),
    (0, 2400),
    (0, 2400),
    (0, 0),
    (0, 1200),
    (900, 1700),
    (1200, 1800),
    (800, 1000),
    (900, 930),
    (1000, 1200),
    (1100, 1100),
    (1300, 1700),
    (1700, 1800),
    (0, 900),
    (1800, 0),
    (2200, 2359),
    (1800, 1900),
)
BAD_WINDOWS: tuple[tuple[Any, Any], ...] = (
    (2575, 2590),
    (1200, 900),
    (None, None),
    ("ten", 1100),
    (860, 999),
    (-1, 2401),
)
STAYS = (600, 0, 300, 1800, 3600, 7200, None)
LONG_STAYS = (3600, 5400, 7200, 10_800)
MODES = ("car", "truck", "bicycle", "pedestrian", "van", "motorcycle", "rocket", None)
