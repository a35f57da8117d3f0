"""The compact memory of keys and contents against a plain dictionary."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.intake.seen import Seen

CHUNKS = st.lists(st.lists(st.integers(-4, 12), min_size=1, max_size=9), max_size=12)


@given(chunks=CHUNKS)
def test_ordinals_count_as_a_dictionary_does(chunks: list[list[int]]) -> None:
    seen, counts = Seen(), dict[int, int]()
    for chunk in chunks:
        expected = []
        for item in chunk:
            counts[item] = counts.get(item, 0) + 1
            expected.append(counts[item])
        assert seen.ordinals(np.array(chunk, np.int64)).tolist() == expected
    assert len(seen) == len(counts)


@given(chunks=CHUNKS)
def test_first_places_are_those_of_a_dictionary(chunks: list[list[int]]) -> None:
    seen, places, place = Seen(), dict[int, int](), 0
    for chunk in chunks:
        numbers = list(range(place + 1, place + len(chunk) + 1))
        place += len(chunk)
        expected = [
            0 if places.setdefault(item, number) == number else places[item]
            for item, number in zip(chunk, numbers, strict=True)
        ]
        assert seen.first_places(np.array(chunk, np.int64), np.array(numbers, np.uint32)).tolist() == expected


def test_a_million_keys_take_twelve_megabytes() -> None:
    seen = Seen()
    rng = np.random.default_rng(1)
    for start in range(0, 1_000_000, 1000):
        hashes = rng.integers(-(2**63), 2**63, 1000, dtype=np.int64)
        assert not seen.first_places(hashes, np.arange(start + 1, start + 1001, dtype=np.uint32)).any()
    assert len(seen) == 1_000_000
    assert seen.nbytes == 12_000_000
