"""Two readings of the members compared."""

from __future__ import annotations

from typing import Any

from dispatcher.pipeline.roster import Move, Roster


def member(name: str, **fields: Any) -> dict[str, Any]:
    return {"username": name, "uid": f"u-{name}", "role": "worker", "timezone": "Europe/Rome"} | fields


def at(lat: float, ts: int = 5000) -> dict[str, Any]:
    return {"location": {"lat": lat, "lng": 7.0, "ts": ts, "accuracy": 5}}


CREW = [member(f"m{i}", **at(45.0)) for i in range(20)]


def roster(*changed: dict[str, Any], crew: list[dict[str, Any]] = CREW) -> Roster:
    by_name = {one["username"]: one for one in changed}
    return Roster([by_name.get(one["username"], one) for one in crew], zone="UTC")


def test_nothing_new_is_nothing_whatever_the_engine_does_not_read() -> None:
    busy = [one | {"battery_level": 7, "states": {"moving": None, "login_status": True}} for one in CREW]
    same = [one | {"battery_level": 9, "states": {"moving": None, "login_status": False}} for one in CREW]
    assert not Roster(busy, zone="UTC").change_to(Roster(same, zone="UTC"))


def test_who_was_only_seen_elsewhere_is_moved_and_not_read_anew() -> None:
    change = roster().change_to(roster(member("m3", **at(46.0, ts=7000))))
    assert (change.moves, change.records, change.others) == ([Move("m3", 46.0, 7.0, 7.0)], [], False)


def test_anything_else_is_a_new_record_and_an_odd_location_too() -> None:
    change = roster().change_to(
        roster(member("m1", **at(46.0), teams=[2]), member("m2", location={"lat": "45", "lng": 7, "ts": 1}))
    )
    assert ([record["username"] for record in change.records], change.moves) == (["m1", "m2"], [])


def test_when_many_moved_they_are_told_as_records() -> None:
    change = roster().change_to(roster(*(member(f"m{i}", **at(46.0)) for i in range(5))))
    assert (len(change.records), change.moves) == (5, [])


def test_other_members_or_another_order_are_another_fleet() -> None:
    assert roster().change_to(roster(crew=CREW[1:])).others
    assert roster().change_to(roster(crew=[*CREW[1:], CREW[0]])).others
    assert not roster().change_to(roster(crew=[*CREW, CREW[3]])).others, "the first of two stands"


def test_who_goes_off_duty_has_left_and_may_be_back_later() -> None:
    off = roster(member("m1", **at(45.0), moving="offduty"), member("m2", **at(45.0), states={"moving": "offduty"}))
    assert roster().change_to(off).left == {"m1", "m2"}
    assert off.change_to(roster()).back == {"m1", "m2"}
    assert not off.change_to(off).left


def test_a_stops_member_says_in_which_zone_it_is() -> None:
    crew = Roster([member("ann", timezone="Asia/Tokyo"), member("bob", timezone="")], zone="UTC")
    found = [crew.zone_of(stop) for stop in ({"worker": "ann"}, {"receiverUid": "u-ann"}, {"worker": "bob"}, {})]
    assert (found, crew.zones) == (["Asia/Tokyo", "Asia/Tokyo", "UTC", "UTC"], {"UTC", "Asia/Tokyo"})
