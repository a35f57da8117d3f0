"""A job's fields, checked: what the caller hands in, and the stops of a `getjobs` reply."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, NoReturn

from engine.clock import day_ordinal
from engine.errors import EngineError
from engine.json_value import coordinates, is_amount, number, positive, text
from engine.member import fold

ON_SITE_S: Final = 720.0
"""Time on site when a job names none, seconds (the API's own default)."""

PRIORITY: Final = 5
"""Priority when a job names none (the API's own default)."""


MOST: Final = 1e9
"""Seconds on site and items are cut here (30 years): larger ones would swallow minutes in sums of floats."""


class Job(NamedTuple):
    """A job or stop, in units of the rules.

    Attributes:
        key: `uidSecondary`, None when there is none.
        uid: `id` of a saved stop.
        member: what names its member (`worker` and the like), None when nothing does.
        by_uid: True when `member` is a uid, False when it is a username.
        day: YYYYMMDD, 0 for today (a job) or undated (a stop).
        lat, lng: degrees; NaN when unset or bad.
        opens_s, closes_s: window on the day's clock, seconds; inf when open.
        on_site_s: seconds.
        drop, pick: items.
        priority: 10 first.
        number, scheduled, created: order in the day route; inf stands for "last".
        team: 0 for any.
        skills, excluded: what custom fields ask for.
        checked_in: the stop is under way.
        accepted: its member accepted it.
    """

    key: str | None
    uid: str | None
    member: str | None
    by_uid: bool
    day: int
    lat: float
    lng: float
    opens_s: float
    closes_s: float
    on_site_s: float
    drop: float
    pick: float
    priority: int
    number: float
    scheduled: float
    created: float
    team: int
    skills: tuple[str, ...]
    excluded: tuple[str, ...]
    checked_in: bool
    accepted: bool = False


def read_job(index: int, job: object) -> Job:
    """A job of a batch.

    Raises:
        EngineError: names the job's index and the field that cannot be read.
    """
    if not isinstance(job, Mapping):
        _refuse(index, "", "is not an object")
    get = job.get
    lat, lng = get("destinationLat"), get("destinationLng")
    for name, value in (("destinationLat", lat), ("destinationLng", lng)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            _refuse(index, name, f"must be a number, not {value!r}")
    spot = coordinates(lat, lng)
    start, end = get("windowStart"), get("windowEnd")
    opens, closes = (0.0, math.inf) if start is None and end is None else _window(index, start, end)
    worker = _name(index, "worker", get("worker"))
    receiver = None if worker else _name(index, "receiverUid", get("receiverUid"))
    day = _whole(index, "day", get("day"), 0)
    if day != 0 and day_ordinal(day) is None:
        _refuse(index, "day", f"{day} is no day YYYYMMDD")
    priority = _whole(index, "priority", get("priority"), PRIORITY)
    if priority > 10:
        _refuse(index, "priority", f"must be 0 to 10, not {priority}")
    team, number, planned, created = get("teamId"), get("number"), get("scheduledStart"), get("tsCreated")
    drop, pick = get("itemsToDropoff"), get("itemsToPickup")
    skills: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    if "customFields" in job or "custom_skills" in job or "custom_excluded_workers" in job:
        skills = tuple(sorted({fold(part) for part in _custom(index, job, "skills") if part.strip()}))
        excluded = tuple(part.strip() for part in _custom(index, job, "excluded_workers") if part.strip())
    return Job(
        key=_key(index, get("uidSecondary")),
        uid=None,
        member=worker or receiver,
        by_uid=worker is None,
        day=day,
        lat=spot[0] if spot else math.nan,
        lng=spot[1] if spot else math.nan,
        opens_s=opens,
        closes_s=closes,
        on_site_s=_amount(index, "onSiteSeconds", get("onSiteSeconds"), ON_SITE_S),
        drop=0.0 if drop is None else _amount(index, "itemsToDropoff", drop, 0.0),
        pick=0.0 if pick is None else _amount(index, "itemsToPickup", pick, 0.0),
        priority=priority,
        number=math.inf if number is None else _last(_whole(index, "number", number, 0, floor=None)),
        scheduled=math.inf if planned is None else _last(_whole(index, "scheduledStart", planned, 0, floor=None)),
        created=math.inf if created is None else _last(_whole(index, "tsCreated", created, 0, floor=None)),
        team=0 if team is None else _whole(index, "teamId", team, 0, floor=None),
        skills=skills,
        excluded=excluded,
        checked_in=_given(get("tsCheckIn")),
        accepted=_given(get("tsAccepted")),
    )


def read_stop(record: Mapping[str, Any]) -> Job | None:
    """A job of a `getjobs` reply as a stop; None when it is done, failed, rejected, archived, undated or nobody's.

    Nothing is refused: an unreadable end of a window is open, an unreadable time on site is 720 s, unreadable numbers
    are 0.
    """
    get = record.get
    if (
        _given(get("tsDoneSuccess"))
        or _given(get("tsDoneFailed"))
        or _given(get("tsRejected"))
        or get("status") == "archived"
    ):
        return None
    raw_day = get("day")
    day = int(raw_day) if isinstance(raw_day, str) and raw_day.isascii() and raw_day.isdigit() else int(number(raw_day))
    if day <= 0 or day_ordinal(day) is None:
        return None
    username = text(get("worker")) or text(get("assigneeUsername"))
    member = username or text(get("receiverUid"))
    if member is None:
        return None
    spot = coordinates(get("destinationLat"), get("destinationLng"))
    opens, closes = _clock(get("windowStart"), 0.0), _clock(get("windowEnd"), math.inf)
    on_site = get("onSiteSeconds")
    return Job(
        key=text(get("uidSecondary")),
        uid=text(get("id")),
        member=member,
        by_uid=username is None,
        day=day,
        lat=spot[0] if spot else math.nan,
        lng=spot[1] if spot else math.nan,
        opens_s=0.0 if opens is None else opens,
        closes_s=math.inf if closes is None else closes,
        on_site_s=min(float(on_site), MOST) if is_amount(on_site) else ON_SITE_S,
        drop=min(positive(get("itemsToDropoff")), MOST),
        pick=min(positive(get("itemsToPickup")), MOST),
        priority=PRIORITY,
        number=_last(number(get("number"))),
        scheduled=_last(number(get("scheduledStart"))),
        created=positive(get("tsCreated")),
        team=0,
        skills=(),
        excluded=(),
        checked_in=_given(get("tsCheckIn")),
    )


def _refuse(index: int, field: str, message: str) -> NoReturn:
    raise EngineError(message, field=field, index=index)


def _window(index: int, start: object, end: object) -> tuple[float, float]:
    opens, closes = _clock(start, 0.0), _clock(end, math.inf)
    if opens is None:
        _refuse(index, "windowStart", f"{start!r} is no time of day HHMM")
    if closes is None:
        _refuse(index, "windowEnd", f"{end!r} is no time of day HHMM")
    if opens > closes:
        _refuse(index, "windowStart", f"{start} is later than windowEnd {end}")
    return opens, closes


def _clock(value: object, unset: float) -> float | None:
    """HHMM as seconds. Missing and 0 are `unset`, 2400 as the end of a window too; None when it cannot be read."""
    if value is None:
        return unset
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 2400 or value != int(value):
        return None
    number = int(value)
    if number % 100 >= 60:
        return None
    if number == 0 or (number == 2400 and unset == math.inf):
        return unset
    return number // 100 * 3600.0 + number % 100 * 60.0


def _whole(index: int, field: str, value: object, default: int, *, floor: int | None = 0) -> int:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value != int(value):
        _refuse(index, field, f"must be a whole number, not {value!r}")
    if floor is not None and value < floor:
        _refuse(index, field, f"must not be negative, is {value!r}")
    return int(value)


def _amount(index: int, field: str, value: object, default: float) -> float:
    if value is None:
        return default
    if not is_amount(value):
        _refuse(index, field, f"must be a number, 0 or above, not {value!r}")
    return min(float(value), MOST)


def _key(index: int, value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    _refuse(index, "uidSecondary", f"must be a text, not {value!r}")


def _name(index: int, field: str, value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value or None
    _refuse(index, field, f"must be a text, not {value!r}")


def _custom(index: int, job: Mapping[str, Any], name: str) -> list[str]:
    """A comma list from `customFields`, else from `custom_<name>`."""
    value = job.get(f"custom_{name}")
    fields = job.get("customFields")
    if fields:
        if not isinstance(fields, list | tuple):
            _refuse(index, "customFields", "must be a list of {key, val}")
        for entry in fields:
            if isinstance(entry, Mapping) and entry.get("key") == name:
                value = entry.get("val")
                break
    if value is None:
        return []
    if isinstance(value, list | tuple):
        return [str(part) for part in value]
    return str(value).split(",")


def _last(value: float) -> float:
    return float(value) if value > 0 else math.inf


def _given(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0
