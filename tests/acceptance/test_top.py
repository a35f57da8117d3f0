"""`dispatcher top` beside a real daemon: once, on a pipe, on a terminal, and while the daemon goes and comes back."""

from __future__ import annotations

import contextlib
import fcntl
import http.server
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest

from tests.acceptance.command import COMMAND, environment, run, sandbox_process
from tests.acceptance.serving import daemon_process, job


def test_once_as_json_tells_states_rates_limits_and_the_fleet(tmp_path: Path) -> None:
    with sandbox_process() as url, daemon_process(tmp_path, url, "--policy", "nearest") as daemon:
        daemon.create(*(job(f"K{n}") for n in range(30)))
        ended = run("top", "--url", f"{daemon.url}/", "--once", "--every", "0.3", "--json", cwd=tmp_path)
    assert ended.status == 0, ended.err
    document = ended.document
    assert (document["up"], document["ready"], document["url"]) == (True, True, daemon.url)
    (one,) = document["accounts"]
    assert (one["account"], one["ready"], one["jobs"]["confirmed"], one["throttled"]) == ("default", True, 30, 0)
    assert one["confirmed_per_s"] == 0.0
    assert one["limit"] >= 1
    assert one["most"] >= one["limit"]
    assert one["oldest_s"] is None
    assert one["fleet"]["members"] > 0
    assert one["waiting_for"] == ""


def test_it_says_what_work_waits_for_and_counts_429s(tmp_path: Path) -> None:
    """The server turns every createjobs away; the account waits."""
    with sandbox_process("--faults", "429:1.0") as url, daemon_process(tmp_path, url) as daemon:
        daemon.create(job("A"), at_once=True)
        until = time.monotonic() + 20
        while True:
            (one,) = run("top", "--url", daemon.url, "--once", "--every", "0.2", "--json", cwd=tmp_path).document[
                "accounts"
            ]
            if one["throttled"] and one["waiting_for"]:
                break
            assert time.monotonic() < until, one
    assert one["oldest_s"] > 0
    assert sum(one["jobs"].values()) == 1


def test_plain_lines_go_where_there_is_no_terminal_and_a_reader_that_leaves_ends_it(tmp_path: Path) -> None:
    with (
        daemon_process(tmp_path, "http://127.0.0.1:9") as daemon,
        subprocess.Popen(
            [*COMMAND, "top", "--url", daemon.url, "--every", "0.1"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        ) as watching,
    ):
        assert watching.stdout is not None
        assert watching.stderr is not None
        first, second = watching.stdout.readline(), watching.stdout.readline()
        watching.stdout.close()
        assert watching.wait(timeout=10) == 1
        assert watching.stderr.read() == ""
    assert re.match(r"\d\d:\d\d:\d\d default: ready · confirmed 0 · in –/s out –/s · in flight 0 of \d", first), first
    assert "in 0/s out 0/s" in second


def test_ctrl_c_ends_it_well(tmp_path: Path) -> None:
    with (
        daemon_process(tmp_path, "http://127.0.0.1:9") as daemon,
        subprocess.Popen(
            [*COMMAND, "top", "--url", daemon.url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
        ) as watching,
    ):
        assert watching.stdout is not None
        watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
        assert watching.wait(timeout=10) == 0


class Foreign(http.server.BaseHTTPRequestHandler):
    """Somebody else's web server."""

    def do_GET(self) -> None:
        body = b"<html>It works!</html>"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class names it so
        pass


@contextlib.contextmanager
def foreign_server() -> Iterator[str]:
    with http.server.HTTPServer(("127.0.0.1", 0), Foreign) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def test_an_address_where_no_daemon_is_ends_with_status_2_and_a_word(tmp_path: Path) -> None:
    with foreign_server() as url:
        ended = run("top", "--url", url, cwd=tmp_path)
    assert (ended.status, ended.out) == (2, "")
    assert "answers, but not as a dispatcher's daemon does" in ended.err
    gone = run("top", "--url", url, "--once", "--json", cwd=tmp_path)
    assert (gone.status, gone.out) == (2, "")
    assert "connection refused" in gone.err
    assert run("top", "--url", "localhost:8080", cwd=tmp_path).status == 2


def test_an_account_that_the_daemon_does_not_have_is_named_with_those_it_has(tmp_path: Path) -> None:
    with daemon_process(tmp_path, "http://127.0.0.1:9") as daemon:
        ended = run("top", "--url", daemon.url, "--account", "nobody", cwd=tmp_path)
        there = run("top", "--url", daemon.url, "--account", "default", "--once", "--every", "0.1", cwd=tmp_path)
    assert ended.status == 2
    assert "--account nobody: the daemon has default" in ended.err
    assert there.status == 0


def test_once_ends_with_status_1_when_an_account_is_not_ready(tmp_path: Path) -> None:
    with sandbox_process("--api-key", "right") as url, daemon_process(tmp_path, url) as daemon:
        daemon.create(job("A"), at_once=True)
        daemon.wait_until("/readyz", "not ready", timeout_s=20)
        ended = run("top", "--url", daemon.url, "--once", "--every", "0.1", "--json", cwd=tmp_path)
    assert ended.status == 1
    (one,) = ended.document["accounts"]
    assert (one["ready"], one["waiting_for"]) == (False, "access: the server denies it")
    assert one["reason"]


class Terminal:
    """A command on a terminal of 100 columns, and what it has written since it was last asked."""

    def __init__(self, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        self.process = subprocess.Popen(
            [*COMMAND, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=environment(TERM="xterm-256color")
        )
        os.close(theirs)
        self._text = ""

    def until(self, done: Callable[[str], bool], *, timeout_s: float = 20) -> None:
        """Read until what was written since the last call is as it should be."""
        end = time.monotonic() + timeout_s
        self._text = ""
        while not done(self._text):
            assert time.monotonic() < end, self._text[-3000:]
            if select.select([self._ours], [], [], 0.2)[0]:
                with contextlib.suppress(OSError):
                    self._text += re.sub(
                        r"\x1b\[[0-9;?]*[A-Za-z]", "", os.read(self._ours, 65536).decode(errors="replace")
                    )

    def close(self, by: signal.Signals = signal.SIGINT) -> bytes:
        """End it by a signal; what it wrote since."""
        last = b""
        self.process.send_signal(by)
        try:
            while self.process.poll() is None or select.select([self._ours], [], [], 0)[0]:
                if select.select([self._ours], [], [], 0.1)[0]:
                    try:
                        last += os.read(self._ours, 65536)
                    except OSError:  # Linux says so when the other side is closed
                        break
            self.process.wait(timeout=10)
            return last
        finally:
            self.process.kill()
            self.process.wait(timeout=10)
            os.close(self._ours)


def test_on_a_terminal_a_daemon_that_goes_away_and_comes_back_is_shown_as_such(tmp_path: Path) -> None:
    with contextlib.ExitStack() as first:
        daemon = first.enter_context(daemon_process(tmp_path, "http://127.0.0.1:9"))
        terminal = Terminal("top", "--url", daemon.url, "--every", "0.2")
        try:
            terminal.until(lambda text: "● default  ready" in text and "waits for" in text)
            daemon.create(job("A"), at_once=True)
            terminal.until(lambda text: "old" in text)
            first.close()
            terminal.until(lambda text: "away for" in text and "connection refused" in text and "was ready" in text)
            with daemon_process(tmp_path, "http://127.0.0.1:9", "--listen", daemon.netloc):
                terminal.until(
                    lambda text: "● default  ready" in text and "away" not in text.rpartition("● default")[0][-300:]
                )
        finally:
            terminal.close()
    assert terminal.process.returncode == 0


def test_a_service_manager_that_ends_it_gets_the_terminal_back(tmp_path: Path) -> None:
    """SIGTERM leaves the screen of its own, and shows the cursor, as Ctrl-C does."""
    with daemon_process(tmp_path, "http://127.0.0.1:9") as daemon:
        terminal = Terminal("top", "--url", daemon.url, "--every", "0.2")
        terminal.until(lambda text: "● default  ready" in text)
        last = terminal.close(signal.SIGTERM)
    assert b"\x1b[?1049l" in last
    assert b"\x1b[?25h" in last
    assert terminal.process.returncode == 0


def test_help_is_there_at_once(tmp_path: Path) -> None:
    """Nothing heavy is imported: neither rich nor the parser of metrics."""
    ended = run("top", "--help", cwd=tmp_path, PYTHONPROFILEIMPORTTIME="1")
    assert ended.status == 0
    loaded = {row.rpartition("|")[2].strip() for row in ended.err.splitlines()}
    assert "click" in loaded
    assert not loaded & {"rich.live", "prometheus_client", "numpy", "aiohttp", "matplotlib"}


@pytest.mark.parametrize("every", ["0", "nan", "-1"])
def test_a_span_that_is_none_is_bad_use(tmp_path: Path, every: str) -> None:
    assert run("top", "--every", every, cwd=tmp_path).status == 2


def test_lines_of_json_are_one_document_each(tmp_path: Path) -> None:
    with (
        daemon_process(tmp_path, "http://127.0.0.1:9") as daemon,
        subprocess.Popen(
            [*COMMAND, "top", "--url", daemon.url, "--every", "0.1", "--json"],
            stdout=subprocess.PIPE,
            env=environment(),
        ) as watching,
    ):
        assert watching.stdout is not None
        looks = [orjson.loads(watching.stdout.readline()) for _ in range(3)]
        daemon.process.kill()
        while looks[-1]["up"]:
            looks.append(orjson.loads(watching.stdout.readline()))
        watching.send_signal(signal.SIGINT)
        assert watching.wait(timeout=10) == 0
    assert looks[-1]["reason"]
    assert [look["at"] for look in looks] == sorted(look["at"] for look in looks)
