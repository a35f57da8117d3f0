"""Who has shown which token: sessions of the page, kept in this process. Pure."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass

LASTS_S = 12 * 3600.0
"""A working day; then the token is asked for again."""
MOST = 1000
"""Sessions at a time; the oldest one goes for each new one."""


@dataclass(slots=True)
class Session:
    """What its holder may do.

    Attributes:
        until: end, on the clock given.
        reads: it has shown the read token.
        acts: it has shown the act token.
    """

    until: float
    reads: bool = False
    acts: bool = False


class Sessions:
    """Sessions by a random name that only its holder knows; only the name's digest is kept.

    Args:
        clock: seconds that never step back.
        new_name: a name that nobody can guess.
    """

    def __init__(
        self, clock: Callable[[], float], new_name: Callable[[], str] = lambda: secrets.token_urlsafe(32)
    ) -> None:
        self._clock = clock
        self._new_name = new_name
        self._known: dict[bytes, Session] = {}

    def __len__(self) -> int:
        return len(self._known)

    def find(self, name: str | None) -> Session | None:
        """The session of that name, None when there is none or its time is over."""
        if not name:
            return None
        session = self._known.get(_digest(name))
        if session is not None and session.until <= self._clock():
            del self._known[_digest(name)]
            return None
        return session

    def allow(self, name: str | None, *, reads: bool = False, acts: bool = False) -> tuple[str, Session]:
        """A token was shown: what its holder may do now, under a new name. The old name ends."""
        old = self.find(name)
        self.end(name)
        while len(self._known) >= MOST:
            del self._known[next(iter(self._known))]
        session = Session(
            self._clock() + LASTS_S,
            reads=reads or (old is not None and old.reads),
            acts=acts or (old is not None and old.acts),
        )
        fresh = self._new_name()
        self._known[_digest(fresh)] = session
        return fresh, session

    def end(self, name: str | None) -> None:
        """The session is over."""
        session = self._known.pop(_digest(name), None) if name else None
        if session is not None:
            session.until = 0.0


def _digest(name: str) -> bytes:
    return hashlib.blake2b(name.encode(errors="surrogateescape"), digest_size=16).digest()
