"""What backends have written into their own transactions: checked, keyed and taken in.

`dispatcher.enqueue(account, jobs)` puts the jobs as they are into a table of their own. Nothing is checked there: a
backend's transaction must not fail for a postcode. A node takes them up, and what is bad becomes a rejected row that
says why.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import orjson

from dispatcher.errors import FieldError, InvalidJobs, SpoolFull
from dispatcher.model.check import key_problem
from dispatcher.model.job import JobReader, named
from dispatcher.model.key import new_key
from dispatcher.model.records import NewJob
from dispatcher.spool.port import Collected
from dispatcher.spool.postgres.group import Group
from dispatcher.spool.postgres.statements import SQL
from dispatcher.spool.postgres.storing import accept
from dispatcher.spool.room import RowLimits

if TYPE_CHECKING:
    from dispatcher.spool.postgres.link import Connection

PAGE_JOBS = 1000
"""Jobs that are taken up in one transaction."""


async def collect(
    connection: Connection,
    group: Group,
    *,
    account: str,
    now: float,
    limit: int,
    limits: RowLimits,
) -> Collected:
    """Move a page of the outbox into the spool.

    Raises:
        SpoolFull: no room; nothing was moved.
    """
    page = await connection.fetch(SQL["outbox_page"], account, limit)
    if not page:
        return Collected()
    readers: dict[int, JobReader] = {}
    good: list[NewJob] = []
    bad: list[NewJob] = []
    words: list[str] = []
    for number, switches, text, _ in page:
        read = readers.setdefault(switches, JobReader(switches=switches))
        raw = text.encode()
        try:
            job = read(raw)
            good.append(job if job.key else named(job, new_key()))
        except InvalidJobs as error:
            bad.append(_as_it_is(raw, number, switches))
            words.append(f"refused here: {'; '.join(map(_problem, error.errors))}")
    (answer,) = await accept(connection, group, account, [(good, now)], limits=limits)
    if isinstance(answer, SpoolFull):
        raise answer
    if bad:
        await accept(connection, group, account, [(bad, now)], limits=limits, errors=words)
    await connection.execute(SQL["outbox_done"], [row[0] for row in page])
    fresh = sum(one.fresh for one in answer)
    return Collected(fresh, len(answer) - fresh, len(bad))


def _as_it_is(raw: bytes, number: int, switches: int) -> NewJob:
    """A bad job under its own key where that can be one, so that it is found by it."""
    obj = orjson.loads(raw)
    key = obj.get("uidSecondary") if isinstance(obj, dict) else None
    if not isinstance(key, str) or not key or key_problem(key):
        key = new_key()
    return NewJob(key, raw, blake2b(b"%d:%b" % (number, raw), digest_size=16).digest(), switches)


def _problem(error: FieldError) -> str:
    return f"{error.field}: {error.message}" if error.field else error.message
