"""Why this member, why not that one: computed when somebody asks, by looking at every member."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from engine.batch import overall_reason
from engine.book import Book
from engine.decision import MEMBER_REASONS, Candidate, Explanation, Reason
from engine.job import Job
from engine.route import EPS
from engine.scan import survey
from engine.state import FOUND
from engine.wording import Case, in_words


def explain_job(book: Book, job: Job, limit: int) -> Explanation:
    """See `Engine.explain`; the job's own stop has been set aside."""
    policy = book.settings.policy
    overall = overall_reason(book, job)
    if overall is not None:
        return Explanation(job.key, policy, None, None, None, (), overall)
    asked = _Survey(book, job)
    order = asked.ranking(policy)
    chosen = asked.candidate(order[0]) if order else None
    next_best = asked.candidate(order[1]) if len(order) > 1 else None
    margin = None
    if len(order) > 1:
        margin = asked.value(order[1], policy) - asked.value(order[0], policy)
    return Explanation(
        key=job.key,
        policy=policy,
        chosen=chosen,
        next_best=next_best,
        margin=margin,
        passed_over=tuple(asked.passed_over(order, policy, limit)),
        reasons=asked.reasons(),
    )


def explain_member(book: Book, job: Job, member: int) -> Candidate:
    """What one member would make of the job; its own stop has been set aside."""
    if math.isnan(job.lat):
        name = book.members[member].name
        return Candidate(name, None, None, None, None, 0, "bad_coordinates", "the job's coordinates are unset or bad")
    return _Survey(book, job).candidate(member)


class _Survey:
    """Every member's answer to one job."""

    def __init__(self, book: Book, job: Job) -> None:
        self.book, self.job = book, job
        count = len(book.members)
        records, needs, excluded = book.columns([job], 0)
        rows = book.days.today_rows()
        self.found = np.zeros(count, dtype=FOUND)
        self.codes = np.zeros(count, dtype=np.int64)
        survey(
            book.days.state, count, rows, records, 0, needs, excluded, *book.caps(), self.found, self.codes
        )  # fmt: skip
        self.past = bool((records["row"] < -1).any())

    def slot(self, member: int) -> Any:
        return self.book.days.state.slots[int(self.found["row"][member]) * self.book.days.capacity + member]

    def value(self, member: int, policy: str) -> float:
        return float(self.found["distance" if policy == "nearest" else "added"][member])

    def ranking(self, policy: str) -> list[int]:
        """The first two of those who can take it, by the policy and its ties."""
        able = [int(member) for member in np.flatnonzero(self.codes < 0)]
        order: list[int] = []
        while able and len(order) < 2:
            least = min(self.value(member, policy) for member in able)
            tied = [member for member in able if self.value(member, policy) <= least + EPS]
            best = min(tied, key=lambda member: (int(self.slot(member)["n"]), member))
            order.append(best)
            able.remove(best)
        return order

    def passed_over(self, order: list[int], policy: str, limit: int) -> list[Candidate]:
        """Those who are nearer (or as near) and do not get it, nearest first."""
        distance = self.found["distance"]
        reach = distance[order[0]] + EPS if order else np.inf
        nearer = [
            int(m) for m in np.argsort(distance, kind="stable") if distance[m] <= reach and int(m) not in order[:1]
        ]
        return [self.candidate(member, order[0] if order else None, policy) for member in nearer[:limit]]

    def candidate(self, member: int, chosen: int | None = None, policy: str = "") -> Candidate:
        """One member's answer in words."""
        answer, code = self.found[member], int(self.codes[member])
        able = code < 0
        distance = float(answer["distance"])
        stops = 0 if self.past else int(self.slot(member)["n"])
        detail = ""
        if not able:
            slot = None if self.past else self.slot(member)
            detail = in_words(MEMBER_REASONS[code], Case(self.book, self.job, member, slot, distance))
        elif chosen is not None:
            detail = self._outdone(member, chosen, policy)
        return Candidate(
            worker=self.book.members[member].name,
            distance_m=None if math.isnan(distance) else distance,
            added_travel_s=float(answer["added"]) if able else None,
            position=int(answer["position"]) if able else None,
            start_s=float(answer["start"]) if able else None,
            stops=stops,
            code=None if able else MEMBER_REASONS[code],
            detail=detail,
        )

    def _outdone(self, member: int, chosen: int, policy: str) -> str:
        winner = self.book.members[chosen].name
        if self.value(member, policy) > self.value(chosen, policy) + EPS:
            return (
                f"would add {self.value(member, policy):.0f} s of travel, {winner} {self.value(chosen, policy):.0f} s"
            )
        mine, theirs = int(self.slot(member)["n"]), int(self.slot(chosen)["n"])
        if mine != theirs:
            return f"as good, but has {mine} stops that day and {winner} has {theirs}"
        return f"as good, but comes after {winner} in the input"

    def reasons(self) -> dict[str, Reason]:
        """Counts and first examples of all codes."""
        names = self.book.members
        return {
            code: Reason(int((self.codes == k).sum()), names[int(np.argmax(self.codes == k))].name)
            for k, code in enumerate(MEMBER_REASONS)
            if (self.codes == k).any()
        }
