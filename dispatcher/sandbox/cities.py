"""Places where the generated fleet works: city centres with their time zones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class City:
    """A city that members and jobs gather around.

    Attributes:
        name: English name, unique in the table.
        lat: latitude of the centre, degrees.
        lng: longitude of the centre, degrees.
        timezone: IANA name.
    """

    name: str
    lat: float
    lng: float
    timezone: str


CITIES = (
    City("Vienna", 48.2082, 16.3738, "Europe/Vienna"),
    City("Berlin", 52.5200, 13.4050, "Europe/Berlin"),
    City("Milan", 45.4642, 9.1900, "Europe/Rome"),
    City("Paris", 48.8566, 2.3522, "Europe/Paris"),
    City("Madrid", 40.4168, -3.7038, "Europe/Madrid"),
    City("Amsterdam", 52.3676, 4.9041, "Europe/Amsterdam"),
    City("Barcelona", 41.3874, 2.1686, "Europe/Madrid"),
    City("Brussels", 50.8503, 4.3517, "Europe/Brussels"),
    City("Copenhagen", 55.6761, 12.5683, "Europe/Copenhagen"),
    City("Dublin", 53.3498, -6.2603, "Europe/Dublin"),
    City("Hamburg", 53.5511, 9.9937, "Europe/Berlin"),
    City("Lisbon", 38.7223, -9.1393, "Europe/Lisbon"),
    City("London", 51.5074, -0.1278, "Europe/London"),
    City("Lyon", 45.7640, 4.8357, "Europe/Paris"),
    City("Munich", 48.1351, 11.5820, "Europe/Berlin"),
    City("Prague", 50.0755, 14.4378, "Europe/Prague"),
    City("Rome", 41.9028, 12.4964, "Europe/Rome"),
    City("Stockholm", 59.3293, 18.0686, "Europe/Stockholm"),
    City("Warsaw", 52.2297, 21.0122, "Europe/Warsaw"),
    City("Zurich", 47.3769, 8.5417, "Europe/Zurich"),
    City("Chicago", 41.8781, -87.6298, "America/Chicago"),
    City("Dubai", 25.2048, 55.2708, "Asia/Dubai"),
    City("New York", 40.7128, -74.0060, "America/New_York"),
    City("San Francisco", 37.7749, -122.4194, "America/Los_Angeles"),
    City("Sao Paulo", -23.5505, -46.6333, "America/Sao_Paulo"),
    City("Singapore", 1.3521, 103.8198, "Asia/Singapore"),
    City("Sydney", -33.8688, 151.2093, "Australia/Sydney"),
    City("Tokyo", 35.6762, 139.6503, "Asia/Tokyo"),
)

DEFAULT_CITIES = CITIES[:5]
"""Where the fleet works when nothing is said."""


def cities_named(text: str) -> Sequence[City]:
    """The cities of a comma-separated list, in its order; names are compared without regard to case.

    An empty text means `DEFAULT_CITIES`, `all` the whole table.

    Raises:
        ValueError: a name is not in the table; the message names it and the known ones.
    """
    names = [part.strip() for part in text.split(",") if part.strip()]
    if not names:
        return DEFAULT_CITIES
    if [name.casefold() for name in names] == ["all"]:
        return CITIES
    by_name = {city.name.casefold(): city for city in CITIES}
    for name in names:
        if name.casefold() not in by_name:
            raise ValueError(f'city: unknown city "{name}" (known: {", ".join(city.name for city in CITIES)})')
    return [by_name[name.casefold()] for name in names]
