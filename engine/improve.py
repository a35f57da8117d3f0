"""Bounded improvement after a batch: its own jobs move while that saves travel or makes room for jobs without a member.

Who moves: jobs that the engine itself decided in this batch, unless their member accepted them or is under way with
them. Stops that were there before, and jobs that named their member, stay where they are; they may be served a little
later, never too late (the rules of fit hold after every move). No job that has a member is left without one.

First descent (`moves.py`) until no move helps, then ruin and recreate (`ruin.py`) until so many trials in a row found
nothing. It ends by itself or when the time is up; only in the second case does the outcome depend on the machine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
from sklearn.neighbors import KDTree

from engine._jit import kernel
from engine.days import Days
from engine.deadline import Deadline
from engine.index import settle
from engine.moves import DONE, NO_ROOM, descend
from engine.route import figures
from engine.ruin import ruin_and_recreate
from engine.state import PAST, TODAY, Ints, Records, State, Words
from engine.trial import Batch, Play, new_play

NEIGHBOURS: Final = 20
"""Jobs near a job whose routes it may enter."""

IDLE: Final = 4
"""Members near a job with none of the batch's jobs whose routes it may enter."""

VISITS: Final = 100
"""Jobs whose moves are tried, and trials that are made, between two looks at the clock (a few milliseconds)."""

MOST: Final = 20_000
"""Most jobs of a batch that may move (the first ones), so that getting ready stays within some tenths of a second."""

PATIENCE: Final = 20
"""Trials in a row without any gain, per free job, after which the improvement ends."""


def improve(  # noqa: PLR0917 - as kernels take them
    days: Days,
    jobs: Records,
    needs: Words,
    excluded: Words,
    caps: tuple[int, float],
    found: Records,
    placed: Ints,
    absent: Ints,
    taken: Ints,
    *,
    search: Callable[[Ints], None],
    seed: int,
    deadline: Deadline,
) -> None:
    """Improve the routes of a batch; `found` then says of all its jobs where they are.

    Args:
        days: the fleet's days.
        jobs: the batch as records; the handles count up from the first one's.
        needs: bits that the jobs ask for.
        excluded: members that they exclude.
        caps: the settings' limits.
        found: the batch's answers.
        placed: jobs that may move.
        absent: jobs without a member that may get one, the first to be served first.
        taken: all jobs that the engine gave to a member, `placed` among them.
        search: decides jobs in the ordinary way on the routes as they stand.
        seed: of the random choices.
        deadline: when to stop.
    """
    placed = placed[jobs["placed"][placed] != 0]
    absent = absent[(jobs["placed"][absent] != 0) & (jobs["row"][absent] != PAST)]
    if len(placed) == 0 or deadline.passed:
        return
    batch = Batch(jobs, days.today_rows(), needs, excluded, int(jobs["handle"][0]), *caps)
    play = _play(days, batch, found, placed[:MOST], absent[:MOST], seed)
    _run(days, play, batch, absent[:MOST], placed[:MOST], deadline)
    for s in np.flatnonzero(play.changed).tolist():
        settle(days.state, s)
    moved = np.flatnonzero(play.where >= 0)
    found["row"][moved], found["member"][moved] = np.divmod(play.where[moved], days.capacity)
    absent = absent[play.where[absent] < 0]
    if len(absent):
        search(absent)
    everybody = np.union1d(np.union1d(taken, moved), absent[found["member"][absent] >= 0])
    read_off(days.state, jobs, found, everybody)


def _play(  # noqa: PLR0917
    days: Days, batch: Batch, found: Records, placed: Ints, absent: Ints, seed: int
) -> Play:
    jobs, state = batch.jobs, days.state
    free = np.zeros(len(jobs), dtype=np.bool_)
    where = np.full(len(jobs), -1, dtype=np.int64)
    everybody = np.concatenate([placed, absent])
    free[everybody] = True
    where[placed] = found["row"][placed].astype(np.int64) * days.capacity + found["member"][placed]
    near = np.full((len(jobs), NEIGHBOURS), -1, dtype=np.int64)
    spare = np.full((len(jobs), IDLE), -1, dtype=np.int64)
    busy = np.zeros(len(state.slots), dtype=np.bool_)
    busy[where[placed]] = True
    idle = (state.slots["open"] != 0) & ~busy
    for row in np.unique(jobs["row"][everybody]):
        group = everybody[jobs["row"][everybody] == row]
        points = _points(jobs[group])
        other, count = _nearest(points, points, NEIGHBOURS + 1)
        itself = other == np.arange(len(group))[:, None]  # not always the nearest: others may be at the same place
        others = np.take_along_axis(other, np.argsort(itself, axis=1, kind="stable"), axis=1)[:, : count - 1]
        near[group, : count - 1] = group[others]
        slots = np.concatenate(
            [
                np.arange(r * days.capacity, r * days.capacity + days.count)
                for r in (batch.rows if row == TODAY else [row])
            ]
        )
        slots = slots[idle[slots] & ((row != TODAY) | (state.slots["today"][slots] != 0))]
        if len(slots):
            other, count = _nearest(_points(state.slots[slots]), points, IDLE)
            spare[group, :count] = slots[other]
    return new_play(free, where, near, spare, len(state.slots), seed)


def _points(records: Records) -> npt.NDArray[np.float64]:
    return np.column_stack([records["x"], records["y"], records["z"]])


def _nearest(points: npt.NDArray[np.float64], asked: npt.NDArray[np.float64], most: int) -> tuple[Ints, int]:
    """Indices of the nearest points, (asked, count), nearest first."""
    count = min(most, len(points))
    return KDTree(points).query(asked, k=count, return_distance=False), count


def _run(  # noqa: PLR0917
    days: Days, play: Play, batch: Batch, absent: Ints, placed: Ints, deadline: Deadline
) -> None:
    look = play.free.copy()
    status, at = -1, 0
    while status != DONE:
        if deadline.passed:
            return
        status, at = descend(days.state, play, batch, look, at, VISITS)
        if status == NO_ROOM:
            days.grow_pool()
    idle, patience = 0, PATIENCE * (len(placed) + len(absent))
    while idle < patience and not deadline.passed:
        done, better = ruin_and_recreate(days.state, play, batch, absent, placed, VISITS)
        if done < VISITS:
            days.grow_pool()
        idle = 0 if better else idle + done


@kernel
def read_off(state: State, jobs: Records, found: Records, which: Ints) -> None:
    """The figures of jobs that have their place, from their routes as they stand."""
    for k in range(len(which)):
        j = which[k]
        best = found[j]
        s = np.int64(best.row) * len(state.traits) + best.member
        position, start, added, distance = figures(state.slots, state.stops, s, jobs[j].handle)
        best.position, best.start, best.added, best.distance = position, start, added, distance
