"""Killed at any moment under load, and started again: what was acknowledged to a client is at the server, once."""

from __future__ import annotations

import contextlib
import http.client
import random
import threading
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import pytest

from tests.acceptance.command import get, sandbox_process
from tests.acceptance.serving import DAY, Served, daemon_process, job

CLIENTS = 6
KILLS = 6
LIFE_S = (0.1, 2.0)
"""From ready to killed, at random in between."""
HURRY = ("--set", "request_timeout_s=2", "--set", "unknown_grace_s=0.5", "--set", "max_attempts=100")


class Clients:
    """Backends that send each order until it is acknowledged, always under the same keys.

    Attributes:
        acknowledged: the keys of all requests that were answered 200 or 202.
        ids: Hellotracks' id by key, as replies gave it.
        refused: replies that were neither.
        resent: how many requests were sent again.
    """

    def __init__(self, netloc: str) -> None:
        self.acknowledged: set[str] = set()
        self.ids: dict[str, str] = {}
        self.refused: list[tuple[int, bytes]] = []
        self.resent = 0
        self._netloc = netloc
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Let every client have its last order acknowledged."""
        self._over.set()
        for thread in self._threads:
            thread.join(timeout=90)
            assert not thread.is_alive()

    def _run(self, client: int) -> None:
        order = 0
        while not self._over.is_set():
            order += 1
            keys = [f"c{client}-{order}-{n}" for n in range(1 + order % 4)]
            body = orjson.dumps({"data": {"jobs": [job(key, day=DAY) for key in keys]}})
            headers = {"Prefer": "respond-async"} if (client + order) % 2 else {"Prefer": "wait=1"}
            self._deliver(keys, body, headers)

    def _deliver(self, keys: list[str], body: bytes, headers: dict[str, str]) -> None:
        while True:
            connection = http.client.HTTPConnection(self._netloc, timeout=30)
            try:
                connection.request("POST", "/api/createjobs", body=body, headers=headers)
                with connection.getresponse() as reply:
                    document = reply.read()
            except (OSError, http.client.HTTPException):
                self.resent += 1  # dead, or not there yet: perhaps it has the order, perhaps it has not
                time.sleep(0.02)
                continue
            finally:
                connection.close()
            if reply.status not in {200, 202}:
                self.refused.append((reply.status, document))
                return
            self.acknowledged.update(keys)
            for one in orjson.loads(document)["jobs"]:
                if "id" in one:
                    self.ids[one["uidSecondary"]] = one["id"]
            return


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("faults", ["", "all:0.25"], ids=["server is well", "server is hostile"])
def test_every_acknowledged_job_exists_once_after_kills_at_random_moments(tmp_path: Path, faults: str) -> None:
    rng = random.Random(f"moments of {faults}")
    hostile = ("--faults", faults, "--seed", "3", "--slow", "0.9") if faults else ()
    with sandbox_process("--latency", "0.02", *hostile) as url:
        with daemon_process(tmp_path, url, *HURRY) as daemon:
            clients = Clients(daemon.netloc)
            time.sleep(rng.uniform(*LIFE_S))
        for _ in range(KILLS - 1):
            with daemon_process(tmp_path, url, *HURRY, "--listen", daemon.netloc) as daemon:
                time.sleep(rng.uniform(*LIFE_S))
        with daemon_process(tmp_path, url, *HURRY, "--listen", daemon.netloc) as daemon:
            clients.finish()
            wait_until_all_confirmed(daemon)
            stats = get(f"{url}/sandbox/stats")
            keys = get(f"{url}/sandbox/keys?limit=100000")["keys"]
            stored, ids = stored_jobs(url)
    assert clients.refused == []
    assert clients.resent >= KILLS
    assert len(clients.acknowledged) > 100
    lost, strange = clients.acknowledged - stored.keys(), stored.keys() ^ keys.keys()
    assert (len(lost), len(strange), sorted(lost)[:3], sorted(strange)[:3]) == (0, 0, [], [])
    assert len(clients.acknowledged) == len(stored)
    assert set(stored.values()) == {1}
    assert {counters["creates"] for counters in keys.values()} == {1}
    assert (stats["repeats"], stats["overlaps"], stats["late_overlaps"]) == (0, 0, 0)
    assert clients.ids
    assert {key: (one, ids.get(key)) for key, one in clients.ids.items() if one != ids.get(key)} == {}
    if faults:
        assert sum(stats["faults"].values()) >= KILLS, "the server was hostile enough to matter"
    assert "Traceback" not in daemon.log.read_text()


def wait_until_all_confirmed(daemon: Served) -> None:
    until = time.monotonic() + 90
    while True:
        text = daemon.get("/metrics").body.decode()
        lines = [line.rpartition(" ") for line in text.splitlines() if line.startswith("dispatcher_jobs{")]
        if not any(float(count) for name, _, count in lines if "confirmed" not in name):
            return
        assert time.monotonic() < until, lines
        time.sleep(0.1)


def stored_jobs(url: str) -> tuple[Counter[str], dict[str, str]]:
    """How many jobs the server has under each key, and their ids."""
    wish = orjson.dumps({"data": {"day": DAY, "worker": "*"}})
    for _ in range(100):  # the server may still be hostile
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException, ValueError):
            connection.request("POST", "/api/getjobs", body=wish, headers={"API-Key": "test-key"})
            with connection.getresponse() as reply:
                document = orjson.loads(reply.read())
            if document["status"] == 0:
                jobs = document["jobs"]
                return Counter(one["uidSecondary"] for one in jobs), {one["uidSecondary"]: one["id"] for one in jobs}
    raise AssertionError("the server did not list its jobs")
