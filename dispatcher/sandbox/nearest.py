"""The sandbox's own idea of `autoassign`: the nearest member by straight line who is of the right role and team."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dispatcher.sandbox.people import teams_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float64]

Place = tuple[float, float]
"""Latitude and longitude in degrees."""


class NearestMember:
    """Finds the member nearest to a place, over the live location, else the route start.

    Eligible is who has a username, role `worker`, no `active_status`, is not off duty, and has one of the two places.
    Shifts and day routes play no part: the real server's way of weighing them is not documented. numpy is imported on
    first use.
    """

    def __init__(self, accounts: Sequence[Mapping[str, Any]]) -> None:
        self._usernames: list[str] = []
        self._teams: list[frozenset[int]] = []
        places: list[Place] = []
        for account in accounts:
            place = _place_of(account)
            if place is not None and _may_work(account):
                self._usernames.append(account["username"])
                self._teams.append(frozenset(teams_of(account)))
                places.append(place)
        self._places = places
        self._of_team: dict[int, tuple[list[int], Vectors]] = {}

    def find(self, place: Place, team: int, *, only: Callable[[str], bool] | None = None) -> str | None:
        """Username of the nearest eligible member of the team (0: any team), None when there is none.

        Args:
            place: where the job is.
            team: the job's `teamId`.
            only: a further condition on the username.
        """
        import numpy as np  # noqa: PLC0415 - not needed before the first autoassign

        members, vectors = self._members(team)
        if not members:
            return None
        closeness = vectors @ np.array(_unit(place))
        if only is None:
            return self._usernames[members[int(closeness.argmax())]]
        for i in np.argsort(-closeness, kind="stable"):
            username = self._usernames[members[int(i)]]
            if only(username):
                return username
        return None

    def _members(self, team: int) -> tuple[list[int], Vectors]:
        """Who belongs to the team (0: everybody), and their places as unit vectors, shape (members, 3)."""
        import numpy as np  # noqa: PLC0415

        known = self._of_team.get(team)
        if known is None:
            members = [i for i, teams in enumerate(self._teams) if not team or team in teams]
            vectors = np.array([_unit(self._places[i]) for i in members], dtype=np.float64).reshape(-1, 3)
            known = members, vectors
            if members:
                self._of_team[team] = known
        return known


def place_of_job(job: Mapping[str, Any]) -> Place | None:
    """The job's destination, None when it is unset or cannot be read."""
    return _place(job.get("destinationLat"), job.get("destinationLng"))


def _place_of(account: Mapping[str, Any]) -> Place | None:
    location = account.get("location")
    live = _place(location.get("lat"), location.get("lng")) if isinstance(location, dict) else None
    return live or _place(account.get("route_start_lat"), account.get("route_start_lng"))


def _place(lat: Any, lng: Any) -> Place | None:
    for value in (lat, lng):
        if not isinstance(value, int | float) or isinstance(value, bool):
            return None
    if (lat == 0 and lng == 0) or not (-90 <= lat <= 90 and -180 <= lng <= 180):
        return None
    return float(lat), float(lng)


def _may_work(account: Mapping[str, Any]) -> bool:
    states = account.get("states")
    moving = (account.get("moving"), states.get("moving") if isinstance(states, dict) else None)
    username = account.get("username")
    return (
        isinstance(username, str)
        and bool(username)
        and account.get("role") == "worker"
        and not account.get("active_status")
        and "offduty" not in moving
    )


def _unit(place: Place) -> tuple[float, float, float]:
    lat, lng = math.radians(place[0]), math.radians(place[1])
    return math.cos(lat) * math.cos(lng), math.cos(lat) * math.sin(lng), math.sin(lat)
