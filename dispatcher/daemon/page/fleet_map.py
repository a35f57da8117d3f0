"""The map of one account: members, their stops and the jobs that wait, as columns. Built when somebody asks for it."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson

from dispatcher.model.records import Change, Receipt
from dispatcher.model.state import State
from dispatcher.pipeline import Dispatcher
from dispatcher.pipeline.engine_room import NOW_STEP_S
from dispatcher.pipeline.fleet_map import MEMBER_STATES, SCALE, MembersView, members_view

_log = logging.getLogger("dispatcher.daemon")

STEP_S = 3.0
"""A map is at least this old before it is built anew."""
IDLE_S = 15.0
"""Time alone changes a map too: shifts begin, locations age."""
SHOWN_JOBS = 500
"""Waiting jobs, and held ones, on the map; the oldest ones."""
KEPT_PLACES = 4000
"""Places of jobs that are remembered before those off the map are forgotten."""
FOR_A_WHILE = "private, max-age=3600"
"""The names of one tag: the page asks by tag."""
WAITING = (State.ACCEPTED, State.ASSIGNED, State.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Built:
    """A map as it is sent.

    Attributes:
        body: JSON.
        zipped: the same, gzip.
        tag: of the content.
    """

    body: bytes
    zipped: bytes
    tag: str


def _packed(content: Any) -> Built:
    body = orjson.dumps(content)
    return Built(body, gzip.compress(body, 1, mtime=0), hashlib.blake2b(body, digest_size=12).hexdigest())


NOBODY = _packed([])


class FleetMap:
    """Builds the map.

    Args:
        dispatcher: open.
        clock: seconds that never step back.

    Attributes:
        version: rises when a newer map is worth asking for.
        summary: members by state, and how many there are, as of the last map that was built.
    """

    def __init__(self, dispatcher: Dispatcher, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.version = 0
        self.summary: dict[str, Any] = {"map": 0, "members": None}
        self._dispatcher = dispatcher
        self._clock = clock
        self._moved = True
        self._stepped_at = 0.0
        self._engine: object = None
        self._built: tuple[int, Built] | None = None
        self._names = NOBODY
        self._building = asyncio.Lock()
        self._counting: asyncio.Task[None] | None = None
        self._places: dict[int, tuple[int, int] | None] = {}
        self._unwatch = dispatcher.pipeline.journal.watch(self._watch)

    def close(self) -> None:
        """Watch no longer."""
        self._unwatch()
        if self._counting is not None:
            self._counting.cancel()

    def tick(self, *, watched: bool) -> None:
        """Time goes on; while somebody looks, the members are counted anew."""
        engine = self._dispatcher.pipeline.fleet.engine
        since_s = self._clock() - self._stepped_at
        if since_s >= STEP_S and (self._moved or engine is not self._engine or since_s >= IDLE_S):
            self._moved, self._engine, self._stepped_at = False, engine, self._clock()
            self.version += 1
            self.summary = self.summary | {"map": self.version}
        stale = self._built is None or self._built[0] != self.version
        if watched and stale and (self._counting is None or self._counting.done()):
            self._counting = asyncio.create_task(self._count(), name=f"map {self._dispatcher.account}")

    async def map(self) -> Built:
        """The map of this version; those who ask at the same time share it."""
        async with self._building:
            if self._built is None or self._built[0] != self.version:
                version = self.version
                self._built = version, await self._build()
            return self._built[1]

    async def names(self) -> Built:
        """The members' names in the map's order; the map says by which tag."""
        await self.map()
        return self._names

    async def _count(self) -> None:
        try:
            await self.map()
        except Exception as error:  # noqa: BLE001 - the next one may go well
            _log.warning("the map of %s cannot be drawn: %r", self._dispatcher.account, error)

    async def _build(self) -> Built:
        pipeline = self._dispatcher.pipeline
        now = pipeline.clock.wall() // NOW_STEP_S * NOW_STEP_S
        view = await pipeline.fleet.ask(partial(members_view, now=now))
        rows = [
            *await self._dispatcher.page(states=(State.HELD,), limit=SHOWN_JOBS),
            *await self._dispatcher.page(states=WAITING, limit=SHOWN_JOBS),
        ]
        await self._locate(rows)
        built, names, counts = await asyncio.to_thread(_pack, view, rows, dict(self._places))
        self._names = names
        self.summary = self.summary | {"members": counts}
        return built

    async def _locate(self, rows: Sequence[Receipt]) -> None:
        """Where these jobs are: a row's place never changes, so each is looked up once."""
        fresh = [row.seq for row in rows if row.seq not in self._places]
        if not fresh:
            return
        bodies = await self._dispatcher.pipeline.spool.bodies(self._dispatcher.account, fresh)
        found = await asyncio.to_thread(lambda: {seq: _place(body) for seq, body in bodies.items()})
        if len(self._places) > KEPT_PLACES:
            shown = {row.seq for row in rows}
            self._places = {seq: place for seq, place in self._places.items() if seq in shown}
        self._places |= dict.fromkeys(fresh) | found

    def _watch(self, change: Change) -> None:
        self._moved = self._moved or bool(change.seqs)


def _pack(
    view: MembersView | None, rows: Sequence[Receipt], places: Mapping[int, tuple[int, int] | None]
) -> tuple[Built, Built, dict[str, int] | None]:
    """Map, names, and members by state; in a thread."""
    document: dict[str, Any] = {"scale": SCALE, "states": MEMBER_STATES, "jobs": _jobs(rows, places)}
    names, counts = NOBODY, None
    if view is not None:
        names = _packed(view.names)
        tally = Counter(view.states)
        counts = {state: tally[place] for place, state in enumerate(MEMBER_STATES)}
        document |= {
            "names": names.tag,
            "lats": view.lats,
            "lngs": view.lngs,
            "member_states": view.states,
            "stops": view.stops,
            "stop_lats": view.stop_lats,
            "stop_lngs": view.stop_lngs,
            "stops_in_all": view.stops_in_all,
        }
    return _packed(document), names, counts


def _jobs(rows: Sequence[Receipt], places: Mapping[int, tuple[int, int] | None]) -> dict[str, list[Any]]:
    shown = [(row, place) for row in rows if (place := places.get(row.seq)) is not None]
    return {
        "keys": [row.key for row, _ in shown],
        "lats": [place[0] for _, place in shown],
        "lngs": [place[1] for _, place in shown],
        "states": [row.state.value for row, _ in shown],
    }


def _place(body: bytes) -> tuple[int, int] | None:
    job = orjson.loads(body)
    lat, lng = job.get("destinationLat"), job.get("destinationLng")
    if not isinstance(lat, int | float) or not isinstance(lng, int | float) or not (lat or lng):
        return None
    return round(lat * SCALE), round(lng * SCALE)
