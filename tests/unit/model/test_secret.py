"""A secret shows itself only when asked by name."""

from __future__ import annotations

import pickle

import orjson
import pytest

from dispatcher.model.secret import Secret


def test_no_way_of_printing_shows_it() -> None:
    key = Secret("ABC.123")
    assert f"{key} {key!r} {key!s} {key:>5}" == "*** *** ***   ***"
    assert "ABC" not in repr([key, {"k": key}])


def test_it_is_revealed_by_name_and_compared_by_value() -> None:
    assert Secret("a").reveal() == "a"
    assert Secret("a") == Secret("a") != Secret("b")
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert Secret("a") != "a"
    assert not Secret("")


def test_it_is_neither_pickled_nor_written_as_json() -> None:
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(Secret("a"))
    with pytest.raises(TypeError):
        orjson.dumps({"k": Secret("a")})
