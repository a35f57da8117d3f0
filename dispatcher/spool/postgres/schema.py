"""The tables as a whole: which version they are, who can work with them, how they are brought to the newest.

A step only adds: what an older program that still runs reads and writes is there after it as before, and columns that
it does not know have defaults. `works_with` says up to which older program that is so. A step that takes a column or a
table away comes one release after the last program that needed it; an index may give way to a better one at once, which
older programs survive, if slowly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dispatcher.errors import SpoolUnusable
from dispatcher.spool.postgres.statements import SQL

if TYPE_CHECKING:
    from dispatcher.spool.postgres.link import Connection

LOCK_TIMEOUT = "SET LOCAL lock_timeout = '5s'"
"""A step waits no longer for those who work: behind a waiting step everybody else would wait, too."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the schema.

    Attributes:
        name: of its script in `postgres.sql` or `limits.sql`.
        works_with: the oldest program, by the version it knows, that can work with the result.
    """

    name: str
    works_with: int


STEPS: tuple[Step, ...] = (
    Step("schema_1", works_with=1),
    Step("schema_2", works_with=1),
    Step("schema_3", works_with=1),
    Step("schema_4", works_with=1),
)
"""Step n (from 1) makes version n."""
VERSION = len(STEPS)


@dataclass(frozen=True, slots=True)
class Plan:
    """The way to the newest schema.

    Attributes:
        before, after: versions; equal when there is nothing to do.
        steps: names of the scripts, in order.
        sql: their text.
    """

    before: int
    after: int
    steps: Sequence[str]
    sql: str


async def version(connection: Connection) -> int:
    """Version of the tables, 0 when there are none. Changes nothing.

    Raises:
        SpoolUnusable: the schema `dispatcher` is another program's, or too new for this one.
    """
    ours, taken = await connection.fetchrow(SQL["is_there"]) or (False, False)
    if not ours:
        if taken:
            raise SpoolUnusable("the database has a schema named dispatcher that is not ours")
        return 0
    newest, works_with = await connection.fetchrow(SQL["schema_version"]) or (0, 0)
    if works_with > VERSION:
        raise SpoolUnusable(
            f"the tables have version {newest} and need a program that knows version {works_with}, "
            f"this one knows versions up to {VERSION}"
        )
    return int(newest)


async def plan(connection: Connection) -> Plan:
    """What `migrate` would do."""
    before = await version(connection)
    steps = STEPS[before:]
    scripts = [f"-- {step.name}\n{SQL[step.name]}" for step in steps]
    if not before:
        scripts.insert(0, SQL["version_table"])
    return Plan(before, max(before, VERSION), [step.name for step in steps], "\n\n".join(scripts))


async def migrate(connection: Connection, *, dry_run: bool = False) -> Plan:
    """Bring the tables to the newest version, each step whole or not at all. Nodes that run go on running.

    Args:
        connection: outside a transaction.
        dry_run: run all steps in one transaction that is undone.

    Raises:
        SpoolUnusable: see `version`.
    """
    done = await plan(connection)
    if not done.steps:
        return done
    if dry_run:
        transaction = connection.transaction()
        await transaction.start()
        try:
            await _prepare(connection)
            for number in range(await version(connection), VERSION):
                await _take(connection, number)
        finally:
            await transaction.rollback()
        return done
    async with connection.transaction():
        await _prepare(connection)
    while True:
        async with connection.transaction():
            await _prepare(connection)
            number = await version(connection)  # anew, under the lock: another node may have been faster
            if number >= VERSION:
                return done
            await _take(connection, number)


async def _prepare(connection: Connection) -> None:
    await connection.execute(LOCK_TIMEOUT)
    await connection.execute(SQL["one_migrates"])
    if not (await connection.fetchrow(SQL["is_there"]) or (False,))[0]:
        await connection.execute(SQL["version_table"])


async def _take(connection: Connection, number: int) -> None:
    step = STEPS[number]
    await connection.execute(SQL[step.name])
    await connection.execute(SQL["add_version"], number + 1, step.name, step.works_with)
