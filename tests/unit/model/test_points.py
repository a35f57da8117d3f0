"""Points between two writes: a closed list, and nothing in ordinary life."""

from __future__ import annotations

import re
from pathlib import Path

import dispatcher
from dispatcher.model.points import MEANING, POINTS, reached

HOME = Path(dispatcher.__file__).parent
OF_A_REQUEST = {"settle.done", "settle.split", "settle.shrink", "settle.stop"}
"""named after what the sender does next"""


def test_every_point_is_passed_somewhere_and_no_other_is() -> None:
    """What the code names is what the list names."""
    named = {name for path in HOME.rglob("*.py") for name in re.findall(r'reached\(\s*"([a-z.]+)"', path.read_text())}
    assert named | OF_A_REQUEST == set(POINTS)


def test_a_point_says_what_lies_behind_it_and_does_nothing() -> None:
    assert all(MEANING[name] for name in POINTS)
    for name in POINTS:
        reached(name)
