"""Storing jobs: which are new, which are here already, which are a newer version of what is here."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from itertools import count

import orjson

from dispatcher.errors import SpoolFull
from dispatcher.model.records import Accepted, NewJob
from dispatcher.model.state import State
from dispatcher.spool.encoding import CODE, STATES, micros
from dispatcher.spool.ledger import Effects, Ledger
from dispatcher.spool.moving import reblock
from dispatcher.spool.statements import ROWS_PER_STATEMENT, SQL, for_rows, json_text

_ACCEPTED = CODE[State.ACCEPTED]
Known = dict[str, tuple[int, int, bytes, State]]
"""Row, version, digest and state by key."""
_COLUMNS = 10
"""Values of one row in `add_contents`."""


def accept(
    connection: sqlite3.Connection,
    ledger: Ledger,
    effects: Effects,
    account_name: str,
    calls: Sequence[tuple[Sequence[NewJob], float]],
    *,
    check_room: Callable[[str, int], None],
) -> list[list[Accepted] | SpoolFull]:
    """Store the jobs of several calls (jobs and Unix time of each) of one account, as if one came after the other.

    Args:
        connection: inside a transaction.
        ledger: counted on.
        effects: added to.
        account_name: made when it is new.
        calls: what to store.
        check_room: given the account and the unsettled rows it would have, raises SpoolFull.

    Returns:
        For each call its answers, or why nothing of it was stored.
    """
    account = ledger.accounts.get(account_name)
    if account is None:
        (account,) = connection.execute(SQL["add_account"], (account_name,)).fetchone()
        ledger.accounts[account_name] = effects.accounts[account_name] = account
    newest = _newest(connection, account, [job.key for jobs, _ in calls for job in jobs])
    answers: list[list[Accepted] | SpoolFull] = []
    values: list[int | str | bytes | None] = []
    later_versions = []
    first = ledger.next_seq
    for jobs, now in calls:
        answer, taken = decide(jobs, newest, count(ledger.next_seq))
        fresh = sum(one.fresh for one in answer)
        if fresh:
            try:
                check_room(account_name, ledger.unsettled[account] + fresh)
            except SpoolFull as full:
                answers.append(full)
                continue
        newest.update(taken)
        at = micros(now)
        for job, one in zip(jobs, answer, strict=True):
            if one.fresh:
                values += (
                    *(one.seq, one.version, job.switches, job.day, job.priority, at),
                    *(job.worker, job.key, job.digest, job.body),
                )
                if one.version > 1:
                    later_versions.append(one.seq)
        ledger.next_seq += fresh
        ledger.unsettled[account] += fresh
        answers.append(answer)
    if ledger.next_seq > first:
        _insert(connection, account, values)
        connection.execute(SQL["add_jobs"], (first, ledger.next_seq - 1))
        effects.counts[account, _ACCEPTED] += ledger.next_seq - first
    if later_versions:
        reblock(connection, ledger, effects, later_versions)
    return answers


def _newest(connection: sqlite3.Connection, account: int, keys: list[str]) -> Known:
    """Row, version, digest and state of the newest version of those keys that are here."""
    (text,) = connection.execute(SQL["newest"], (account, json_text(keys))).fetchone()
    return {
        key: (seq, version, bytes.fromhex(digest), STATES[code])
        for key, seq, version, digest, code in orjson.loads(text)
    }


def decide(jobs: Sequence[NewJob], newest: Known, seqs: Iterator[int]) -> tuple[list[Accepted], Known]:
    """The answer for each job in order, new rows numbered by `seqs`, and what that makes the newest versions."""
    answers = []
    taken: Known = {}
    for job in jobs:
        key = job.key
        here = taken.get(key) or newest.get(key)
        if here is None:
            version = 1
        elif here[2] == job.digest:
            answers.append(Accepted(here[0], here[1], here[3], False))
            continue
        else:
            version = here[1] + 1
        seq = next(seqs)
        taken[key] = (seq, version, job.digest, State.ACCEPTED)
        answers.append(Accepted(seq, version, State.ACCEPTED, True))
    return answers, taken


def _insert(connection: sqlite3.Connection, account: int, values: list[int | str | bytes | None]) -> None:
    step = ROWS_PER_STATEMENT * _COLUMNS
    for start in range(0, len(values), step):
        part = values[start : start + step]
        connection.execute(for_rows("add_contents", len(part) // _COLUMNS), (account, *part))
