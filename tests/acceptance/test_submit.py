"""`dispatcher submit` against a sandbox process: every job confirmed once, whatever happens on the way."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from dispatcher.sandbox import generated_jobs
from tests.acceptance.command import COMMAND, environment, get, run, sandbox_process, write_lines

DAY = 20310106
PLAIN = ("--policy", "none")
"""for tests of delivery alone: without the engine a run starts in half a second"""


def jobs(count: int, **fields: Any) -> list[dict[str, Any]]:
    return [job | fields for job in generated_jobs(count, seed=3, day=DAY)]


def test_all_jobs_of_a_file_are_confirmed_and_created_once(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "jobs.jsonl", jobs(1500))
    with sandbox_process() as url:
        ended = run("submit", str(file), "--json", "--base-url", url, cwd=tmp_path)
        stats = get(f"{url}/sandbox/stats")
    assert ended.status == 0, ended.err
    document = ended.document
    assert {name: document[name] for name in ("accepted", "confirmed", "rejected", "dead", "unknown", "held")} == {
        "accepted": 1500,
        "confirmed": 1500,
        "rejected": 0,
        "dead": 0,
        "unknown": 0,
        "held": 0,
    }
    assert document["seconds"] > 0
    assert (stats["creates"], stats["repeats"]) == (1500, 0)


def test_a_second_run_of_the_same_file_sends_nothing(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "jobs.jsonl", jobs(300))
    with sandbox_process() as url:
        first = run("submit", str(file), "--json", "--base-url", url, *PLAIN, cwd=tmp_path)
        second = run("submit", str(file), "--json", "--base-url", url, *PLAIN, cwd=tmp_path)
        stats = get(f"{url}/sandbox/stats")
    assert (first.status, second.status) == (0, 0)
    assert second.document["confirmed"] == 300
    assert (stats["creates"], stats["repeats"]) == (300, 0)


def test_jobs_without_a_key_get_the_same_one_in_every_run(tmp_path: Path) -> None:
    """Equal jobs of a file stay different jobs; a second run knows each of them again."""
    plain = [{"destinationName": "Same", "destinationLat": 45.07, "destinationLng": 7.69, "day": DAY}] * 3
    file = write_lines(tmp_path / "jobs.jsonl", plain)
    with sandbox_process() as url:
        for _ in range(2):
            ended = run("submit", str(file), "--json", "--base-url", url, *PLAIN, cwd=tmp_path)
            assert ended.status == 0, ended.err
        stats = get(f"{url}/sandbox/stats")
    assert (stats["creates"], stats["repeats"]) == (3, 0)


def test_bad_jobs_are_named_and_the_good_ones_beside_them_are_sent(tmp_path: Path) -> None:
    mixed = jobs(4)
    mixed[1]["priority"] = 11
    mixed[2] |= {"windowStart": 1000, "windowEnd": 900}
    file = write_lines(tmp_path / "jobs.jsonl", mixed)
    with sandbox_process() as url:
        ended = run("submit", str(file), "--json", "--base-url", url, *PLAIN, cwd=tmp_path)
        stats = get(f"{url}/sandbox/stats")
    assert ended.status == 2
    assert (ended.document["refused"], ended.document["confirmed"]) == (2, 2)
    assert {(error["index"], error["field"]) for error in ended.document["errors"]} == {
        (1, "priority"),
        (2, "windowStart"),
    }
    assert "jobs.jsonl:2" in ended.err
    assert stats["creates"] == 2


def test_strict_accepts_nothing_when_a_job_is_bad(tmp_path: Path) -> None:
    mixed = jobs(3)
    mixed[2]["day"] = 20231301
    file = write_lines(tmp_path / "jobs.jsonl", mixed)
    with sandbox_process() as url:
        ended = run("submit", str(file), "--json", "--strict", "--base-url", url, cwd=tmp_path)
        stats = get(f"{url}/sandbox/stats")
    assert (ended.status, ended.document["accepted"], ended.document["refused"]) == (2, 0, 1)
    assert stats["creates"] == 0


def test_a_key_that_stands_twice_is_warned_of_and_sent_in_order(tmp_path: Path) -> None:
    twice = [job | {"uidSecondary": "TWICE", "destinationName": f"v{n}"} for n, job in enumerate(jobs(2))]
    file = write_lines(tmp_path / "jobs.jsonl", twice)
    with sandbox_process() as url:
        ended = run("submit", str(file), "--json", "--base-url", url, *PLAIN, cwd=tmp_path)
        stats = get(f"{url}/sandbox/stats")
        last = get(f"{url}/sandbox/keys")
    assert ended.status == 0, ended.err
    assert ended.document["confirmed"] == 2
    assert "TWICE" in ended.err
    assert (stats["creates"], stats["updates"], stats["overlaps"]) == (1, 1, 0)
    assert "TWICE" in str(last)


def test_a_wrong_key_stops_sending_and_rejects_nothing(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "jobs.jsonl", jobs(50))
    with sandbox_process("--api-key", "right") as url:
        denied = run("submit", str(file), "--json", "--base-url", url, cwd=tmp_path)
        assert denied.status == 2
        assert (denied.document["accepted"], denied.document["rejected"]) == (50, 0)
        assert "test-key" not in denied.err + denied.out
        allowed = run("submit", str(file), "--json", "--base-url", url, cwd=tmp_path, DISPATCHER_API_KEY="right")
        stats = get(f"{url}/sandbox/stats")
    assert (allowed.status, allowed.document["confirmed"]) == (0, 50)
    assert (stats["creates"], stats["repeats"]) == (50, 0)


def test_an_unreachable_server_is_named_and_the_jobs_stay_in_the_spool(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "jobs.jsonl", jobs(5))
    flags = ("--base-url", "http://127.0.0.1:9", "--set", "give_up_after_s=2")
    ended = run("submit", str(file), "--json", *flags, cwd=tmp_path)
    assert (ended.status, ended.document["accepted"], ended.document["confirmed"]) == (1, 5, 0)
    assert "127.0.0.1:9" in ended.err
    with sandbox_process() as url:
        again = run("submit", str(file), "--json", "--base-url", url, cwd=tmp_path)
    assert (again.status, again.document["confirmed"]) == (0, 5)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"this is not json", "JSON"),
        (b'{"data": {"jobs": 5}}', "jobs"),
        (b"", "empty"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "jobs.json").write_bytes(content)
    ended = run("submit", "jobs.json", "--json", "--base-url", "http://127.0.0.1:9", cwd=tmp_path)
    assert ended.status == 2
    assert "jobs.json" in ended.err
    assert words in ended.err
    assert "Traceback" not in ended.err


def test_a_foreign_spool_file_is_named_and_left_alone(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "jobs.jsonl", jobs(2))
    foreign = tmp_path / "spool.db"
    foreign.write_bytes(b"my diary, not a database" * 100)
    ended = run("submit", str(file), "--base-url", "http://127.0.0.1:9", "--spool", str(foreign), cwd=tmp_path)
    assert ended.status == 2
    assert "spool.db" in ended.err
    assert foreign.read_bytes() == b"my diary, not a database" * 100


def test_standard_input_is_read_with_a_dash(tmp_path: Path) -> None:
    text = orjson.dumps({"data": {"jobs": jobs(3), "autoassign": True}})
    with sandbox_process() as url:
        ended = run("submit", "-", "--json", "--base-url", url, *PLAIN, cwd=tmp_path, stdin=text)
    assert (ended.status, ended.document["confirmed"]) == (0, 3)


@pytest.mark.slow
def test_killed_in_the_middle_and_run_again_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    """SIGKILL at five moments of one delivery; the last run goes on to the end."""
    file = write_lines(tmp_path / "jobs.jsonl", jobs(6000))
    with sandbox_process("--latency", "0.03") as url:
        flags = ["--json", "--base-url", url, "--set", "request_timeout_s=2", "--set", "unknown_grace_s=1"]
        for wait_s in (1.2, 1.5, 1.8, 2.1, 1.35):
            with subprocess.Popen(
                [*COMMAND, "submit", str(file), *flags],
                cwd=tmp_path,
                env=environment(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            ) as process:
                time.sleep(wait_s)
                process.kill()
        ended = run("submit", str(file), *flags, cwd=tmp_path)
        stats = get(f"{url}/sandbox/stats")
    assert ended.status == 0, ended.err
    assert ended.document["confirmed"] == 6000
    assert (stats["creates"], stats["repeats"], stats["overlaps"]) == (6000, 0, 0)


def submitting(file: Path, *flags: str) -> subprocess.Popen[bytes]:
    """`dispatcher submit` under way, in the file's folder; what it says can be read at the end."""
    return subprocess.Popen(
        [*COMMAND, "submit", str(file), *flags],
        cwd=file.parent,
        env=environment(),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )


def test_ctrl_c_stops_cleanly_and_says_how_to_go_on(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "jobs.jsonl", jobs(4000))
    with sandbox_process("--latency", "0.2") as url:
        flags = [*PLAIN, "--base-url", url, "--max-batch-jobs", "20"]
        with submitting(file, *flags) as process:
            while get(f"{url}/sandbox/stats")["creates"] == 0:
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=30)
        assert process.returncode == 1, err.decode()
        assert "run the same command again" in err.decode()
        assert "Traceback" not in err.decode()
        ended = run("submit", str(file), "--json", "--base-url", url, *PLAIN, cwd=tmp_path)
        stats = get(f"{url}/sandbox/stats")
    assert (ended.status, ended.document["confirmed"]) == (0, 4000)
    assert (stats["creates"], stats["repeats"]) == (4000, 0)


def test_a_second_ctrl_c_ends_at_once_and_the_next_run_finishes_without_doubling(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "jobs.jsonl", jobs(50))
    with sandbox_process("--latency", "3") as url:
        flags = [*PLAIN, "--base-url", url, "--max-batch-jobs", "50"]
        with submitting(file, *flags) as process:
            while not get(f"{url}/sandbox/stats")["requests"].get("/api/createjobs"):
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            time.sleep(0.5)
            assert process.poll() is None, "the request under way may end first"
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=3)
        assert (process.returncode, "stopped at once" in err.decode()) == (1, True), err.decode()
        ended = run("submit", str(file), "--json", "--base-url", url, *PLAIN, cwd=tmp_path, timeout_s=90)
        stats = get(f"{url}/sandbox/stats")
    assert (ended.status, ended.document["confirmed"]) == (0, 50)
    assert (stats["creates"], stats["overlaps"]) == (50, 0)


@pytest.mark.slow
def test_under_faults_of_every_kind_good_jobs_are_confirmed_once_and_poison_is_rejected(tmp_path: Path) -> None:
    many = jobs(2000)
    for place in range(0, 2000, 400):
        many[place]["destinationName"] = "POISON"
    file = write_lines(tmp_path / "jobs.jsonl", many)
    with sandbox_process("--faults", "all:0.3", "--slow", "3", "--seed", "5") as url:
        flags = ["--set", "request_timeout_s=2", "--set", "unknown_grace_s=2", "--set", "max_batch_jobs=50"]
        ended = run("submit", str(file), "--json", "--base-url", url, *PLAIN, *flags, cwd=tmp_path, timeout_s=110)
        stats = get(f"{url}/sandbox/stats")
    assert ended.status == 1, ended.err
    assert (ended.document["confirmed"], ended.document["rejected"]) == (1995, 5)
    assert (stats["creates"], stats["overlaps"]) == (1995, 0)


def test_limits_are_kept_as_the_server_sees_them(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "jobs.jsonl", jobs(600))
    with sandbox_process("--limits", "20/s") as url:
        flags = ["--limits", "20/s", "--max-batch-jobs", "10"]
        ended = run("submit", str(file), "--json", "--base-url", url, *PLAIN, *flags, cwd=tmp_path)
        stats = get(f"{url}/sandbox/stats")
    assert ended.status == 0, ended.err
    assert stats["limit_violations"] == 0
    assert ended.document["seconds"] < 60 / 19 + 3
