# ruff: noqa: PLR0917 - kernels take positional arguments
"""Ruin and recreate: strings of neighbouring stops leave their routes and enter again, each where it adds least.

After Christiaens and Vanden Berghe, "Slack induction by string removals for vehicle routing problems" (2020), with
plain descent: a trial stays when no job loses its place and more jobs have one, or as many with no more travel.
"""

from __future__ import annotations

import numpy as np

from engine._jit import kernel
from engine.route import EPS
from engine.state import Ints, State
from engine.trial import (
    FULL,
    STAMP,
    Batch,
    Play,
    begin,
    best_place,
    free_job,
    gained,
    keep,
    lawful,
    position_of,
    put,
    random_below,
    restore,
    take_away,
)

STRING = 10
"""Most stops that leave one route in a trial."""

REMOVED = 10
"""Stops that leave in a trial, on average."""

ABSENT = 8
"""Most jobs without a member that a trial tries to place."""


@kernel
def ruin_and_recreate(
    state: State, play: Play, batch: Batch, absent: Ints, placed: Ints, rounds: int
) -> tuple[int, int]:
    """So many trials around random jobs (`placed` and `absent` together are all free jobs; `absent` need a place).

    Returns:
        The number of trials made (fewer when the pool of stops is full: grow it and call again), and how many helped.
    """
    better = 0
    wanting = np.empty(len(absent), dtype=np.int64)
    for done in range(rounds):
        left = 0
        for k in range(len(absent)):
            if play.where[absent[k]] < 0:
                wanting[left] = absent[k]
                left += 1
        invited = left > 0 and random_below(play, 2) == 0
        seed = wanting[random_below(play, left)] if invited else placed[random_below(play, len(placed))]
        begin(play)
        size = ruin(state, play, batch, seed)
        arrange(play, batch, size)
        guests = invite(play, seed if invited else -1, wanting, left, size)
        outcome = recreate(state, play, batch, size + guests, guests)
        saved = gained(state, play)
        if (outcome > 0 or (outcome == 0 and saved >= -EPS)) and lawful(state, play):
            keep(play)
            if outcome > 0 or saved > EPS:
                better += 1
        else:
            restore(state, play, batch)
            if play.tally[FULL]:
                return done, better
    return rounds, better


@kernel
def ruin(state: State, play: Play, batch: Batch, seed: int) -> int:
    """Take strings of free stops around a job out of their routes; returns how many, listed in `play.out`."""
    size = 0
    wanted = 1 + random_below(play, 2 * REMOVED - 1)
    for k in range(-1, play.near.shape[1]):
        j = seed if k < 0 else play.near[seed, k]
        if j < 0 or size >= wanted:
            break
        s = play.where[j]
        if s < 0 or play.mark[s] == play.tally[STAMP]:
            continue
        n = state.slots[s].n
        length = min(1 + random_below(play, min(STRING, n)), n, wanted - size)
        p = position_of(state, s, batch.first + j)
        begins = max(0, min(p - random_below(play, length), n - length))
        first = size
        for position in range(begins, begins + length):
            other = free_job(state, play, batch, s, position)
            if other >= 0:
                play.out[size] = other
                size += 1
        for i in range(first, size):
            if not take_away(state, play, batch, play.out[i]):
                return first
    return size


@kernel
def arrange(play: Play, batch: Batch, size: int) -> None:
    """The order of entering: at random, the tightest window first, or the largest load first."""
    keys = np.empty(size)
    way = random_below(play, 4)
    for k in range(size):
        job = batch.jobs[play.out[k]]
        keys[k] = random_below(play, 1 << 30)
        if way == 1:
            keys[k] = job.closes - job.opens
        elif way == 2:
            keys[k] = -job.drop - job.pick - 1e-6 * job.on_site
        elif way == 3:
            keys[k] = job.opens
    play.out[:size] = play.out[:size][np.argsort(keys)]


@kernel
def invite(play: Play, seed: int, wanting: Ints, left: int, size: int) -> int:
    """Put some jobs without a member, in their order but the seed (-1: none) first, in front of those taken out."""
    count = min(left, ABSENT, len(play.out) - size)
    if count <= 0:
        return 0
    for k in range(size - 1, -1, -1):
        play.out[k + count] = play.out[k]
    start = random_below(play, left - count + 1)
    for k in range(count):
        play.out[k] = wanting[start + k]
    if seed >= 0:
        at = count - 1
        for k in range(count):
            if play.out[k] == seed:
                at = k
        for k in range(at, 0, -1):
            play.out[k] = play.out[k - 1]
        play.out[0] = seed
    return count


@kernel
def recreate(state: State, play: Play, batch: Batch, size: int, guests: int) -> int:
    """Jobs enter again; returns how many of the first `guests` got a place, -1 when one of the others lost its own."""
    more = 0
    for k in range(size):
        j = play.out[k]
        s, position = best_place(state, play, batch, j)
        entered = s >= 0 and put(state, play, batch, s, position, j)
        if play.tally[FULL] or (k >= guests and not entered):
            return -1
        if k < guests and entered:
            more += 1
    return more
