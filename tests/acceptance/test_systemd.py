"""`dispatcher run` as a service of systemd: the unit file, and what the process tells its manager."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatcher.settings import describe, load_settings
from tests.acceptance.command import environment, get
from tests.acceptance.serving import daemon_process, job

UNIT = Path(__file__).parents[2] / "deploy" / "systemd" / "hellotracks-dispatcher.service"
INSTALLED = "/opt/hellotracks-dispatcher/bin/dispatcher"

HANGS = """
import asyncio, os
from dispatcher.cli import main
from dispatcher.pipeline.sender import Sender

usual = Sender._fill

async def fill(sender):
    if os.path.exists("hang"):
        await asyncio.Event().wait()
    await usual(sender)

Sender._fill = fill
main()
"""
"""The command, but for a sender that hangs from the moment at which a file is there."""


class Manager:
    """The manager's end of the protocol."""

    def __init__(self, path: Path) -> None:
        self.said: list[str] = []
        self.variables = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "1000000"}
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))

    def close(self) -> None:
        self._socket.close()

    def hear(self, *, for_s: float, until: str = "") -> list[str]:
        """What comes meanwhile; ends early at a message that begins so."""
        heard: list[str] = []
        end = time.monotonic() + for_s
        while (left := end - time.monotonic()) > 0:
            self._socket.settimeout(left)
            with contextlib.suppress(TimeoutError):
                heard.append(self._socket.recv(4096).decode())
                if until and heard[-1].startswith(until):
                    break
        self.said += heard
        return heard


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path / "notify")
    yield made
    made.close()


def test_the_manager_hears_when_it_is_ready_how_it_is_and_that_it_stops(tmp_path: Path, manager: Manager) -> None:
    with daemon_process(tmp_path, "http://127.0.0.1:9", **manager.variables) as daemon:
        assert manager.hear(for_s=10, until="READY=1")[-1] == "READY=1"
        assert daemon.create(job("A"), at_once=True).status == 202
        assert manager.hear(for_s=15, until="STATUS=1 jobs")
        assert manager.hear(for_s=1.0).count("WATCHDOG=1") >= 2
        daemon.process.send_signal(signal.SIGTERM)
        assert manager.hear(for_s=10, until="STOPPING=1")[-1] == "STOPPING=1"
        assert daemon.process.wait(timeout=11) == 0
    assert manager.said[0] == "READY=1"
    assert manager.said.count("READY=1") == 1


def test_a_reload_is_told_when_it_begins_and_when_it_has_ended(tmp_path: Path, manager: Manager) -> None:
    with daemon_process(tmp_path, "http://127.0.0.1:9", **manager.variables) as daemon:
        assert manager.hear(for_s=10, until="READY=1")[-1] == "READY=1"
        daemon.process.send_signal(signal.SIGHUP)
        began = manager.hear(for_s=10, until="RELOADING=1")[-1]
        assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", began)
        assert manager.hear(for_s=10, until="READY=1")[-1] == "READY=1"
        assert daemon.get("/livez").status == 200


def test_a_process_that_stands_still_feeds_no_watchdog(tmp_path: Path, manager: Manager) -> None:
    with daemon_process(tmp_path, "http://127.0.0.1:9", **manager.variables) as daemon:
        assert manager.hear(for_s=10, until="WATCHDOG=1")
        daemon.process.send_signal(signal.SIGSTOP)
        manager.hear(for_s=0.5)
        assert manager.hear(for_s=1.5) == []
        daemon.process.send_signal(signal.SIGCONT)
        assert "WATCHDOG=1" in manager.hear(for_s=5, until="WATCHDOG=1")


@pytest.mark.slow
def test_a_sender_that_hangs_feeds_no_watchdog_though_requests_are_answered(tmp_path: Path, manager: Manager) -> None:
    command = [sys.executable, "-c", HANGS, "run", "--listen", "127.0.0.1:0", "--base-url", "http://127.0.0.1:9"]
    with subprocess.Popen(
        [*command, "--policy", "none"], cwd=tmp_path, env=environment(**manager.variables), stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().decode().partition("ready at ")[2].partition(",")[0]
            assert "WATCHDOG=1" in manager.hear(for_s=30, until="WATCHDOG=1")
            (tmp_path / "hang").touch()
            manager.hear(for_s=13)
            heard = manager.hear(for_s=3)
            assert get(f"{url}/livez") == {"status": "live"}
        finally:
            process.kill()
    assert "WATCHDOG=1" not in heard


def test_the_daemon_says_nothing_to_nobody(tmp_path: Path) -> None:
    with daemon_process(tmp_path, "http://127.0.0.1:9") as daemon:
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.process.wait(timeout=11) == 0
    assert "manager" not in daemon.log.read_text()


def settings_of(unit: str) -> dict[str, list[str]]:
    """`NAME=VALUE` of the unit by name."""
    found: dict[str, list[str]] = {}
    for line in unit.splitlines():
        name, sign, value = line.partition("=")
        if sign and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def test_the_unit_names_settings_that_there_are_and_times_that_fit() -> None:
    unit = UNIT.read_text()
    values = settings_of(unit)
    known = {info.variable for info in describe()}
    assert set(re.findall(r"DISPATCHER_[A-Z_]+", unit)) <= known
    assert values["Type"] == ["notify"]
    assert float(values["TimeoutStopSec"][0]) > load_settings(environ={}).shutdown_grace_s
    assert float(values["WatchdogSec"][0]) >= 20  # a loop that waits its turn may be silent for 10 s
    credentials = {value.partition(":")[0] for value in values["LoadCredential"]}
    used = set(re.findall(r"^Environment=\S+=%d/(\w+)", unit, re.MULTILINE))
    assert used <= credentials


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze on this machine")
def test_systemd_takes_the_unit_and_finds_it_hardened(tmp_path: Path) -> None:
    command = tmp_path / "dispatcher"
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace(INSTALLED, str(command)))
    checked = analyze("verify", "--man=no", str(copy))
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    rated = analyze("security", "--offline=true", "--no-pager", "--threshold=25", str(copy))
    assert rated.returncode == 0, rated.stdout


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60, check=False, env=dict(os.environ)
    )
