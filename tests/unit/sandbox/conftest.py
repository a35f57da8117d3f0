import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from dispatcher.sandbox import Sandbox, SandboxSettings
from tests.unit.sandbox.talk import Open, Talk


@pytest.fixture(autouse=True)
def _nothing_goes_wrong_unseen(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A handler that fails, or a task nobody asks about, only shows in the log."""
    yield
    records = [*caplog.get_records("call"), *caplog.records]
    assert [record.getMessage() for record in records if record.levelno >= logging.ERROR] == []


@pytest.fixture
async def open_sandbox() -> AsyncIterator[Open]:
    """Starts sandboxes with given settings; they are stopped at the end."""
    async with AsyncExitStack() as stack:

        async def start(**settings: Any) -> Talk:
            sandbox = await stack.enter_async_context(Sandbox(SandboxSettings(**settings)))
            return Talk(sandbox, await stack.enter_async_context(aiohttp.ClientSession()))

        yield start
