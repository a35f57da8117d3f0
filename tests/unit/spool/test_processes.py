"""Real processes: the lock between two of them, and what is there after a kill."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dispatcher.errors import SpoolUnusable
from dispatcher.model.records import Receipt
from dispatcher.model.state import State
from dispatcher.spool import SqliteSpool

ACCEPTING = """
import asyncio, sys
from dispatcher.model.records import Change, NewJob
from dispatcher.model.records import Receipt
from dispatcher.model.state import State
from dispatcher.spool import SqliteSpool

async def caller(spool, name):
    number = 0
    while True:
        keys = [f"{name}-{number + place}" for place in range(1 + number % 7)]
        number += len(keys)
        stored = await spool.accept("acme", [NewJob(key, b"{}" * 100, b"d" * 16) for key in keys], now=1.0)
        sys.stdout.write("".join(f"{key}\\n" for key in keys))
        sys.stdout.flush()
        seqs = [one.seq for one in stored[::2]]
        await spool.apply([
            Change(seqs=seqs, to=State.ASSIGNED, expect=(State.ACCEPTED,), workers=["ann"] * len(seqs)),
            Change(seqs=seqs, to=State.SENDING, expect=(State.ASSIGNED,), add_attempts=1),
        ], now=2.0)
        sys.stdout.write("".join(f"{seq} sending\\n" for seq in seqs))
        sys.stdout.flush()

async def main():
    spool = SqliteSpool(sys.argv[1])
    await spool.open(now=1.0)
    print("open", flush=True)
    await asyncio.gather(*(caller(spool, f"{sys.argv[2]}-{name}") for name in range(8)))

asyncio.run(main())
"""


@contextmanager
def accepting(file: Path, name: str = "a") -> Iterator[subprocess.Popen[str]]:
    """A process that accepts, prints what was acknowledged, and never ends by itself."""
    command = [sys.executable, "-c", ACCEPTING, str(file), name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "open\n"
            yield process
        finally:
            process.kill()


async def test_a_second_process_is_told_who_has_the_file_and_gets_it_when_that_one_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    spool = SqliteSpool(file)
    with accepting(file) as process:
        with pytest.raises(SpoolUnusable, match=f"in use by process {process.pid}$"):
            await spool.open(now=1.0)
        process.kill()
        process.wait()
        await spool.open(now=1.0)
    await spool.close()


async def test_a_second_spool_of_one_process_is_refused_too(tmp_path: Path) -> None:
    first, second = SqliteSpool(tmp_path / "a.db"), SqliteSpool(tmp_path / "a.db")
    await first.open(now=1.0)
    with pytest.raises(SpoolUnusable, match="in use by process"):
        await second.open(now=1.0)
    await first.close()
    await second.open(now=1.0)
    await second.close()


async def test_whatever_was_acknowledged_is_there_after_a_kill(tmp_path: Path) -> None:
    """Eight callers, killed at a random moment, six times over on one file: each key they heard of exists once.

    A move that was acknowledged is there too; as the process was sending, it reads as unknown.
    """
    file = tmp_path / "a.db"
    dice = random.Random(3)
    keys: list[str] = []
    sending: set[int] = set()
    for life in range(6):
        with accepting(file, f"life{life}") as process:
            await asyncio.sleep(dice.uniform(0.05, 0.4))
            process.send_signal(signal.SIGKILL)
            output, _ = process.communicate()
        *lines, _cut = output.split("\n")
        sending.update(int(line.split()[0]) for line in lines if line.endswith(" sending"))
        keys += [line for line in lines if not line.endswith(" sending")]
    spool = SqliteSpool(file)
    await spool.open(now=9.0)
    receipts: dict[str, Receipt] = {}
    after = 0
    while page := await spool.receipts("acme", after_seq=after, limit=1000):
        after = page[-1].seq
        assert receipts.keys().isdisjoint(receipt.key for receipt in page)
        receipts.update({receipt.key: receipt for receipt in page})
    counts = await spool.counts("acme")
    assert await spool.check() == []
    await spool.close()
    assert len(keys) > 100
    assert len(keys) == len(set(keys))
    assert receipts.keys() >= set(keys)
    unknown = {receipt.seq for receipt in receipts.values() if receipt.state is State.UNKNOWN}
    assert unknown >= sending
    assert len(sending) > 50
    assert sum(counts.values()) == len(receipts)
    assert counts[State.SENDING] == 0
