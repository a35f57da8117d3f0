"""From the globe to the sheet, its parts and its colours."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.picture.areas import MOST, areas
from dispatcher.picture.colours import BAD_DARK, BAD_LIGHT, DARK, LIGHT, NEIGHBOURS, deal
from dispatcher.picture.sheet import cut, mercator, unrolled
from dispatcher.picture.tiles import Tiles
from tests.unit.picture.plans import job, member, planned


def test_the_edge_of_the_sheet_is_as_high_as_it_is_wide() -> None:
    """So a tile of zoom z is 360 / 2^z wide and high."""
    assert mercator((85.0511287798, 180.0)) == pytest.approx((180.0, 180.0), abs=0.02)
    assert mercator((0.0, -77.0)) == (-77.0, 0.0)
    assert mercator((90.0, 0.0))[1] < 181


def test_a_fleet_across_the_antimeridian_stays_together() -> None:
    fiji = planned([member("ann", -17.0, 179.5)], [job("A", -17.0, -179.5), job("B", -17.0, 178.0)])
    edge = cut(fiji)
    lngs = [unrolled(spot.place, edge)[1] for spot in fiji.spots if spot.place]
    assert lngs == [180.5, 178.0]


def test_longitudes_elsewhere_stay_as_they_are() -> None:
    scene = planned([member("ann", 45.0, -70.0)], [job("A", 45.0, -71.0), job("B", 45.0, 20.0)])
    assert all(unrolled(spot.place, cut(scene)) == spot.place for spot in scene.spots if spot.place)


def test_towns_far_apart_are_areas_largest_first_and_one_town_is_one() -> None:
    rng = np.random.default_rng(1)
    towns = [rng.normal(at, 0.05, (count, 2)) for at, count in (((0, 0), 30), ((10, 5), 50), ((3, 9), 40))]
    split = areas(np.concatenate(towns))
    assert [len(part) for part in split] == [50, 40, 30]
    assert sorted(np.concatenate(split)) == list(range(120))
    assert [len(part) for part in areas(towns[0])] == [30]


def test_a_route_between_two_towns_keeps_them_on_one_map() -> None:
    places = np.concatenate([np.random.default_rng(2).normal(at, 0.05, (20, 2)) for at in ((0, 0), (6, 6), (40, 40))])
    assert sorted(len(part) for part in areas(places, [[0, 25]])) == [20, 40]
    assert len(areas(places, [[], [3]])) == 3


@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), max_size=60))
def test_whatever_the_places_every_one_is_in_exactly_one_area(places: list[tuple[int, int]]) -> None:
    split = areas(np.array(places, dtype=np.float64).reshape(-1, 2))
    assert sorted(int(n) for part in split for n in part) == list(range(len(places)))
    assert len(split) <= MOST


def test_nearest_neighbours_differ_in_colour() -> None:
    rng = np.random.default_rng(3)
    places = [(float(lat), float(lng)) for lat, lng in rng.uniform((45, 7), (46, 8), (300, 2))]
    dealt = deal(places)
    for number, place in enumerate(places[:60]):
        away = [(a - place[0]) ** 2 + ((b - place[1]) * 0.7) ** 2 for a, b in places]
        nearest = min((n for n in range(len(places)) if n != number), key=away.__getitem__)
        assert dealt[number] != dealt[nearest]
    assert set(dealt) == set(range(len(LIGHT)))
    assert len(LIGHT) == len(DARK) > NEIGHBOURS
    assert len(BAD_LIGHT) == len(BAD_DARK)


def test_members_without_a_place_have_a_colour_too() -> None:
    assert len(deal([None, (45.0, 7.0), None])) == 3


def test_a_tile_server_is_let_in_by_its_origin_and_named() -> None:
    tiles = Tiles("https://tile.openstreetmap.org/{z}/{x}/{y}.png")
    assert (tiles.origin, tiles.credit) == ("https://tile.openstreetmap.org", "© OpenStreetMap contributors")
    other = Tiles("http://maps.acme.example:8080/{z}/{x}/{y}?k=1")
    assert (other.origin, other.credit) == ("http://maps.acme.example:8080", "map: maps.acme.example")
