"""The engine: a fleet's day routes, and who takes the next job."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, overload

from engine.aside import set_aside
from engine.batch import decide_batch, why_nobody
from engine.book import Book
from engine.clock import day_ordinal
from engine.columns import DecisionColumns, decide_columns, read_columns
from engine.decision import Candidate, Decision, Explanation, Reason, RouteStop
from engine.errors import EngineError
from engine.explain import explain_job, explain_member
from engine.fleet import LAST_MOMENT
from engine.job import read_job
from engine.live import move_stop, without_holder
from engine.planting import Planter, ball_tree
from engine.relay import relay_day
from engine.settings import EngineSettings
from engine.twin import twin_of

_DEFAULT: Final = EngineSettings()


class Engine:
    """Decides, job by job, which member takes it: exactly by the rules, without I/O, safe to call from any thread.

    Args:
        accounts: the `accounts` of a `getaccounts` reply.
        routes: the `jobs` of a `getjobs` reply, of any days.
        company: the `company` of a `getcompany` reply.
        settings: see `EngineSettings`.
        now: Unix seconds.
        planter: makes the shape of the trees in place of this process's own scikit-learn, see `Planter`.

    Attributes:
        warnings: what was odd in the data, one line each.
        settings: as given.

    Raises:
        EngineError: `now` is no time.
    """

    def __init__(
        self,
        accounts: Sequence[Mapping[str, Any]],
        *,
        routes: Sequence[Mapping[str, Any]] = (),
        company: Mapping[str, Any] | None = None,
        settings: EngineSettings = _DEFAULT,
        now: float,
        planter: Planter | None = None,
    ) -> None:
        self.settings = settings
        self._lock = threading.RLock()
        self._book = Book(accounts, company, settings, _moment(now), planter or ball_tree)
        self.warnings: list[str] = self._book.warnings
        self._book.add_saved(routes)

    @property
    def now(self) -> float:
        """Unix seconds that the engine stands at."""
        return self._book.days.now

    @property
    def members(self) -> tuple[str, ...]:
        """Usernames (else uids) of the members in input order."""
        return tuple(member.name for member in self._book.members)

    def decide(
        self, jobs: Sequence[Mapping[str, Any]], *, now: float | None = None, reasons: bool = False
    ) -> list[Decision]:
        """Decide a batch and change the day routes accordingly.

        Stops whose key is in the batch leave; jobs that name a member enter; then the others are decided by priority
        and input order.

        Args:
            jobs: in Hellotracks' field names; missing and null fields take their defaults.
            now: Unix seconds, the engine's own when None.
            reasons: give every job without a member the reasons why, as they were at its turn.

        Returns:
            One decision per job, in input order.

        Raises:
            EngineError: a job's field cannot be read (index and field are named); nothing has changed.
        """
        read = [read_job(index, job) for index, job in enumerate(jobs)]
        moment = None if now is None else _moment(now)
        with self._lock:
            if moment is not None:
                self._book.advance(moment)
            return decide_batch(self._book, read, reasons=reasons)

    def decide_columns(self, columns: Mapping[str, Any], *, now: float | None = None) -> DecisionColumns:
        """Decide a batch of jobs given as columns; the answers are those of `decide`.

        Args:
            columns: arrays of equal length by Hellotracks' field names, those of `engine.columns.DEFAULTS` (a missing
                column takes the default) and `uidSecondary` (texts or None, no text twice; without it the stops cannot
                be named later).
            now: Unix seconds, the engine's own when None.

        Raises:
            EngineError: an unknown column, or an entry that cannot be read (index and field are named); nothing has
                changed.
        """
        table, keys = read_columns(columns)
        moment = None if now is None else _moment(now)
        with self._lock:
            if moment is not None:
                self._book.advance(moment)
            return decide_columns(self._book, table, keys)

    def reasons(self, job: Mapping[str, Any], *, now: float | None = None) -> dict[str, Reason]:
        """Why members cannot take a job on the routes as they stand (without its own stop, if it is one already).

        Members who could take it are not counted. Changes nothing.
        """
        read = read_job(0, job)
        moment = None if now is None else _moment(now)
        with self._lock:
            if moment is not None:
                self._book.advance(moment)
            with set_aside(self._book, read.key):
                return why_nobody(self._book, read)

    @overload
    def explain(self, job: Mapping[str, Any], worker: None = None, *, limit: int = 10) -> Explanation: ...

    @overload
    def explain(self, job: Mapping[str, Any], worker: str) -> Candidate: ...

    def explain(self, job: Mapping[str, Any], worker: str | None = None, *, limit: int = 10) -> Explanation | Candidate:
        """Why a job goes to whom it goes, on the routes as they stand (without its own stop). Changes nothing.

        Args:
            job: in Hellotracks' field names; a member that it names is not taken into account.
            worker: ask about this member alone.
            limit: most members in `passed_over`.

        Returns:
            An `Explanation`, or what the one member would make of it.

        Raises:
            EngineError: a field cannot be read, or there is no such member.
        """
        read = read_job(0, job)
        with self._lock, set_aside(self._book, read.key):
            if worker is None:
                return explain_job(self._book, read, limit)
            return explain_member(self._book, read, self._member(worker))

    def fork(self) -> Engine:
        """An engine of its own that stands where this one stands: to try things out without consequences.

        The two share nothing that changes, so each can be used in a thread of its own. For 10 000 members and 20 000
        stops it takes some 30 ms, the only time for which this engine is held up.
        """
        with self._lock:
            book = self._book.copy()
        return twin_of(self, _book=book, _lock=threading.RLock(), warnings=book.warnings)

    def add_routes(self, jobs: Sequence[Mapping[str, Any]]) -> None:
        """Add saved jobs (the `jobs` of a `getjobs` reply or of a webhook) as stops.

        A stop that is known by key or id is replaced; one that is now done, failed, rejected, archived, undated or
        nobody's leaves.
        """
        with self._lock:
            self._book.add_saved(jobs)

    def replace_day(self, day: int, jobs: Iterable[Mapping[str, Any]], *, keep: Collection[str] = ()) -> int:
        """Make the routes of a day those of its newest listing (the `jobs` of a `getjobs` reply).

        Stops of the day that are not in the listing leave, the others enter by the order of stops. A route that is the
        same already is not touched.

        Args:
            day: YYYYMMDD. A day that is over for everybody is passed over.
            jobs: the listing; those of other days are passed over.
            keep: keys or ids that the listing says nothing about: their stops stay as they are, and what the listing
                has under these names is passed over.

        Returns:
            How many routes were laid anew.

        Raises:
            EngineError: there is no such day.
        """
        with self._lock:
            return relay_day(self._book, day, jobs, keep)

    def cancel(self, keys: Iterable[str]) -> int:
        """Stops with these keys (or ids) leave their routes; returns how many there were."""
        with self._lock:
            handles = {handle: None for key in keys for handle in self._book.registry.of_name(key)}
            for handle in handles:
                self._book.drop(handle)
            return len(handles)

    def complete(self, keys: Iterable[str]) -> int:
        """The jobs with these keys (or ids) are done: their stops leave. Returns how many there were.

        Where the member is now is told by `update_location`.
        """
        return self.cancel(keys)

    def move(self, key: str, worker: str, *, day: int | None = None, position: int | None = None) -> Decision:
        """A dispatcher gives a stop to a member (or to another day or place of the route); nothing keeps it out.

        Args:
            key: the stop's key or id.
            worker: username of the member who gets it.
            day: YYYYMMDD, 0 for the member's today, None for the day that it is on.
            position: place in the route, from 0; never before a stop under way; None: by the order of stops.

        Returns:
            The figures of the stop in its new place, `preassigned`.

        Raises:
            EngineError: there is no such stop, member or day, or the day is past for the member.
        """
        with self._lock:
            return move_stop(self._book, key, self._member(worker), worker, day=day, position=position)

    def reassign(self, job: Mapping[str, Any], *, now: float | None = None, reasons: bool = False) -> Decision:
        """Offer a job to the next best: its stop leaves, and everybody but its present member is considered.

        Args:
            job: the job in Hellotracks' field names, with its `uidSecondary`; the member it names is not asked again
                either.
            now: Unix seconds, the engine's own when None.
            reasons: give the reasons when nobody takes it (the present member counts as `excluded`).

        Returns:
            The decision. With nobody found the job has no stop any more.

        Raises:
            EngineError: a field cannot be read; nothing has changed.
        """
        read = read_job(0, job)
        moment = None if now is None else _moment(now)
        with self._lock:
            if moment is not None:
                self._book.advance(moment)
            return decide_batch(self._book, [without_holder(self._book, read)], reasons=reasons)[0]

    def update_location(self, worker: str, lat: float, lng: float, *, seen_s: float | None = None) -> None:
        """A member is somewhere else now; searches find it there at once.

        Args:
            worker: username.
            lat: degrees.
            lng: degrees; a place that is none (NaN, out of range, 0/0) makes the location unknown.
            seen_s: Unix seconds of the fix, the engine's `now` when None.

        Raises:
            EngineError: there is no such member.
        """
        with self._lock:
            self._book.put_location(self._member(worker), lat, lng, self.now if seen_s is None else seen_s)

    def update_member(self, record: Mapping[str, Any]) -> None:
        """A newer record of a member (as in a `getaccounts` reply), or a new member, who comes last in input order.

        The stops of a known member stay.
        """
        self.update_members([record])

    def update_members(self, records: Iterable[Mapping[str, Any]]) -> None:
        """The same for many members at once, which costs little more than for one."""
        with self._lock:
            self._book.put_members(records)

    def advance(self, now: float) -> None:
        """Let time go on without deciding anything: days start later, locations age, a new day begins.

        Stops of days that passed for everybody the day before yesterday or earlier are forgotten.
        """
        moment = _moment(now)
        with self._lock:
            self._book.advance(moment)

    def route(self, worker: str, day: int) -> list[RouteStop]:
        """A member's day route as it stands.

        Args:
            worker: username.
            day: YYYYMMDD, 0 for the member's today.

        Raises:
            EngineError: there is no such member or day.
        """
        with self._lock:
            days = self._book.days
            member = self._member(worker)
            ordinal = int(days.today[member]) if day == 0 else day_ordinal(day)
            if ordinal is None:
                raise EngineError(f"{day} is no day YYYYMMDD", field="day")
            s = days.slot(ordinal, member)
            slot, stops = days.state.slots[s], days.state.stops
            clock = float(slot["start"])
            route = []
            for stop in stops[slot["offset"] : slot["offset"] + slot["n"]]:
                name = self._book.registry.name(int(stop["handle"]))
                arrive, clock = clock + float(stop["leg"]), float(stop["leave"])
                route.append(RouteStop(name, arrive, float(stop["start"]), clock))
            return route

    def _member(self, worker: str) -> int:
        member = self._book.by_username.get(worker)
        if member is None:
            raise EngineError(f"{worker!r} is no member", field="worker")
        return member


def _moment(now: object) -> float:
    if isinstance(now, bool) or not isinstance(now, int | float) or not 0 <= now <= LAST_MOMENT:
        raise EngineError(f"must be Unix seconds, not {now!r}", field="now")
    return float(now)
