"""What is done with an engine in its thread: build it, let it decide stored jobs, put decided ones back."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import orjson

from dispatcher.model.histogram import Histogram
from dispatcher.pipeline.assigning import Found
from dispatcher.pipeline.columns import columns_of, taken

if TYPE_CHECKING:
    from engine import Engine

_log = logging.getLogger("dispatcher.pipeline")


def decide(engine: Engine, bodies: Sequence[bytes], *, now: float, tests: Histogram) -> Sequence[Found | None]:
    """The engine's decisions on stored jobs, in input order; None: it cannot read the job.

    Plain jobs go as columns, which gives the same answers.

    Args:
        engine: its day routes change.
        bodies: each with its `uidSecondary`.
        now: Unix seconds.
        tests: told how many fit tests each decision took, of those taken as columns.
    """
    from engine import EngineError  # noqa: PLC0415 - numba and scikit-learn load only when there is something to decide

    settings = engine.settings
    if settings.order == "priority" and not settings.improve_s and (columns := columns_of(bodies)) is not None:
        try:
            decided = engine.decide_columns(columns, now=now)
        except EngineError as error:
            _log.info("these jobs are decided one by one: %s", error)
        else:
            for count, jobs in Counter(decided.tests.tolist()).items():
                tests.observe(count, times=jobs)
            return taken(engine.members, decided)
    return _decide_jobs(engine, [orjson.loads(body) for body in bodies], now)


def _decide_jobs(engine: Engine, jobs: Sequence[dict[str, Any]], now: float) -> Sequence[Found | None]:
    from engine import EngineError  # noqa: PLC0415 - see `decide`

    try:
        return engine.decide(jobs, now=now)
    except EngineError as error:
        if len(jobs) == 1:
            _log.warning("the engine cannot read a job, the fallback decides: %s", error)
            return [None]
        middle = len(jobs) // 2
        return [*_decide_jobs(engine, jobs[:middle], now), *_decide_jobs(engine, jobs[middle:], now)]


def occupy(engine: Engine, decided: Sequence[tuple[bytes, str | None]]) -> None:
    """Jobs that have a member already, but are not known to be at the server, take their places."""
    jobs: list[dict[str, Any]] = []
    for body, worker in decided:
        job: dict[str, Any] = orjson.loads(body)
        if worker and not job.get("receiverUid"):
            job["worker"] = worker
        jobs.append(job)
    engine.decide(jobs)
