"""A look at what waits for all accounts of this process, so that accounts with nothing to do cost next to nothing.

Every stage of every account looks at the spool about once a second. One statement, twice a second, answers all of them
as long as nothing stirs: which account has rows in which state, due from when, and for which something was enqueued.
Another one counts for those who show counts. A look takes no notice of versions that wait for older ones, so it may say
that there is something to do when there is not, never the other way. What this process has in hand is not among it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dispatcher.errors import SpoolError
from dispatcher.model.state import State
from dispatcher.spool.encoding import CODE, STATES
from dispatcher.spool.postgres.link import Link
from dispatcher.spool.postgres.statements import SQL

if TYPE_CHECKING:
    from dispatcher.spool.postgres.link import Connection

EVERY_S = 0.5
STALE_S = 3.0
"""An older look is not gone by: the database is slow or away, and those who ask it are to find out."""
FORGET_S = 30.0
"""An account that nobody has asked about for so long is not served here any more."""
WAITING = (State.ACCEPTED, State.ASSIGNED, State.UNKNOWN, State.HELD)
_CODES = tuple(CODE[state] for state in WAITING)
_NEVER = float("-inf")


@dataclass(frozen=True, slots=True)
class Look:
    """What one look has found.

    Attributes:
        began: monotonic time at which it was asked for; whatever was committed before, it shows.
        accounts: those that were asked about.
        due: per account and state, the earliest time at which a row is due (Unix time, 0: it never waited).
        enqueued: accounts for which a backend has enqueued something.
        counts: rows per account and state, of the accounts whose rows were to be counted.
    """

    began: float = _NEVER
    accounts: frozenset[str] = frozenset()
    due: Mapping[tuple[str, State], float] = field(default_factory=dict)
    enqueued: frozenset[str] = frozenset()
    counts: Mapping[str, Mapping[State, int]] = field(default_factory=dict)


class Pulse:
    """Looks for as long as it runs.

    Whatever this process writes or hears of an account stirs it: until the next look that began later, those who ask
    about it are sent to the database.

    Args:
        link: shared with other readers.
        numbers: account name → number, as far as this process knows.
    """

    def __init__(self, link: Link, *, numbers: Mapping[str, int]) -> None:
        self._link = link
        self._numbers = numbers
        self._look = Look()
        self._asked: dict[str, float] = {}
        self._counted: dict[str, float] = {}
        self._stirred: dict[str | int, float] = {}
        self._all_stirred = time.monotonic()

    def __repr__(self) -> str:
        return f"<Pulse of {len(self._asked)} accounts, {len(self._look.due)} with rows>"

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            now = time.monotonic()
            self._asked, self._counted = _recent(self._asked, now), _recent(self._counted, now)
            if self._asked:
                try:
                    async with self._link.use() as connection:
                        self._look = await look(
                            connection, list(self._asked), count=list(self._counted), began=time.monotonic()
                        )
                except SpoolError:
                    continue  # the look grows stale

    def stir(self, account: str | int) -> None:
        """Something may have come for an account, by its name or number."""
        self._stirred[account] = time.monotonic()

    def stir_all(self) -> None:
        """Something may have come for any account."""
        self._all_stirred = time.monotonic()

    def quiet(self, account: str, states: Sequence[State], *, now: float) -> bool:
        """Whether no row of an account is due in any of these states (Unix time), for certain."""
        due = self._look.due
        return self._knows(account) and all(due.get((account, state), now + 1.0) > now for state in states)

    def empty(self, account: str) -> bool:
        """Whether nothing is enqueued for an account, for certain."""
        return self._knows(account) and account not in self._look.enqueued

    def next_due(self, account: str, *, now: float) -> tuple[bool, float | None]:
        """Whether it is known when the next row of an account is due, and when (Unix time), None for never."""
        times = [at for state in WAITING if (at := self._look.due.get((account, state))) is not None]
        if not self._knows(account) or any(at <= now for at in times):  # there may be others behind one that is held
            return False, None
        return True, min(times, default=None)

    def counts(self, account: str) -> dict[State, int] | None:
        """Rows of an account per state, as the last look has counted them; None: they are to be counted anew."""
        self._counted[account] = time.monotonic()
        found = self._look.counts.get(account)
        return dict(found) if found is not None and self._knows(account) else None

    def _knows(self, account: str) -> bool:
        at = time.monotonic()
        self._asked[account] = at
        began = self._look.began
        number = self._numbers.get(account)
        stirred = max(
            self._all_stirred,
            self._stirred.get(account, _NEVER),
            _NEVER if number is None else self._stirred.get(number, _NEVER),
        )
        return account in self._look.accounts and stirred < began and at - began < STALE_S


def _recent(asked: Mapping[str, float], now: float) -> dict[str, float]:
    return {account: at for account, at in asked.items() if now - at < FORGET_S}


async def look(connection: Connection, accounts: Collection[str], *, count: Collection[str] = (), began: float) -> Look:
    """Look once, in one statement, and count the rows of some accounts in another."""
    due: dict[tuple[str, State], float] = {}
    enqueued = set()
    for account, place, at in await connection.fetch(SQL["pulse"], list(accounts), _CODES):
        if place:
            due[account, WAITING[place - 1]] = at
        else:
            enqueued.add(account)
    counts: dict[str, dict[State, int]] = {account: dict.fromkeys(STATES, 0) for account in count}
    if counts:
        for account, code, rows in await connection.fetch(SQL["counts_of"], list(count)):
            counts[account][STATES[code]] = rows
    return Look(began, frozenset(accounts), due, frozenset(enqueued), counts)
