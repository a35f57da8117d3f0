"""What `submit` does: read, accept, watch until every job of the file is through, stop in order when asked to."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

from dispatcher.cli.exits import NOT_ALL, say
from dispatcher.cli.progress import Progress
from dispatcher.cli.tally import FileTally
from dispatcher.errors import Denied, FieldError, SpoolFull
from dispatcher.intake import Chunk, read_jobs
from dispatcher.model.records import SEND_ROUTE_CHANGE, Accepted
from dispatcher.pipeline import Dispatcher, FleetFiles, PipelineStatus
from dispatcher.settings import Settings

TICK_S = 0.2
STALLED_TICKS = 10
"""after two seconds without progress the spool itself is asked about the open jobs"""
NEVER_REACHED_S = 20.0
"""a server that has not answered once since the start is given up sooner than one that went away"""
ERRORS_KEPT = 1000
PAGE_ROWS = 2000


@dataclass(slots=True)
class Report:
    """What `submit` found out.

    Attributes:
        refused: jobs of the file that were not accepted.
        errors: the first problems, in words.
        ended: why it ended before all jobs were through, "" when they are.
        denied: the server refused the key.
        seconds: from the first line read to the end.
    """

    refused: int = 0
    errors: list[FieldError] = field(default_factory=list)
    ended: str = ""
    denied: bool = False
    seconds: float = 0.0


async def deliver(
    settings: Settings,
    file: str,
    *,
    strict: bool,
    fleet: FleetFiles | None,
    tally: FileTally,
    progress: Progress,
    afterwards: Callable[[Dispatcher], Awaitable[None]] | None = None,
) -> Report:
    """Deliver the jobs of a file.

    Args:
        settings: account, spool and everything else.
        file: path, or - for standard input.
        strict: accept nothing when any job is bad.
        fleet: members from files instead of from the server.
        tally: counts the jobs of the file; usable after an error too.
        progress: where progress is shown.
        afterwards: called once all jobs are through, while the dispatcher is still open.

    Raises:
        InputError: the file cannot be read at all.
        SpoolUnusable: the spool cannot be opened.
    """
    report = Report()
    started = time.monotonic()
    switches = SEND_ROUTE_CHANGE if settings.send_route_change else 0
    if strict:
        errors = [error for chunk in read_jobs(file, switches=switches) for error in chunk.errors]
        if errors:
            report.refused = len({error.index for error in errors})
            report.errors = errors[:ERRORS_KEPT]
            report.ended = "nothing was accepted, because the file has bad jobs and --strict was given"
            return report
    chunks = read_jobs(file, switches=switches)
    first = await asyncio.to_thread(next, chunks, None)  # an unreadable file ends here, before the spool is touched
    async with Dispatcher(settings, fleet=fleet) as dispatcher:
        if dispatcher.recovered:
            progress.note(f"{dispatcher.recovered} jobs of an earlier run were under way; looking them up first")
        unwatch = dispatcher.pipeline.journal.watch(tally.watch)
        stop = _stop_on_signal()
        with progress:
            intake = asyncio.create_task(_take_in(dispatcher, first, chunks, tally, report, progress))
            try:
                report.ended = await _until_through(dispatcher, intake, stop, tally, progress)
            except Denied as denied:
                report.denied = True
                report.ended = f"{denied}; nothing was rejected, {tally.open} jobs wait in {settings.spool}"
            finally:
                intake.cancel()
                await asyncio.gather(intake, return_exceptions=True)
                await _ask_spool(dispatcher, tally)
        unwatch()
        if afterwards and not report.ended:
            await afterwards(dispatcher)
    if intake.done() and not intake.cancelled() and (error := intake.exception()):
        raise error
    report.seconds = time.monotonic() - started
    return report


async def _take_in(  # noqa: PLR0917 - the parts of one run
    dispatcher: Dispatcher,
    first: Chunk | None,
    chunks: Iterator[Chunk],
    tally: FileTally,
    report: Report,
    progress: Progress,
) -> None:
    """Read the file chunk by chunk; each chunk is durable before the next is read."""
    chunk = first
    while chunk is not None:
        for warning in chunk.warnings:
            progress.note(f"warning: {warning}")
        if chunk.errors:
            report.refused += len({error.index for error in chunk.errors})
            report.errors += chunk.errors[: ERRORS_KEPT - len(report.errors)]
        if chunk.jobs:
            tally.add(await _accept(dispatcher, chunk, tally, progress))
        chunk = await asyncio.to_thread(next, chunks, None)


async def _accept(dispatcher: Dispatcher, chunk: Chunk, tally: FileTally, progress: Progress) -> list[Accepted]:
    """Store a chunk. A full spool is waited for as long as jobs leave it; with nothing on its way the error stands."""
    noted = False
    while True:
        try:
            return await dispatcher.accept(chunk.jobs)
        except SpoolFull as full:
            if not tally.open:
                raise
            if not noted:
                progress.note(f"waiting for room in the spool: {full}")
                noted = True
            await asyncio.sleep(min(1.0, full.retry_after_s))


async def _until_through(
    dispatcher: Dispatcher, intake: asyncio.Task[None], stop: asyncio.Event, tally: FileTally, progress: Progress
) -> str:
    """Wait until every job of the file is settled or held. Returns why it ended before that, "" when it did not."""
    settings = dispatcher.settings
    still = 0
    seen = -1
    started = time.monotonic()
    while True:
        if intake.done():
            if intake.exception():
                return ""
            if not tally.open:
                return ""
        if stop.is_set():
            return "stopped"
        status = await dispatcher.status()
        if dispatcher.pipeline.failure:
            raise dispatcher.pipeline.failure
        if (reason := _gone(status, settings, time.monotonic() - started)) and intake.done():
            return reason
        progress.show(tally, status)
        still = still + 1 if tally.open == seen else 0
        seen = tally.open
        if still >= STALLED_TICKS:
            still = 0
            await _ask_spool(dispatcher, tally)
        try:
            async with asyncio.timeout(TICK_S):
                await stop.wait()
        except TimeoutError:
            pass


def _gone(status: PipelineStatus, settings: Settings, running_s: float) -> str:
    """Whether the server has been out of reach for so long that a command should not wait for it."""
    if not settings.give_up_after_s:
        return ""
    if status.silent_s is None and running_s > min(NEVER_REACHED_S, settings.give_up_after_s):
        return f"{settings.base_url} cannot be reached: {status.last_error or 'no answer'}"
    if status.silent_s is not None and status.silent_s > settings.give_up_after_s:
        return f"{settings.base_url} has not answered for {status.silent_s:.0f} s: {status.last_error}"
    return ""


async def _ask_spool(dispatcher: Dispatcher, tally: FileTally) -> None:
    """Put the tally right by the spool: rows on their way are counted where they are now."""
    seen = -1
    while seqs := tally.unsettled(PAGE_ROWS, after=seen):
        seen = seqs[-1]
        for receipt in await dispatcher.look(seqs):
            tally.correct(receipt.seq, receipt.state)


def _stop_on_signal() -> asyncio.Event:
    """The first SIGINT or SIGTERM stops in order; the second one ends at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if stop.is_set():
            say("stopped at once; what was under way is looked up at the next run")
            os._exit(NOT_ALL)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    return stop
