"""Settings are checked when they are made, and the error names the one that is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from engine import EngineError, EngineSettings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("policy", "best"),
        ("timezone", "Mars/Base"),
        ("timezone", 7),
        ("default_shift", "8-17"),
        ("default_shift", "08:00-25:00"),
        ("default_shift", "08:60-17:00"),
        ("default_shift", None),
        ("working_hours_unit", "hours"),
        ("circuity", 0),
        ("circuity", float("nan")),
        ("circuity", "1.3"),
        ("max_location_age_s", -1),
        ("stale_location", "maybe"),
        ("assignable_roles", "worker"),
        ("unavailable_labels", (1,)),
        ("member_skills", {"ann": "welding"}),
        ("member_skills", ["ann"]),
        ("max_jobs_per_day", 1.5),
        ("max_jobs_per_day", -1),
        ("max_distance_km", -0.5),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: Any) -> None:
    with pytest.raises(EngineError, match=name) as caught:
        EngineSettings(**{name: value})
    assert caught.value.field == name


def test_the_defaults_are_good() -> None:
    assert EngineSettings().policy == "nearest"
