"""Bringing a database to the newest schema by hand, or as a rehearsal. `open` does so by itself."""

from __future__ import annotations

import asyncio

from dispatcher.errors import SpoolError, SpoolUnusable
from dispatcher.spool.migrating import Migration
from dispatcher.spool.postgres import schema
from dispatcher.spool.postgres.link import Address, Link


def migrate_database(url: str, *, dry_run: bool = False) -> tuple[Migration, str]:
    """Run the missing steps, or all of them in one transaction that is undone; what was done, and its statements.

    Raises:
        SpoolUnusable: the database cannot be reached, is not ours or newer, or a step failed; then those before it
        stand.
    """
    address = Address.read(url)

    async def run() -> schema.Plan:
        link = Link(address, patient=True)
        try:
            async with link.use() as connection:
                return await schema.migrate(connection, dry_run=dry_run)
        finally:
            await link.close()

    try:
        done = asyncio.run(run())
    except SpoolUnusable:
        raise
    except SpoolError as error:
        raise SpoolUnusable(f"cannot be migrated: {error}") from error
    return Migration(done.before, done.after, done.steps), done.sql
