"""The rest of the command line: help, settings, the sandbox."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.acceptance.command import COMMAND, environment, get, run, sandbox_process


@pytest.mark.parametrize("arguments", [["--help"], ["submit", "--help"], ["plan", "--help"], ["sandbox", "--help"]])
def test_help_answers_without_loading_the_heavy_parts(arguments: list[str]) -> None:
    """The best of three, so that a busy machine does not decide; the modules are counted, too."""
    took = []
    for _ in range(3):
        started = time.perf_counter()
        subprocess.run([*COMMAND, *arguments], check=True, capture_output=True, env=environment())
        took.append(time.perf_counter() - started)
    bare = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import click, orjson, msgspec"], check=True, env=environment())
    bare = time.perf_counter() - bare
    assert min(took) < max(0.2, 3 * bare)
    code = (
        "import sys, dispatcher.cli as c\nsys.argv = ['dispatcher', *%r]\ntry: c.main()\nexcept SystemExit: pass\n"
        "print([m for m in ('numba', 'sklearn', 'numpy', 'aiohttp') if m in sys.modules])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code % (arguments,)], check=True, capture_output=True, text=True, env=environment()
    )
    assert loaded.stdout.rstrip().endswith("[]")


def test_config_check_says_what_it_found(tmp_path: Path) -> None:
    (tmp_path / "dispatcher.toml").write_text('base_url = "http://127.0.0.1:9000"\nlimits = "10/s, 300/min"\n')
    ended = run("config", "check", cwd=tmp_path)
    assert ended.status == 0, ended.err
    assert "http://127.0.0.1:9000" in ended.out


@pytest.mark.parametrize(
    ("text", "words"),
    [("limts = '10/s'", "limits"), ("limits = 'many'", "limits"), ("limits = ", "dispatcher.toml")],
)
def test_config_check_names_what_is_wrong(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "dispatcher.toml").write_text(text)
    ended = run("config", "check", cwd=tmp_path)
    assert ended.status == 2
    assert words in ended.err


def test_config_show_names_origins_and_hides_the_key(tmp_path: Path) -> None:
    ended = run("config", "show", "--origin", "--fallback", "hold", cwd=tmp_path, DISPATCHER_SPOOL="here.db")
    assert ended.status == 0, ended.err
    assert "test-key" not in ended.out
    lines = {line.split(" = ")[0]: line for line in ended.out.splitlines()}
    assert "hold" in lines["fallback"]
    assert "--fallback" in lines["fallback"]
    assert "DISPATCHER_SPOOL" in lines["spool"]


def test_an_unknown_command_lists_the_known_ones(tmp_path: Path) -> None:
    ended = run("sumbit", "x", cwd=tmp_path)
    assert ended.status == 2
    assert "submit" in ended.err


def test_the_sandbox_serves_the_members_it_was_given_and_ends_on_sigterm(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text('{"status": 0, "accounts": [{"uid": "u1", "username": "ann@acme.com"}]}')
    with sandbox_process("--members", str(tmp_path / "m.json")) as url:
        assert get(f"{url}/sandbox/stats")["members"] == 1


def test_bad_sandbox_faults_are_named(tmp_path: Path) -> None:
    ended = run("sandbox", "--port", "0", "--faults", "fire:0.5", cwd=tmp_path)
    assert ended.status == 2
    assert "fire" in ended.err


def test_a_small_demo_confirms_every_job(tmp_path: Path) -> None:
    ended = run("demo", "--jobs", "600", "--members", "60", cwd=tmp_path, timeout_s=110)
    assert ended.status == 0, ended.err + ended.out
    assert "600 of 600 confirmed" in ended.out
    assert "saw 0 repeats" in ended.out


TWO = """
spool = "two.db"
[accounts.acme]
base_url = "http://127.0.0.1:1"
api_key = "SECRET.1"
policy = "none"
[accounts.acme.clients]
shop = "SECRET.2"
[accounts.beta]
base_url = "http://127.0.0.1:2"
api_key = "SECRET.3"
limits = "5/s"
"""


def test_config_covers_every_account_and_prints_no_secret(tmp_path: Path) -> None:
    (tmp_path / "dispatcher.toml").write_text(TWO)
    checked = run("config", "check", cwd=tmp_path)
    shown = run("config", "show", "--origin", cwd=tmp_path)
    one = run("config", "show", "--account", "beta", cwd=tmp_path)
    assert checked.status == shown.status == one.status == 0
    assert "account acme at http://127.0.0.1:1, spool two.db" in checked.out
    assert "note: account acme: no limits are set" in checked.out
    assert "account beta: no limits" not in checked.out
    process, acme, beta = shown.out.split("\n[accounts.")
    assert "spool = two.db    # file dispatcher.toml\n" in process
    assert "limits" not in process
    assert acme.startswith("acme]\n")
    assert 'clients = {"shop": "***"}    # file dispatcher.toml [accounts.acme]\n' in acme
    assert "limits = 5/s    # file dispatcher.toml [accounts.beta]\n" in beta
    assert "spool =" not in beta
    assert "account = beta\n" in one.out
    assert "SECRET" not in checked.out + shown.out + one.out


def test_config_as_json(tmp_path: Path) -> None:
    (tmp_path / "dispatcher.toml").write_text(TWO)
    shown = run("config", "show", "--json", cwd=tmp_path).document
    origins = run("config", "show", "--json", "--origin", "--account", "acme", cwd=tmp_path).document
    checked = run("config", "check", "--json", cwd=tmp_path).document
    assert shown["process"]["spool"] == "two.db"
    assert shown["accounts"]["acme"]["clients"] == {"shop": "***"}
    assert (shown["accounts"]["beta"]["api_key"], shown["accounts"]["beta"]["accept_key"]) == ("***", "")
    assert list(origins["accounts"]) == ["acme"]
    assert origins["accounts"]["acme"]["policy"] == {"value": "none", "origin": "file dispatcher.toml [accounts.acme]"}
    assert (checked["accounts"]["beta"]["notes"], checked["daemon"]) == ([], "")


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('"SECRET.1"', '"SECRET.3"', "accounts acme and beta have the same key (api_key and api_key)"),
        ("spool =", 'listen = "0.0.0.0:80"\nspool =', ""),
    ],
)
def test_config_check_says_when_the_daemon_would_not_start(tmp_path: Path, before: str, after: str, words: str) -> None:
    """The other commands could use such settings, so they are good."""
    (tmp_path / "dispatcher.toml").write_text(TWO.replace(before, after))
    ended = run("config", "check", "--json", cwd=tmp_path)
    assert ended.status == 0
    assert words in ended.document["daemon"]
    assert bool(words) == bool(ended.document["daemon"])
