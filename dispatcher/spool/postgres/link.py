"""A connection that is made anew when it was lost, and what its failures mean.

Everything here works behind PgBouncer in transaction mode: no session state, and no prepared statement that outlives
its transaction unless the address asks for it (`?prepared=on`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg

from dispatcher.errors import ConfigError, SpoolError

CONNECT_TIMEOUT_S = 5.0
STATEMENT_TIMEOUT_S = 60.0
"""A statement that takes longer has met a network that swallows packets; the connection is given up."""
STATEMENT_CACHE = 200
SWITCHES = ("prepared", "listen")
OURS = (*SWITCHES, "lease_s")
"""Parts of the address that are ours; the others are PostgreSQL's."""
LEASE_S = 5.0
"""Long beside a pause of the interpreter or of a disk, short enough that another node takes over within 10 s."""
LONGEST_LEASE_S = 3600.0

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

LOST = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,
)
"""The server is away, full, or not the one that writes: nothing is wrong with the statement."""


class DatabaseAway(SpoolError):  # noqa: N818 - as in the whole tree
    """The database cannot be reached; nothing of this call was stored."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the database is.

    Attributes:
        dsn: as PostgreSQL takes it.
        prepared: statements may stay prepared from one transaction to the next: cheaper, and impossible behind a
            PgBouncer in transaction mode that does not know of them (`max_prepared_statements = 0`).
        listen: a connection of its own may wait for hints: impossible behind PgBouncer in transaction mode.
        lease_s: how long a node may be silent before it is taken for dead, in seconds.
    """

    dsn: str
    prepared: bool = False
    listen: bool = True
    lease_s: float = LEASE_S

    @classmethod
    def read(cls, url: str) -> Address:
        """From the setting `spool`, such as `postgresql://user@host/db?prepared=on&listen=off`.

        Raises:
            ConfigError: one of our own parts has a value that cannot be used, or the address carries a password:
                settings are shown, passwords are not.
        """
        parts = urlsplit(url)
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        if parts.password or "password" in dict(pairs):
            raise ConfigError(
                "spool: the address carries a password, and would be shown with it; "
                "put the password into the environment (PGPASSWORD) or a file (PGPASSFILE, ~/.pgpass)"
            )
        ours = {name: value for name, value in pairs if name in OURS}
        for name in SWITCHES:
            if ours.get(name, "on") not in {"on", "off"}:
                raise ConfigError(f"spool: {name}={ours[name]}: expected on or off")
        query = urlencode([pair for pair in pairs if pair[0] not in OURS], safe="/")
        return cls(
            dsn=urlunsplit(parts._replace(query=query)),
            prepared=ours.get("prepared", "off") == "on",
            listen=ours.get("listen", "on") == "on",
            lease_s=_lease_s(ours.get("lease_s", str(LEASE_S))),
        )

    def __str__(self) -> str:
        """Without what only the connection needs."""
        parts = urlsplit(self.dsn)
        user = f"{parts.username}@" if parts.username else ""
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{user}{parts.hostname or ''}{port}{parts.path}"

    async def connect(self, *, patient: bool = False) -> Connection:
        """A new connection; a patient one gives no statement up, however long it takes."""
        return await asyncpg.connect(
            self.dsn,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=None if patient else STATEMENT_TIMEOUT_S,
            statement_cache_size=STATEMENT_CACHE if self.prepared else 0,
        )


class Link:
    """One connection, used by one caller at a time.

    Args:
        address: where to.
        patient: give no statement up, however long it takes.
    """

    __slots__ = ("_address", "_connection", "_patient", "_turn")

    def __init__(self, address: Address, *, patient: bool = False) -> None:
        self._address = address
        self._patient = patient
        self._connection: Connection | None = None
        self._turn = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<Link {self._address} {'up' if self._connection else 'down'}>"

    @asynccontextmanager
    async def use(self) -> AsyncIterator[Connection]:
        """The connection, for a few statements. After a failure that is not a statement's own it is given up.

        Raises:
            DatabaseAway: it could not be made, or was lost.
            SpoolError: the database refused a statement.
        """
        async with self._turn:
            try:
                if self._connection is None or self._connection.is_closed():
                    self._connection = await self._address.connect(patient=self._patient)
                yield self._connection
            except LOST as error:
                self.cut()
                raise DatabaseAway(f"{self._address}: the database cannot be reached: {_words(error)}") from error
            except asyncpg.PostgresError as error:
                self._cut_unless_idle()
                raise SpoolError(f"{self._address}: the database refused: {_words(error)}") from error
            except BaseException:
                self._cut_unless_idle()
                raise

    def _cut_unless_idle(self) -> None:
        connection = self._connection
        if connection is not None and (connection.is_closed() or connection.is_in_transaction()):
            self.cut()

    def cut(self) -> None:
        """Drop the connection without a word, as a dying process would."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def close(self) -> None:
        """Give the connection back."""
        async with self._turn:
            connection, self._connection = self._connection, None
            if connection is not None and not connection.is_closed():
                try:
                    await connection.close(timeout=CONNECT_TIMEOUT_S)
                except LOST:
                    connection.terminate()


def _lease_s(text: str) -> float:
    try:
        lease_s = float(text)
    except ValueError:
        lease_s = 0.0
    if not 0.1 <= lease_s <= LONGEST_LEASE_S:
        raise ConfigError(f"spool: lease_s={text}: expected seconds from 0.1 to {LONGEST_LEASE_S:.0f}")
    return lease_s


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
