"""Commands that change jobs: they take the spool for themselves, do one thing and give it back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from dispatcher.cli.exits import NOT_ALL, OK, say, say_problems
from dispatcher.cli.rows import as_dict, on_postgres, print_json, spool_file, view_of
from dispatcher.errors import ConfigError, InvalidJobs, TooLate
from dispatcher.model.records import Receipt
from dispatcher.pipeline.care import Care, editable
from dispatcher.pipeline.clock import SystemClock
from dispatcher.settings import Settings
from dispatcher.spool import MemorySpool, SqliteSpool, is_postgres, open_spool

if TYPE_CHECKING:
    from dispatcher.spool.postgres import PostgresSpool
    from dispatcher.spool.postgres.copying import Copied

T = TypeVar("T")


def run_with_spool(settings: Settings, act: Callable[[SqliteSpool | PostgresSpool], Awaitable[T]]) -> T:
    """Open the spool, a file under its lock, a database as one node more, act and close it.

    Raises:
        SpoolUnusable: another process has the file open, or it cannot be used.
    """
    if not on_postgres(settings):
        spool_file(settings)
    spool = open_spool(settings.spool, max_rows=settings.spool_max_rows, min_free_bytes=settings.spool_min_free_bytes)
    assert not isinstance(spool, MemorySpool)  # noqa: S101 - `spool_file` has refused it

    async def run() -> T:
        await spool.open(now=SystemClock().now())
        try:
            return await act(spool)
        finally:
            await spool.close()

    return asyncio.run(run())


def run_with_care(settings: Settings, act: Callable[[Care], Awaitable[T]]) -> T:
    """The same for the jobs of the account."""
    return run_with_spool(settings, lambda spool: act(Care(settings.account, spool, SystemClock())))


def edit_job(
    settings: Settings, key: str, fields: Mapping[str, Any], *, dead: bool, dry_run: bool, as_json: bool
) -> int:
    """Change a job that waits (or, with `dead`, a dead letter) and say what came of it; the exit status.

    Raises:
        ConfigError: the new values are not good.
        SpoolUnusable, SpoolFull: the spool cannot be used.
    """
    with view_of(settings) as view:
        rows = view.versions(settings.account, key)
        bodies = view.bodies(settings.account, [row.seq for row in rows[-1:]])
    if not rows:
        say(f"no job {key} in account {settings.account}")
        return NOT_ALL
    old = rows[-1]
    try:
        job = editable(old, bodies[old.seq], fields, dead=dead)
        new: Receipt | None = None
        if not dry_run:
            new = run_with_care(settings, lambda care: care.edit(key, fields, dead=dead))
    except TooLate as late:
        say(f"dispatcher: {late}")
        return NOT_ALL
    except InvalidJobs as bad:
        say_problems(bad.errors, what="error", total=len(bad.errors))
        raise ConfigError(f"{key} was left as it is") from bad
    body = job.body if new is None else None
    if as_json:
        print_json(
            {
                "key": key,
                "dry_run": dry_run,
                "changed": job.body != bodies[old.seq],
                "old": as_dict(old),
                "new": None if new is None else as_dict(new),
                "job": orjson.Fragment(job.body),
            }
        )
    elif body is not None:
        say(f"{key} would become version {old.version + 1}:")
        say(body.decode())
    elif new is not None and new.version == old.version:
        say(f"{key} has these values already; it stays version {old.version}")
    elif new is not None:
        say(f"{key} is now version {new.version}; version {old.version} will not be sent")
    return OK


def copy_spool(path: Path, target: str) -> tuple[Copied, str]:
    """Copy a file into a database; what was done, and the database without what only the connection needs.

    Raises:
        ConfigError: the target is no database.
        SpoolUnusable: the file is in use, or one of the two cannot be used.
        SpoolError: the database has other content under a key.
    """
    if not is_postgres(target):
        raise ConfigError(f"--to {target}: expected postgresql://user@host/database")
    from dispatcher.spool.postgres import PostgresSpool  # noqa: PLC0415 - asyncpg is an extra
    from dispatcher.spool.postgres.copying import copy_file  # noqa: PLC0415

    spool = PostgresSpool(target)

    async def run() -> Copied:
        await spool.open(now=SystemClock().now())
        try:
            return await copy_file(path, spool)
        finally:
            await spool.close()

    return asyncio.run(run()), str(spool.address)
