"""What `dispatcher run` writes to its log: each request to Hellotracks, each batch of decisions, and no secret."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import orjson

from tests.acceptance.command import sandbox_process
from tests.acceptance.serving import Served, daemon_process, job

SECRETS = {"DISPATCHER_API_KEY": "hellotracks-s3cret", "DISPATCHER_ACCEPT_KEY": "clients-s3cret"}


def lines_of(daemon: Served) -> list[dict[str, Any]]:
    """The log once the daemon has ended."""
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.process.wait(timeout=20) == 0
    return [orjson.loads(line) for line in daemon.log.read_bytes().splitlines()]


def test_each_request_and_each_decision_is_one_line_with_its_figures(tmp_path: Path) -> None:
    with (
        sandbox_process() as url,
        daemon_process(tmp_path, url, "--log-format", "json", "--max-batch-jobs", "3") as daemon,
    ):
        assert daemon.create(*(job(f"K{n}") for n in range(6)), job("BAD", destinationName="POISON")).status == 200
        lines = lines_of(daemon)
    sent = [line for line in lines if line["message"] == "batch sent"]
    decided = [line for line in lines if line["message"] == "batch decided"]
    assert sum(line["jobs"] for line in decided) == 7
    assert sum(line["confirmed"] for line in sent) == 6
    assert sum(line["rejected"] for line in sent) == 1
    for line in sent:
        assert line["confirmed"] + line["rejected"] + line["retried"] + line["unknown"] + line["dead"] == line["jobs"]
        assert line["outcome"] == ("ok" if line["http_status"] == 200 and "error" not in line else "refused")
        assert {"account", "bytes", "first", "last", "attempt", "autoassign", "seconds", "waited_s"} <= set(line)
    refused = [line for line in sent if line["outcome"] == "refused"]
    assert all(line["retried"] or line["rejected"] for line in refused)


def test_no_secret_is_in_the_log_whatever_goes_wrong(tmp_path: Path) -> None:
    """Wrong keys of clients, a denied key of our own, bodies that carry keys, and a server that is away."""
    with sandbox_process("--api-key", "another") as url:
        for base_url in (url, "http://127.0.0.1:9"):
            with daemon_process(tmp_path, base_url, "--log-format", "json", **SECRETS) as daemon:
                daemon.keys = {"API-Key": "clients-s3cret"}
                body = {"auth": {"key": "clients-s3cret"}, "data": {"jobs": [job("B")]}}
                assert daemon.create(job("A"), at_once=True).status == 202
                assert (
                    daemon.ask("POST", "/api/createjobs", orjson.dumps(body), headers={"Prefer": "wait=1"}).status
                    == 202
                )
                assert daemon.ask("POST", "/api/getteams", b"{}").status in {502, 503}
                assert daemon.ask("GET", "/jobs", headers={"API-Key": "wrong-s3cret"}).status == 401
                lines = lines_of(daemon)
            assert [line for line in lines if line["message"] == "batch sent"]
    assert "s3cret" not in daemon.log.read_text()


def test_text_is_for_people(tmp_path: Path) -> None:
    with sandbox_process() as url, daemon_process(tmp_path, url) as daemon:
        assert daemon.create(job("two words")).status == 200
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.process.wait(timeout=20) == 0
    (line,) = [line for line in daemon.log.read_text().splitlines() if "batch sent" in line]
    assert " INFO dispatcher.pipeline: batch sent account=default jobs=1 bytes=" in line
    assert 'first="two words" last="two words" attempt=1 autoassign=False' in line
