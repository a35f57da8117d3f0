"""An account whose sending has ended is tried again from time to time; a daemon does not wait for a restart."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from dispatcher.pipeline import AccountPipeline

_log = logging.getLogger("dispatcher.daemon")

RETRY_S = 60.0
"""Between two tries with a key that was denied: soon enough for a person who puts it right, and no storm."""
PROOF_S = 5.0
"""An account counts as well again when nothing has ended it for so long."""


class Comeback:
    """Resumes one account.

    Attributes:
        problem: what ended it, "" when all is well.
    """

    def __init__(self, pipeline: AccountPipeline, *, retry_s: float = RETRY_S, proof_s: float = PROOF_S) -> None:
        self.problem = ""
        self._pipeline = pipeline
        self._retry_s = retry_s
        self._proof_s = proof_s
        self._failed = asyncio.Event()
        self._at_once = asyncio.Event()
        pipeline.on_failure(self._note)

    async def run(self) -> None:
        """Loop until cancelled."""
        while True:
            await self._failed.wait()
            _log.error(
                "sending for %s has ended, next try in %.0f s: %s", self._pipeline.name, self._retry_s, self.problem
            )
            self._at_once.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._retry_s):
                    await self._at_once.wait()
            self._failed.clear()
            self._pipeline.resume()
            try:
                async with asyncio.timeout(self._proof_s):
                    await self._failed.wait()
            except TimeoutError:
                _log.info("sending for %s goes on", self._pipeline.name)
                self.problem = ""

    def hurry(self) -> None:
        """Do not wait for the next try: what ended it may have been put right just now."""
        self._at_once.set()

    def _note(self) -> None:
        denied = self._pipeline.denied
        if denied:
            self.problem = f"Hellotracks denied access: {denied}"
        elif self._pipeline.failure:
            self.problem = f"a part of the pipeline ended: {self._pipeline.failure!r}"
        self._failed.set()
