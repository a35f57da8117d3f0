"""Which keys and contents a file has shown already, at 12 bytes each.

A million Python strings in a set would take 150 MB; a file of any length is to be read in flat memory. So only 64-bit
hashes are kept, in sorted runs whose sizes double (as in a log-structured merge tree): adding n hashes costs
O(n log² n) in all, and two of a million keys collide with a chance of 1 in 37 million.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.int64]
Marks = NDArray[np.uint32]


class Seen:
    """A multiset of hashes, each with a mark: the place it was first seen at, or how often it was seen."""

    __slots__ = ("_runs",)

    def __init__(self) -> None:
        self._runs: list[tuple[Hashes, Marks]] = []

    def __len__(self) -> int:
        return sum(len(hashes) for hashes, _ in self._runs)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(hashes.nbytes + marks.nbytes for hashes, marks in self._runs)

    def first_places(self, hashes: Hashes, places: Marks) -> Marks:
        """For each hash the place where it was first seen, 0 when this is the first time.

        Args:
            hashes: shape (n,).
            places: shape (n,), from 1.
        """
        unique, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
        marks = np.zeros(len(unique), np.uint32)
        for run, run_marks in self._runs:
            at, hit = _find(run, unique)
            marks[hit] = run_marks[at[hit]]
        new = marks == 0
        earlier = marks[inverse]
        again = new[inverse] & (first[inverse] != np.arange(len(hashes)))
        earlier[again] = places[first[inverse[again]]]
        self._insert(unique[new], places[first[new]])
        return earlier

    def ordinals(self, hashes: Hashes) -> Marks:
        """For each hash how often it was seen until now, itself included.

        Args:
            hashes: shape (n,).
        """
        unique, inverse, counts = np.unique(hashes, return_inverse=True, return_counts=True)
        counts = counts.astype(np.uint32)
        before = np.zeros(len(unique), np.uint32)
        for run, run_marks in self._runs:
            at, hit = _find(run, unique)
            before[hit] = run_marks[at[hit]]
            run_marks[at[hit]] += counts[hit]
        new = before == 0
        self._insert(unique[new], counts[new])
        order = np.argsort(inverse, kind="stable")
        rank = np.empty(len(hashes), np.uint32)
        rank[order] = np.arange(len(hashes)) - np.repeat(np.cumsum(counts) - counts, counts)
        return before[inverse] + rank + np.uint32(1)

    def _insert(self, hashes: Hashes, marks: Marks) -> None:
        """A new sorted run; runs that are not twice as long as the one behind them are merged with it."""
        if not len(hashes):
            return
        self._runs.append((hashes, marks))
        while len(self._runs) > 1 and len(self._runs[-2][0]) < 2 * len(self._runs[-1][0]):
            (left, left_marks), (right, right_marks) = self._runs[-2:]
            joined = np.concatenate((left, right))
            order = np.argsort(joined, kind="stable")  # timsort: two sorted halves are merged in linear time
            self._runs[-2:] = [(joined[order], np.concatenate((left_marks, right_marks))[order])]


def _find(run: Hashes, hashes: Hashes) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    at = np.searchsorted(run, hashes)
    at[at == len(run)] = 0
    return at, run[at] == hashes
