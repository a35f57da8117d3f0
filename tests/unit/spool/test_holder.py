"""Who has a spool open can be asked without getting in the way."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from dispatcher.spool.lock import FileLock, holder


def test_the_owner_is_named_while_there_is_one(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    assert holder(file) == 0
    lock = FileLock(file)
    assert holder(file) == os.getpid()
    lock.release()
    assert holder(file) == 0


def test_a_name_left_behind_by_a_dead_owner_is_not_believed(tmp_path: Path) -> None:
    (tmp_path / "a.db.lock").write_text("1\n")
    assert holder(tmp_path / "a.db") == 0


def test_those_who_ask_never_keep_an_owner_out(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    FileLock(file).release()
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            holder(file)
            stop.wait(0.001)

    asking = [threading.Thread(target=ask) for _ in range(2)]
    for thread in asking:
        thread.start()
    try:
        for _ in range(100):
            FileLock(file).release()
    finally:
        stop.set()
        for thread in asking:
            thread.join()
