"""A dry run on the fleet that decides: who would get these jobs, while nothing changes."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dispatcher.errors import Denied, FieldError, FleetUnusable, InvalidJobs
from dispatcher.pipeline.fleet import Fleet

if TYPE_CHECKING:
    from engine import Decision, Engine


async def rehearse(
    fleet: Fleet, jobs: Sequence[Mapping[str, Any]], *, days: Collection[int], now: float, timeout_s: float
) -> list[Decision]:
    """What the fleet would decide of these jobs, reasons included.

    They are decided on a fork of the engine in a thread of their own: nothing changes, and nobody waits for it.

    Args:
        fleet: whose members and day routes.
        jobs: in Hellotracks' field names.
        days: YYYYMMDD of the jobs, 0 for none.
        now: Unix seconds.
        timeout_s: how long it may take to bring the fleet up, when it is not.

    Raises:
        FleetUnusable: there is none to ask.
        InvalidJobs: a job's field cannot be read.
    """
    try:
        async with asyncio.timeout(timeout_s):
            usable = await fleet.ready(days)
    except TimeoutError:
        usable = False
    except Denied as denied:
        raise FleetUnusable(f"the fleet could not be read: {denied}") from denied
    fork = await fleet.ask(lambda engine: engine.fork()) if usable else None
    if fork is None:
        raise FleetUnusable(fleet.problem or "the fleet could not be read in time")
    return await asyncio.to_thread(_decided, fork, jobs, now)


def kept(jobs: Sequence[Mapping[str, Any]]) -> list[Decision]:
    """Without an engine (policy `none`) jobs keep whom their caller named, or nobody."""
    from engine import Decision  # noqa: PLC0415 - loads nothing compiled, but the library is imported without it

    named = [job.get("worker") or job.get("receiverUid") or None for job in jobs]
    return [
        Decision(index, job.get("uidSecondary"), who, None, None, None, None, preassigned=who is not None)
        for index, (job, who) in enumerate(zip(jobs, named, strict=True))
    ]


def _decided(engine: Engine, jobs: Sequence[Mapping[str, Any]], now: float) -> list[Decision]:
    from engine import EngineError  # noqa: PLC0415 - see `kept`

    try:
        return engine.decide(jobs, now=now, reasons=True)
    except EngineError as error:
        bad = FieldError(index=error.index or 0, field=error.field, message=str(error))
        raise InvalidJobs([bad]) from error
