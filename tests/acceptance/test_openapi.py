"""The daemon does what its OpenAPI document says, whatever it is asked: Schemathesis against a real process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from tests.acceptance.command import environment, sandbox_process
from tests.acceptance.serving import daemon_process, job

EXAMPLES = 20
"""Requests for each operation and phase; the boundary values of every field come on top, some 4000 in all."""

CONFIGURATION = """
[checks]
# A job that was taken back stays to be asked about: its receipt says so.
use_after_free.enabled = false

[[operations]]
# Rules between fields (a place, the order of a window, a day of the calendar) are none that a schema can say, and a
# whole number written as 5.0 is one for the schema but not for the daemon.
include-operation-id = ["createJobs", "plan", "replay"]
checks.positive_data_acceptance.enabled = false

[[operations]]
# A job may have the key "replay": to ask for it and to take it back are methods of the same path.
include-operation-id = "replay"
checks.allow_header_conformance.enabled = false
"""

HOOKS = '''
import json

import schemathesis


@schemathesis.serializer("text/plain")
def as_text(context, value):
    """JSON under the content type that curl and old clients send."""
    return value if isinstance(value, bytes) else json.dumps(value).encode()
'''


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_no_request_meets_a_fault_and_every_reply_is_as_described(tmp_path: Path) -> None:
    """Statuses, headers, content types and bodies; wrong methods; missing and wrong keys; sequences of requests."""
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
    (tmp_path / "hooks.py").write_text(HOOKS)
    flags = ("--accept-timeout-s", "1", "--policy", "nearest")
    with sandbox_process() as url, daemon_process(tmp_path, url, *flags, DISPATCHER_ACCEPT_KEY="right") as daemon:
        daemon.keys = {"API-Key": "right"}
        daemon.create(job("A"), job("BAD", destinationName="POISON"))
        daemon.wait_until("/jobs/BAD", '"rejected"', timeout_s=30)
        ended = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "run", f"{daemon.url}/openapi.json"),
                *("--max-examples", str(EXAMPLES), "--generation-deterministic"),
                *("--header", "API-Key: right", "--no-color"),
            ],
            cwd=tmp_path,
            env=environment(SCHEMATHESIS_HOOKS="hooks", PYTHONPATH="."),
            capture_output=True,
            timeout=200,
            check=False,
        )
        ready = daemon.get("/readyz")
    report = ended.stdout.decode(errors="replace")
    assert ended.returncode == 0, report[-20_000:] + ended.stderr.decode(errors="replace")
    assert "Stateful" in report
    assert ready.status == 200
    assert "Traceback" not in daemon.log.read_text()


@pytest.mark.parametrize(
    "kind", ["", "text/plain; charset=uft-8", "application/x-www-form-urlencoded", "no/such", "\tx;"]
)
def test_the_body_is_json_whatever_its_content_type_says(tmp_path: Path, kind: str) -> None:
    body = orjson.dumps({"data": {"jobs": [job("A")]}})
    wish = orjson.dumps({"keys": ["A"]})
    headers = {"Content-Type": kind} if kind else {}
    with sandbox_process() as url, daemon_process(tmp_path, url) as daemon:
        answers = [
            daemon.ask("POST", path, content, headers=headers)
            for path, content in (
                ("/api/createjobs", body),
                ("/plan", body),
                ("/jobs/replay", wish),
                ("/api/getaccounts", b"{}"),
            )
        ]
    assert [answer.status for answer in answers] == [200] * 4
