"""The image: of the right kind, always the same, whatever the names and however little there is."""

from __future__ import annotations

import struct

import pytest

pytest.importorskip("matplotlib")

from dispatcher.picture.plot import DPI, INCHES, plot
from tests.unit.picture.plans import job, member, planned, undecided

BEGINS = {"png": b"\x89PNG\r\n\x1a\n", "svg": b"<?xml", "pdf": b"%PDF-"}


@pytest.mark.parametrize("form", list(BEGINS))
def test_the_same_scene_gives_the_same_image(form: str) -> None:
    saved = [job("OLD", 45.02) | {"worker": "ann@acme.com"}]
    scene = planned(
        [member("ann", 45.0), member("bob", 45.1)], [job("A", 45.05), job("B", 45.0, teamId=9)], saved=saved
    )
    image = plot(scene, form=form)
    assert image.startswith(BEGINS[form])
    assert image == plot(scene, form=form)


def test_a_png_has_the_size_it_should_have() -> None:
    width, height = struct.unpack(">II", plot(planned([member("ann", 45.0)], [job("A", 45.0)]), form="png")[16:24])
    assert (width, height) == (INCHES[0] * DPI, INCHES[1] * DPI)


@pytest.mark.parametrize(
    ("members", "jobs"),
    [
        ([], []),
        ([], [job("A", 45.0)]),
        ([member("ann", 45.0)], []),
        ([member("ann", 0.0, 0.0)], [job("A", 0.0, 0.0)]),
        ([member("ann", 45.0)], [job("A", 45.0)]),
        ([member("ann", 89.9)], [job("A", 89.9), job("B", -89.9)]),
    ],
    ids=["nothing", "no members", "no jobs", "no places", "one place", "the poles"],
)
def test_however_little_there_is_it_is_drawn(members: list[dict[str, object]], jobs: list[dict[str, object]]) -> None:
    assert plot(planned(members, jobs), form="png").startswith(BEGINS["png"])


def test_without_an_engine_there_are_dots_and_no_routes() -> None:
    scene = undecided([member("ann", 45.0)], [job("A", 45.0, worker="ann@acme.com"), job("B", 45.0)])
    assert plot(scene, form="svg").startswith(BEGINS["svg"])


def test_towns_far_apart_get_a_map_each() -> None:
    """A map of its own has a title with its jobs."""
    members = [member("ann", 45.0), member("bob", 60.0)]
    jobs = [job(f"{lat}{n}", lat + n / 1000, 7.0 + n / 1000) for lat in (45.0, 60.0) for n in range(5)]
    apart, together = plot(planned(members, jobs), form="svg"), plot(planned(members[:1], jobs[:5]), form="svg")
    assert apart.count(b"<!-- 5 jobs, 0 without a member -->") == 2
    assert b"jobs, 0 without a member" not in together.replace(b"5 jobs: 5 with a member, 0 without", b"")
