"""The daemon as an object: listens, takes jobs in, and ends in order."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from aiohttp import web

from dispatcher import __version__
from dispatcher.daemon.access import Guard
from dispatcher.daemon.accounts import Accounts
from dispatcher.daemon.address import Address, listening_address
from dispatcher.daemon.comeback import RETRY_S
from dispatcher.daemon.connections import Connections, raise_file_limit
from dispatcher.daemon.createjobs import CreateJobs
from dispatcher.daemon.desk import Desk
from dispatcher.daemon.door import Door
from dispatcher.daemon.health import Health
from dispatcher.daemon.hooks import Hooks
from dispatcher.daemon.jobs import Jobs
from dispatcher.daemon.lag import LoopLag
from dispatcher.daemon.metrics import Meters
from dispatcher.daemon.nodes import Nodes
from dispatcher.daemon.openapi import OpenApi
from dispatcher.daemon.page import Page
from dispatcher.daemon.passes import passes_of, require_api_keys
from dispatcher.daemon.passing import PassingOn
from dispatcher.daemon.plan import Plan
from dispatcher.daemon.process import Process
from dispatcher.daemon.replay import Replay
from dispatcher.daemon.report import Report
from dispatcher.daemon.revision import Revision, revise
from dispatcher.daemon.unreadable import server_log
from dispatcher.errors import ConfigError
from dispatcher.pipeline import FleetFiles
from dispatcher.settings import Configuration, Settings

_log = logging.getLogger("dispatcher.daemon")

BACKLOG = 1024
"""Connections that may wait to be taken."""
ANSWER_S = 1.0
"""Of the grace at a stop: for answers to those who wait, and for closing the spool."""
LINGER_S = 1.0
"""How long what is left of a refused body is read and dropped, so that the client gets to see the refusal."""
KEEP_ALIVE_S = 300.0


class Daemon:
    """One address, and behind it one account or several.

    Example:
        >>> async with Daemon(load_settings()) as daemon:       # doctest: +SKIP
        ...     print(daemon.url)
        ...     await asyncio.Event().wait()

    Args:
        settings: of one account and the process, or those of several accounts.
        fleet: members and day routes from files; without it they are read from Hellotracks.
        retry_denied_s: between two tries of an account that was denied.

    Raises:
        ConfigError: the address cannot be listened on, or only with a key; keys that do not tell accounts apart.
        SpoolUnusable: on entering the block.
    """

    def __init__(
        self, settings: Settings | Configuration, *, fleet: FleetFiles | None = None, retry_denied_s: float = RETRY_S
    ) -> None:
        configuration = Configuration.of(settings) if isinstance(settings, Settings) else settings
        require_api_keys(configuration)
        self._configuration = configuration
        self._changing = asyncio.Lock()
        settings = configuration.process
        passes = passes_of(configuration)
        self._settings = settings
        self._address = listening_address(settings, keyed=bool(passes))
        grace_s = settings.shutdown_grace_s
        self._answer_s = min(ANSWER_S, grace_s / 3)
        self._meters = Meters()
        self._accounts = Accounts(
            settings,
            configuration.accounts,
            meters=self._meters,
            grace_s=max(0.01, grace_s - self._answer_s),
            fleet=fleet,
            retry_denied_s=retry_denied_s,
        )
        self._guard = Guard(passes, desks=self._accounts.desks)
        self._connections = Connections(most=raise_file_limit())
        self._lag = LoopLag()
        self._nodes = Nodes(self._accounts.spool)
        self._page = Page(self._accounts.desks, settings=settings, loopback=self._address.loopback, nodes=self._nodes)
        self._runner: web.AppRunner | None = None
        self._listener: asyncio.Server | None = None
        self._loops: list[asyncio.Task[None]] = []

    def __repr__(self) -> str:
        return f"<Daemon {self.url}, {'open for ' + ', '.join(self.desks) if self.desks else 'closed'}>"

    @property
    def url(self) -> str:
        """Base URL, without a slash at the end."""
        return self._address.url

    @property
    def recovered(self) -> int:
        """Jobs whose outcome was open when the spool was opened; they are looked up first."""
        return self._accounts.recovered

    @property
    def desks(self) -> Mapping[str, Desk]:
        """The open accounts by name."""
        return self._accounts.desks

    async def __aenter__(self) -> Self:
        listener = await self._bind()
        self._introduce()
        try:
            await self._accounts.open()
            self._runner = web.AppRunner(
                self._application(),
                access_log=None,
                logger=server_log(),
                lingering_time=LINGER_S,
                keepalive_timeout=KEEP_ALIVE_S,
                shutdown_timeout=self._answer_s / 4,
            )
            await self._runner.setup()
            self._page.open()
            server = self._runner.server
            assert server is not None  # noqa: S101 - `setup` made it
            self._connections.serve(server)
            self._loops = [
                asyncio.create_task(self._connections.run(), name="silent connections"),
                asyncio.create_task(self._lag.run(), name="event loop lag"),
            ]
            await listener.start_serving()
            if any(desk.settings.policy != "none" for desk in self.desks.values()):
                # a daemon thread, so that a stop does not wait for the compiler
                threading.Thread(target=_warm, name="warm the engine", daemon=True).start()
        except BaseException:
            listener.close()
            await self.close()
            raise
        self._listener = listener
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End within the grace: take nothing more, answer those who wait, let requests under way finish. Idempotent."""
        async with self._changing:
            await self._close()

    async def change(self, configuration: Configuration) -> Revision:
        """Take over another configuration as far as that is possible now; returns what was done.

        An account that is no longer there takes and sends nothing more from now on; requests of it that are under way
        may still end, and this waits for them. Its jobs stay in the spool.

        Raises:
            ConfigError: it cannot be used; nothing changes.
        """
        async with self._changing:
            if self._accounts.stopping or not self.desks:
                raise ConfigError("the daemon is not open")
            revision = revise(self._configuration, configuration)
            require_api_keys(revision.configuration)
            passes = passes_of(revision.configuration)
            listening_address(revision.configuration.process, keyed=bool(passes))
            await asyncio.to_thread(_check_engines, revision)
            self._configuration = revision.configuration
            self._guard.replace(passes)
            await self._accounts.change(revision)
            return revision

    async def _close(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()
        self._accounts.release()
        await self._page.close()  # its streams never end by themselves
        await self._answered()
        await self._nodes.close()
        await self._accounts.close()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
        loops, self._loops = self._loops, []
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)

    async def _bind(self) -> asyncio.Server:
        """Take the address; nobody is let in before everything else stands."""
        address = self._address
        try:
            listener = await asyncio.get_running_loop().create_server(
                self._connections, address.host, address.port, backlog=BACKLOG, start_serving=False
            )
        except OSError as error:
            raise ConfigError(f"listen: cannot listen on {self._settings.listen}: {error.strerror or error}") from error
        self._address = Address(address.host, listener.sockets[0].getsockname()[1])
        return listener

    def _introduce(self) -> None:
        """Others on the same database are told who is here."""
        if self._nodes.shared is not None:
            self._nodes.shared.introduce(
                program=f"hellotracks-dispatcher {__version__}",
                address=self._address.url_for_others,
                report=Report(self.desks),
            )

    def _application(self) -> web.Application:
        accounts, guard, settings = self._accounts, self._guard, self._settings
        process = Process(
            settings, spool=accounts.spool, connections=self._connections, lag=self._lag, nodes=self._nodes
        )
        door = Door(accounts, guard=guard, meters=self._meters, connections=self._connections)
        application = web.Application(middlewares=[web.middleware(door)], client_max_size=0)
        features = (
            CreateJobs(guard=guard, settings=settings),
            PassingOn(guard=guard, settings=settings),
            Jobs(),
            Replay(settings=settings),
            Plan(guard=guard, settings=settings),
            Hooks(accounts.desks, settings=settings),
            OpenApi(guard=guard),
            Health(accounts.desks, meters=self._meters, settings=settings, process=process),
            self._page,
        )
        for feature in features:
            application.add_routes(feature.routes())
        return application

    async def _answered(self) -> None:
        """Give those whose jobs are on their way into the spool, or who waited, the time to be answered."""
        try:
            async with asyncio.timeout(self._answer_s / 2):
                await self._accounts.idle()
        except TimeoutError:
            _log.warning("%d requests were not answered in time; their jobs may be stored", self._accounts.busy)


def _check_engines(revision: Revision) -> None:
    """Let the engine look at settings that it has not seen; loading it may take a while.

    Raises:
        ConfigError: it refuses a value.
    """
    for name in (*revision.added, *revision.changed):
        settings = revision.configuration.accounts[name]
        if settings.policy != "none":
            settings.engine()


def _warm() -> None:
    """Load the engine before the first job needs it: that takes seconds, and on a new machine it compiles."""
    try:
        import engine  # noqa: PLC0415 - in a thread, while requests are taken already

        engine.warm()
    except Exception as error:  # noqa: BLE001 - the first job will meet it again, and the fallback decides
        _log.warning("the engine could not be loaded: %r", error)
