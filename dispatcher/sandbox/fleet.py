"""A made-up company in real cities: members as `getaccounts` gives them, and jobs to send. Equal seeds, equal data."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from typing import Any

from dispatcher.sandbox.cities import DEFAULT_CITIES, City

METRES_PER_DEGREE = 111_195.0
"""Length of one degree of latitude on a sphere of radius 6 371 008.8 m."""
MEMBER_SPREAD_M = 4_000.0
"""Standard deviation of a member's distance from the centre, per axis."""
JOB_SPREAD_M = 5_000.0
"""Standard deviation of a job's distance from the centre, per axis."""

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
TEAMS = ((1, "Delivery"), (2, "Maintenance"), (3, "Installation"))

_FIRST_NAMES = (
    "Ann", "Bob", "Carla", "David", "Elena", "Farid", "Greta", "Hugo", "Ines", "Jan", "Katja", "Luca",
    "Mara", "Nils", "Olga", "Pavel", "Rosa", "Stefan", "Tara", "Viktor",
)  # fmt: skip
_LAST_NAMES = (
    "Adler", "Bauer", "Costa", "Dvorak", "Ekberg", "Ferrari", "Gruber", "Horvat", "Ivanov", "Jansen", "Keller", "Lopez",
    "Moreau", "Novak", "Olsen", "Petrov", "Rossi", "Silva", "Torres", "Weber",
)  # fmt: skip
_STREETS = ("Station Road", "Market Square", "Mill Lane", "Harbour Street", "Park Avenue", "Church Street", "Long Acre")
_TASKS = ("Delivery", "Meter check", "Repair", "Installation", "Pickup", "Inspection")
_SHIFTS = ((800, 1800), (800, 1800), (800, 1800), (700, 1500), (900, 1900), (600, 1400), (1200, 2000))
_TRAVEL_MODES = ("car", "van", "bicycle", "truck", "motorcycle", "pedestrian")
_TRAVEL_WEIGHTS = (55, 25, 10, 4, 4, 2)
_ON_SITE_S = (300, 300, 600, 600, 720, 900, 1200, 1800)
_PRIORITIES = (1, 3, 4, 5, 5, 5, 5, 6, 7, 8, 9, 10)
_JOB_TEAMS = (0, 0, 0, 0, 0, 0, 1, 1, 2, 3)
_BASE32 = "0123456789abcdefghjkmnpqrstvwxyz"


def generated_fleet(
    size: int, *, seed: int, now: float, cities: Sequence[City] = DEFAULT_CITIES
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Members and company, in the shapes of `getaccounts`' `accounts` and `getcompany`' `company`.

    Member i lives around city i modulo the number of cities. About 24 of 25 are workers; the rest are operators, and
    the last of a fleet of 20 or more is an admin. Nine of ten have a location younger than five minutes, a few have an
    old one or none; two of five start from a place of their own, half of these also end there.

    Args:
        size: number of members, 0 or more.
        seed: equal seeds give equal fleets.
        now: Unix seconds; locations are some seconds older.
        cities: where to put them, at least one.
    """
    rng = random.Random(f"fleet {seed}")
    now_ms = int(now * 1000)
    accounts = [_member(i, size, rng, cities[i % len(cities)], now_ms) for i in range(size)]
    return accounts, _company(cities)


def generated_jobs(
    count: int,
    *,
    seed: int,
    day: int,
    cities: Sequence[City] = DEFAULT_CITIES,
    windows: bool = True,
    keys: str = "job-",
) -> Iterator[dict[str, Any]]:
    """Jobs around the cities, one after the other, as a caller would put them into `createjobs`.

    Args:
        count: how many.
        seed: equal seeds give equal jobs.
        day: YYYYMMDD for all but about 2 in 100, which are undated (day 0).
        cities: job i lies around a city drawn at random, a few kilometres from its centre.
        windows: with True seven of eight have a two-hour window within 08:00 to 18:00; with False none has one.
        keys: `uidSecondary` is this text and the job's number in seven digits; empty: no `uidSecondary`.
    """
    rng = random.Random(f"jobs {seed}")
    draw, choice = rng.random, rng.choice
    for i in range(count):
        city = cities[int(draw() * len(cities))]
        lat, lng = _near(city, JOB_SPREAD_M, rng)
        job: dict[str, Any] = {"uidSecondary": f"{keys}{i:07d}"} if keys else {}
        job["destinationName"] = f"{choice(_TASKS)} {i}"
        job["destinationLat"] = lat
        job["destinationLng"] = lng
        job["destinationText"] = f"{choice(_STREETS)} {1 + int(draw() * 120)}, {city.name}"
        job["day"] = 0 if draw() < 0.02 else day
        job["priority"] = choice(_PRIORITIES)
        job["onSiteSeconds"] = choice(_ON_SITE_S)
        if team := choice(_JOB_TEAMS):
            job["teamId"] = team
        if windows and draw() < 0.875:
            half_hours = 16 + int(draw() * 17)  # 08:00 to 16:00
            start = half_hours // 2 * 100 + half_hours % 2 * 30
            job["windowStart"] = start
            job["windowEnd"] = start + 200
        yield job


def _member(i: int, size: int, rng: random.Random, city: City, now_ms: int) -> dict[str, Any]:
    first, last = rng.choice(_FIRST_NAMES), rng.choice(_LAST_NAMES)
    uid = _code(i)
    lat, lng = _near(city, MEMBER_SPREAD_M, rng)
    member: dict[str, Any] = {
        "id": uid,
        "uid": uid,
        "username": f"{first}.{last}.{i + 1}@sandbox.example".lower(),
        "name": f"{first} {last}",
        "email": f"{first}.{last}.{i + 1}@sandbox.example".lower(),
        "email_verified": True,
        "phone": f"+0055500{i:06d}",
        "phone_verified": False,
        "type": "person",
        "role": _role(i, size),
        "active_status": "",
        "color": f"#{rng.randrange(1 << 24):06x}",
        "language": "en",
        "teams": _teams(rng),
        "timezone": city.timezone,
        "travel_mode": rng.choices(_TRAVEL_MODES, _TRAVEL_WEIGHTS)[0],
        "vehicle_capacity": 0,
        "unit_distance": "SI",
        "unit_time": "24",
        "status_label": "",
        "status_label_ts": 0,
        "working_hours": _working_hours(i, rng),
        "ignore_working_hours_until_ts": 0,
        "route_start_time": -1,
        "battery_level": rng.randrange(15, 101),
        "battery_plugged": rng.random() < 0.2,
    }
    start_lat, start_lng = _near(city, MEMBER_SPREAD_M, rng)
    has_start, luck = rng.random() < 0.4, rng.random()
    if has_start:
        member |= {"route_start_lat": start_lat, "route_start_lng": start_lng}
        if luck < 0.5:
            member |= {"route_end_lat": start_lat, "route_end_lng": start_lng}
    freshness = rng.random()
    age_ms = int(rng.random() * 300_000) if freshness < 0.9 else 7_200_000
    ts = now_ms - age_ms
    if freshness < 0.96:
        head, speed = rng.randrange(360), round(rng.random() * 14, 1)
        member["location"] = {"lat": lat, "lng": lng, "ts": ts, "accuracy": 5 + i % 20, "head": head, "speed": speed}
    moving = "offduty" if luck > 0.98 else ("halted", "idling", "ontheway")[i % 3]
    member["states"] = {
        "login_status": "login",
        "location_services": True,
        "location_permission": True,
        "battery_save": False,
        "tracking_status": freshness < 0.9,
        "off_trackrecording": False,
        "off_gps_stationary": False,
        "moving": moving,
    }
    member["moving"] = moving
    member["timestamps"] = {
        "created": now_ms - 31_536_000_000,
        "login": now_ms - 3_600_000,
        "signal": ts,
        "tracking": ts,
    }
    return member


def _company(cities: Sequence[City]) -> dict[str, Any]:
    hours = {day: {"start": 800, "end": 1800} for day in WEEKDAYS}
    home = cities[0]
    return {
        "uid": "sandbx",
        "username": "company@sandbox.example",
        "type": "company",
        "name": "Sandbox Logistics",
        "timezone": home.timezone,
        "address": home.name,
        "location": {"lat": home.lat, "lng": home.lng},
        "settings": {},
        "teams_config": [
            {"id": number, "name": name, "working_hours": {**hours, "source": "team"}, "route": {}}
            for number, name in TEAMS
        ],
    }


def _near(city: City, spread_m: float, rng: random.Random) -> tuple[float, float]:
    """A place around the centre, normally distributed per axis, six decimals (about 0.1 m)."""
    sigma = spread_m / METRES_PER_DEGREE
    lat = city.lat + rng.gauss(0.0, sigma)
    lng = city.lng + rng.gauss(0.0, sigma) / math.cos(math.radians(city.lat))
    return round(lat, 6), round(lng, 6)


def _role(i: int, size: int) -> str:
    if i == size - 1 and size >= 20:
        return "admin"
    return "operator" if i % 25 == 24 else "worker"


def _teams(rng: random.Random) -> list[int]:
    return sorted(rng.sample([number for number, _ in TEAMS], rng.choice((1, 1, 2, 3))))


def _working_hours(i: int, rng: random.Random) -> dict[str, Any]:
    """One shift on every day; two of five members have two days off in a row, spread over the week."""
    start, end = rng.choice(_SHIFTS)
    first_off = i % 7 if rng.random() < 0.4 else None
    hours: dict[str, Any] = {}
    for number, day in enumerate(WEEKDAYS):
        off = first_off is not None and (number - first_off) % 7 < 2
        hours[day] = {"start": 0, "end": 0} if off else {"start": start, "end": end}
    hours["source"] = "individual"
    return hours


def _code(number: int) -> str:
    """Six characters that look like Hellotracks' short codes; different for every number below 32 ** 6."""
    scrambled = (number * 387_420_489 + 104_729) % 32**6  # an odd factor permutes the numbers below a power of two
    return "".join(_BASE32[scrambled >> shift & 31] for shift in range(25, -1, -5))
