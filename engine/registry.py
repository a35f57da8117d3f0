"""Which stop is where: from keys to the stops in the day routes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from engine.twin import twin_of


class Entry(NamedTuple):
    """A stop's names and its place.

    Attributes:
        key: the job's `uidSecondary`.
        uid: the job's `id`.
        day: ordinal of its date.
        member: index of its member.
        mark: what a whole day's listing said of it (see `engine.relay`), 0 when it did not come with one.
    """

    key: str | None
    uid: str | None
    day: int
    member: int
    mark: int = 0


class Registry:
    """Stops by handle, by key and by id. A key may stand for several stops when the saved routes say so."""

    def __init__(self) -> None:
        self._entries: dict[int, Entry] = {}
        self._by_key: dict[str, list[int]] = {}
        self._by_uid: dict[str, list[int]] = {}
        self._next = 0

    def copy(self) -> Registry:
        """The same stops in lists of their own."""
        return twin_of(
            self,
            _entries=self._entries.copy(),
            _by_key={name: handles.copy() for name, handles in self._by_key.items()},
            _by_uid={name: handles.copy() for name, handles in self._by_uid.items()},
        )

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, handle: int) -> bool:
        return handle in self._entries

    def __getitem__(self, handle: int) -> Entry:
        return self._entries[handle]

    def new_handles(self, count: int) -> int:
        """The first of `count` fresh handles."""
        first = self._next
        self._next += count
        return first

    def add(self, handle: int, entry: Entry) -> None:
        """Note where a stop is."""
        self._entries[handle] = entry
        if entry.key is not None:
            self._by_key.setdefault(entry.key, []).append(handle)
        if entry.uid is not None:
            self._by_uid.setdefault(entry.uid, []).append(handle)

    def of_key(self, key: str) -> tuple[int, ...]:
        """Handles of the stops with this `uidSecondary`."""
        return tuple(self._by_key.get(key, ()))

    def of_name(self, name: str) -> tuple[int, ...]:
        """Handles of the stops with this `uidSecondary`, else with this `id`."""
        return self.of_key(name) or tuple(self._by_uid.get(name, ()))

    def name(self, handle: int) -> str | None:
        """What a stop is called: its key, else its id."""
        entry = self._entries.get(handle)
        return None if entry is None else entry.key or entry.uid

    def drop(self, handle: int) -> Entry:
        """Forget a stop."""
        entry = self._entries.pop(handle)
        for index, name in ((self._by_key, entry.key), (self._by_uid, entry.uid)):
            if name is not None:
                handles = index[name]
                handles.remove(handle)
                if not handles:
                    del index[name]
        return entry

    def handles(self) -> Iterable[int]:
        """All stops."""
        return self._entries.keys()
