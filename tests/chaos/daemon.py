"""A daemon as a service manager runs it: under one name, started again whenever it has ended."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from tests.acceptance.command import COMMAND, environment

AGAIN_S = 0.3
READY_S = 60.0


class Daemon:
    """One name, one life after the other.

    Args:
        name: of the node.
        folder: for its log.
        flags: of `dispatcher run`.

    Attributes:
        url: where it listens, "" while it does not.
        lives: how often it was started.
        fell: exit statuses of lives that had been ready and ended without being killed.
    """

    def __init__(self, name: str, folder: Path, flags: tuple[str, ...]) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._flags = (*flags, "--node", name)
        self.url = ""
        self.lives = 0
        self.fell: list[int] = []
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, again and again while it cannot: the database may be away.

        Raises:
            TimeoutError: not within a minute.
        """
        async with asyncio.timeout(READY_S):
            while not await self._started():  # noqa: ASYNC110 - as a service manager does
                await asyncio.sleep(AGAIN_S)

    async def _started(self) -> bool:
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(*COMMAND, "run", "--listen", "127.0.0.1:0", *self._flags),
                cwd=self.log.parent,
                env=environment(DISPATCHER_API_KEY="right"),
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        self.lives += 1
        assert self.process.stdout is not None
        line = (await self.process.stdout.readline()).decode()
        if "ready at " not in line:
            await self.process.wait()
            return False
        self.url = line.partition("ready at ")[2].partition(",")[0]
        return True

    def send(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(number)

    async def kill(self) -> None:
        """SIGKILL, and until it is gone."""
        self._look()
        self.url = ""
        self.send(signal.SIGKILL)
        if self.process is not None:
            await self.process.wait()

    async def stop(self) -> int:
        """SIGTERM; the exit status."""
        self._look()
        self.send(signal.SIGTERM)
        assert self.process is not None
        return await self.process.wait()

    def _look(self) -> None:
        if self.url and self.process is not None and self.process.returncode is not None:
            self.fell.append(self.process.returncode)
