"""SIGHUP: a running daemon takes over what can change, says what cannot, and is not shaken by a broken file."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.acceptance.command import get, run, sandbox_process
from tests.acceptance.serving import Served, daemon_process, job

NEW = "the settings were read anew: "
AWAY = "http://127.0.0.1:9"


def write(folder: Path, text: str) -> None:
    (folder / "dispatcher.toml").write_text(f'policy = "none"\n{text}')


def reload(daemon: Served, words: str) -> str:
    """Send SIGHUP; the log from then on, once the words are in it."""
    before = len(daemon.log.read_text())
    daemon.process.send_signal(signal.SIGHUP)
    until = time.monotonic() + 20
    while words not in (text := daemon.log.read_text()[before:]):
        assert time.monotonic() < until, text
        assert daemon.process.poll() is None, text
        time.sleep(0.05)
    return text


def status(daemon: Served, key: str, path: str = "/jobs") -> int:
    return daemon.ask("GET", path, headers={"API-Key": key}).status


def test_a_limit_that_is_lifted_lets_what_waits_go_at_once(tmp_path: Path) -> None:
    with sandbox_process() as url:
        write(tmp_path, f'base_url = "{url}"\nlimits = "1/min"\nmax_batch_jobs = 1\n')
        with daemon_process(tmp_path, "") as daemon:
            for number in range(20):
                assert daemon.create(job(f"K{number}"), at_once=True).status == 202
            write(tmp_path, f'base_url = "{url}"\nlimits = "1000/s"\nmax_batch_jobs = 1\n')
            reload(daemon, f"{NEW}account default: limits changed")
            until = time.monotonic() + 15
            while (stats := get(f"{url}/sandbox/stats"))["creates"] < 20:
                assert time.monotonic() < until, stats
                time.sleep(0.05)
    assert stats["repeats"] == 0


def test_a_broken_file_changes_nothing_and_is_logged(tmp_path: Path) -> None:
    with sandbox_process() as url:
        good = f'base_url = "{url}"\n[clients]\nshop = "SHOP"\n'
        write(tmp_path, good)
        with daemon_process(tmp_path, "") as daemon:
            for text, words in (
                ("limits = ", "is not TOML"),
                ("limts = '1/s'", "did you mean limits?"),
                (good.replace("base_url", "limits = 'many'\nbase_url"), "is not a limit"),
                (f'[accounts.a]\nbase_url = "{AWAY}"\n[accounts.b]\nbase_url = "{AWAY}"\n', "have the same key"),
                (f'{good}[accounts.a]\napi_key = ""\n', "no api_key is set"),
                (good.replace('"SHOP"', '{file = "none"}'), "cannot be read"),
            ):
                write(tmp_path, text)
                log = reload(daemon, "nothing was changed: ")
                assert words in log, log
                assert "Traceback" not in log
                assert (status(daemon, "SHOP"), status(daemon, "other")) == (200, 401)
            daemon.keys = {"API-Key": "SHOP"}
            assert daemon.create(job("A")).status == 200
            write(tmp_path, good)
            reload(daemon, f"{NEW}nothing changed")
            assert "SHOP" not in daemon.log.read_text()


def test_what_cannot_change_is_named_and_stays(tmp_path: Path) -> None:
    write(tmp_path, f'base_url = "{AWAY}"\nspool = "jobs.db"\n')
    with daemon_process(tmp_path, "") as daemon:
        write(tmp_path, f'base_url = "{AWAY}/other"\nspool = "other.db"\nmax_attempts = 3\n')
        reload(daemon, "account default: max_attempts changed")
        reload(daemon, f"{NEW}spool cannot change before a restart")
        assert daemon.create(job("A"), at_once=True).status == 202
    assert "account default: base_url cannot change before a restart" in daemon.log.read_text()
    assert not (tmp_path / "other.db").exists()


def test_clients_keys_change(tmp_path: Path) -> None:
    write(tmp_path, f'base_url = "{AWAY}"\n[clients]\nshop = {{file = "shop.key"}}\n')
    (tmp_path / "shop.key").write_text("ONE")
    with daemon_process(tmp_path, "") as daemon:
        assert (status(daemon, "ONE"), status(daemon, "TWO")) == (200, 401)
        (tmp_path / "shop.key").write_text("TWO")
        reload(daemon, "account default: clients changed")
        assert (status(daemon, "ONE"), status(daemon, "TWO"), status(daemon, "")) == (401, 200, 401)
        log = daemon.log.read_text()
    assert "ONE" not in log
    assert "TWO" not in log


def test_a_denied_key_that_is_put_right_sends_at_once(tmp_path: Path) -> None:
    """Without a signal the next try is a minute away."""
    (tmp_path / "key").write_text("wrong")
    with sandbox_process("--api-key", "right") as url:
        write(tmp_path, f'base_url = "{url}"\napi_key_file = "key"\n')
        with daemon_process(tmp_path, "", DISPATCHER_API_KEY="") as daemon:
            daemon.create(job("A"), at_once=True)
            daemon.wait_until("/readyz", "denied", timeout_s=10)
            (tmp_path / "key").write_text("right")
            reload(daemon, "account default: api_key changed")
            daemon.wait_until("/jobs/A", '"confirmed"', timeout_s=10)
            daemon.wait_until("/readyz", '"status":"ready"', timeout_s=20)
        keys = get(f"{url}/sandbox/keys")["keys"]
    assert keys["A"]["creates"] == 1


def test_accounts_are_added_and_removed_and_come_back_with_their_jobs(tmp_path: Path) -> None:
    """What was under way when an account was removed is looked up when it comes back, and created once."""
    acme = '[accounts.acme]\nbase_url = "{}"\napi_key = "ACME"\nrequest_timeout_s = 5\nunknown_grace_s = 0.2\n'
    beta = '[accounts.beta]\nbase_url = "{}"\napi_key = "BETA"\n'
    with sandbox_process("--latency", "4") as slow, sandbox_process() as quick:
        acme, beta = acme.format(slow), beta.format(quick)
        write(tmp_path, f"shutdown_grace_s = 1\n{acme}")
        with daemon_process(tmp_path, "") as daemon:
            daemon.keys = {"API-Key": "ACME"}
            write(tmp_path, f"shutdown_grace_s = 1\n{acme}{beta}")
            reload(daemon, f"{NEW}account beta is added")
            assert (status(daemon, "BETA"), status(daemon, "any")) == (200, 401)
            assert daemon.create(job("A"), at_once=True).status == 202
            daemon.wait_until("/jobs/A", '"sending"', timeout_s=10)
            write(tmp_path, f"shutdown_grace_s = 1\n{beta}")
            reload(daemon, f"{NEW}account acme is removed")
            daemon.keys = {"API-Key": "BETA"}
            assert status(daemon, "ACME") == 401
            assert daemon.create(job("B")).status == 200
            write(tmp_path, f"shutdown_grace_s = 1\n{acme}{beta}")
            reload(daemon, f"{NEW}account acme is added")
            daemon.keys = {"API-Key": "ACME"}
            daemon.wait_until("/jobs/A", '"confirmed"', timeout_s=40)
            daemon.process.send_signal(signal.SIGTERM)
            assert daemon.process.wait(timeout=5) == 0
        keys = get(f"{slow}/sandbox/keys")["keys"]
        assert (keys["A"]["creates"], get(f"{quick}/sandbox/stats")["creates"]) == (1, 1)
    stats = run("spool", "stats", "--json", cwd=tmp_path).document
    assert stats["accounts"]["acme"]["states"]["confirmed"] == 1
    assert "Traceback" not in daemon.log.read_text()


def test_signals_in_a_row_and_the_end_in_between_do_no_harm(tmp_path: Path) -> None:
    with sandbox_process("--latency", "0.2") as url:
        write(tmp_path, f'base_url = "{url}"\n')
        with daemon_process(tmp_path, "") as daemon:
            for number in range(40):
                write(tmp_path, f'base_url = "{url}"\nmax_concurrency = {1 + number % 7}\n')
                daemon.process.send_signal(signal.SIGHUP)
                daemon.create(job(f"K{number}"), at_once=True)
            daemon.process.send_signal(signal.SIGHUP)
            daemon.process.send_signal(signal.SIGTERM)
            assert daemon.process.wait(timeout=11) == 0
        with daemon_process(tmp_path, "") as again:
            again.wait_until("/jobs/K39", '"confirmed"', timeout_s=20)
        stats = get(f"{url}/sandbox/stats")
    assert stats["repeats"] == 0
    assert "Traceback" not in daemon.log.read_text()


@pytest.mark.parametrize("command", ["submit", "plan", "jobs", "dead"])
def test_with_several_accounts_a_command_wants_one_named(command: str, tmp_path: Path) -> None:
    write(tmp_path, f'[accounts.acme]\nbase_url = "{AWAY}"\n[accounts.beta]\nbase_url = "{AWAY}"\n')
    (tmp_path / "jobs.json").write_text('{"data": {"jobs": []}}')
    (tmp_path / "members.json").write_text('{"accounts": []}')
    arguments = {
        "submit": ("submit", "jobs.json"),
        "plan": ("plan", "--members", "members.json", "--jobs", "jobs.json"),
        "jobs": ("jobs", "list"),
        "dead": ("dead", "list"),
    }[command]
    unnamed = run(*arguments, cwd=tmp_path)
    unknown = run(*arguments, "--account", "gamma", cwd=tmp_path)
    named = run(*arguments, "--account", "beta", cwd=tmp_path)
    assert (unnamed.status, unknown.status) == (2, 2)
    assert "several accounts (acme, beta): choose one with --account" in unnamed.err
    assert "there is no account gamma; there are acme, beta" in unknown.err
    assert "account" not in named.err or "beta" in named.err
