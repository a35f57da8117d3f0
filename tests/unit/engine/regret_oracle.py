"""The order "regret" in its plainest form, on the oracle: before every decision all waiting jobs are weighed anew."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from tests.oracle.decisions import Json, PlainDecision
from tests.oracle.oracle import Oracle, names_member, priority
from tests.oracle.places import EQUAL


class RegretOracle(Oracle):
    """The oracle's rules; of one priority the job that would lose most by waiting goes first. Keys stand once."""

    def decide(self, jobs: Sequence[Json], *, now: float | None = None) -> list[PlainDecision]:
        named = [job if names_member(job) else unplaced(job) for job in jobs]
        decisions = super().decide(named, now=now)
        for level in range(10, -1, -1):
            waiting = [i for i, job in enumerate(jobs) if not names_member(job) and priority(job) == level]
            while waiting:
                index = self.most_urgent(jobs, waiting)
                decisions[index] = self._choose(index, jobs[index])
                waiting.remove(index)
        return decisions

    def most_urgent(self, jobs: Sequence[Json], waiting: Sequence[int]) -> int:
        """The greatest regret, then the greatest cost, then the first; jobs that fit nowhere go last."""
        weighed = [(index, *self.weigh(jobs[index])) for index in waiting]
        fitting = [each for each in weighed if each[2] < inf]
        if not fitting:
            return waiting[0]
        most = max(regret for _, regret, _ in fitting)
        fitting = [each for each in fitting if each[1] >= most - EQUAL]
        dearest = max(cost for _, _, cost in fitting)
        return next(index for index, _, cost in fitting if cost >= dearest - EQUAL)

    def weigh(self, job: Json) -> tuple[float, float]:
        """(regret, cost) of a job: how much dearer its second best member is, and what the best one costs."""
        nearest = self.settings["policy"] == "nearest"
        costs = sorted(each.distance if nearest else each.insertion.added for each in self.candidates(job))
        if not costs:
            return 0.0, inf
        return (costs[1] if len(costs) > 1 else inf) - costs[0], costs[0]


def unplaced(job: Json) -> Json:
    """The job without coordinates: it gives up its old stop and gets none."""
    return {**job, "destinationLat": None}
