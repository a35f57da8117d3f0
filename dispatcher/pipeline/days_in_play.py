"""The days whose routes are kept: which they are, how old each is, and which is to be read next."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator


class DaysInPlay:
    """Dates YYYYMMDD. Today is always in play, another day for as long as jobs keep naming it.

    All times are monotonic seconds.

    Args:
        idle_s: a day other than today that no job has named for so long falls out of play.
    """

    def __init__(self, *, idle_s: float) -> None:
        self._idle_s = idle_s
        self._read_at: dict[int, float] = {}
        self._asked_at: dict[int, float] = {}
        self._marked_at: dict[int, float] = {}

    def __repr__(self) -> str:
        return f"<DaysInPlay {sorted(self._read_at)}>"

    def __contains__(self, day: int) -> bool:
        return day in self._read_at

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._read_at))

    def ask(self, days: Iterable[int], *, now: float) -> None:
        """Jobs name these days."""
        self._asked_at.update(dict.fromkeys(days, now))

    def read(self, day: int, *, at: float) -> None:
        """The routes of a day are as they were when they were asked for, at `at`."""
        self._read_at[day] = at
        if self._marked_at.get(day, at) <= at:
            self._marked_at.pop(day, None)

    def mark(self, days: Iterable[int], *, now: float) -> None:
        """Something is not known of these days: they are due at once. A day that is not in play stays out."""
        self._marked_at.update({day: now for day in days if day in self._read_at})

    def old(self, days: Iterable[int], *, now: float, limit_s: float) -> set[int]:
        """Those that were never read, or longer ago than `limit_s`."""
        read_at = self._read_at
        return {day for day in days if day not in read_at or now - read_at[day] > limit_s}

    def roll(self, todays: Collection[int], *, now: float) -> set[int]:
        """Let days that are over, or that nobody names any more, fall out of play; returns those that did."""
        first = min(todays, default=0)
        gone = {
            day
            for day in self._read_at
            if day not in todays and (day < first or now - self._asked_at.get(day, float("-inf")) > self._idle_s)
        }
        for day in gone:
            del self._read_at[day]
        for times in (self._asked_at, self._marked_at):
            for day in [day for day in times if day < first or now - times[day] > self._idle_s]:
                del times[day]
        return gone

    def due(self, todays: Collection[int], *, now: float, every_s: float, again_s: float = 0.0) -> list[int]:
        """The days to read now: todays first, then the ones read longest ago.

        Args:
            todays: in play even when they were never read.
            now: monotonic seconds.
            every_s: between two readings of a day.
            again_s: the same for a day that is marked.
        """
        in_play = {*todays, *self._read_at}
        due = self.old(in_play, now=now, limit_s=every_s)
        due |= {day for day in self._marked_at if now - self._read_at.get(day, now) >= again_s}
        return sorted(due, key=lambda day: (day not in todays, self._read_at.get(day, float("-inf")), day))

    def next_s(self, *, now: float, every_s: float, again_s: float = 0.0) -> float:
        """Seconds until the next day is due; arguments as for `due`."""
        times = [at + (again_s if day in self._marked_at else every_s) for day, at in self._read_at.items()]
        return max(0.0, min(times, default=now) - now)

    def drop_all_but(self, days: Collection[int]) -> None:
        """Only these are still known."""
        for day in [day for day in self._read_at if day not in days]:
            del self._read_at[day]

    def clear(self) -> None:
        """Nothing is known any more; what jobs name is still named."""
        self._read_at.clear()
        self._marked_at.clear()

    @property
    def named(self) -> set[int]:
        """Days in play, and days that jobs named lately."""
        return {*self._read_at, *self._asked_at}
