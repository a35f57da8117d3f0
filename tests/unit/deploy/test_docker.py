"""The Dockerfile, as far as it can be checked without Docker: what it names is there, and its commands work."""

from __future__ import annotations

import fnmatch
import re
import shlex
import subprocess
import sys
import urllib.request
from pathlib import Path

import orjson
from click.testing import CliRunner

from dispatcher.cli.run import run
from dispatcher.settings import describe
from tests.acceptance.command import environment
from tests.acceptance.serving import daemon_process

ROOT = Path(__file__).parents[3]
DOCKERFILE = ROOT / "deploy" / "docker" / "Dockerfile"
IGNORE = DOCKERFILE.with_name("Dockerfile.dockerignore")


def instructions() -> list[tuple[str, str]]:
    """(instruction, what follows it) in order, continued lines joined, comments dropped."""
    text = "\n".join(line for line in DOCKERFILE.read_text().splitlines() if not line.lstrip().startswith("#"))
    lines = text.replace("\\\n", " ").splitlines()
    return [(name.upper(), rest.strip()) for name, _, rest in (line.strip().partition(" ") for line in lines) if name]


def of(name: str) -> list[str]:
    return [rest for found, rest in instructions() if found == name]


def command(name: str) -> list[str]:
    """The list form of ENTRYPOINT, CMD or HEALTHCHECK."""
    (rest,) = of(name)
    words: list[str] = orjson.loads(rest[rest.index("[") :])
    return words


def taken(path: str) -> bool:
    """Whether the build gets to see a path of the project; the last rule that names it counts."""
    kept = True
    for rule in IGNORE.read_text().splitlines():
        pattern = rule.removeprefix("!")
        if pattern and not pattern.startswith("#") and fnmatch.fnmatch(path, pattern):
            kept = rule.startswith("!")
    return kept


def test_every_path_that_is_copied_exists_and_is_part_of_the_build() -> None:
    copied = [words for words in map(shlex.split, of("COPY")) if not words[0].startswith("--from")]
    sources = {source for *sources, _ in copied for source in sources}
    assert {"pyproject.toml", "dispatcher", "engine", "constraints.txt"} <= sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert taken(source), source
    assert not taken(".git")
    assert not taken("tests")


def test_the_wheel_has_what_its_build_reads() -> None:
    """Hatchling fails on a README or licence that pyproject.toml names and the stage did not copy."""
    project = (ROOT / "pyproject.toml").read_text()
    named = re.findall(r'^(?:readme = |license-files = \[)"([^"]+)"', project, re.MULTILINE)
    packages = re.findall(r'"(\w+)"', re.findall(r"^packages = \[(.*)\]", project, re.MULTILINE)[0])
    copied = {source for words in map(shlex.split, of("COPY")) for source in words[:-1]}
    assert set(named) | set(packages) <= copied


def test_every_setting_that_is_named_exists() -> None:
    known = {info.variable for info in describe()}
    named = set(re.findall(r"DISPATCHER_[A-Z_]+", DOCKERFILE.read_text()))
    assert named >= {"DISPATCHER_SPOOL", "DISPATCHER_LISTEN"}
    assert named <= known


def test_the_command_is_one_that_there_is() -> None:
    assert command("ENTRYPOINT") == ["dispatcher"]
    name, *options = command("CMD")
    assert name == "run"
    assert CliRunner().invoke(run, [*options, "--help"]).exit_code == 0


def test_it_runs_without_root_keeps_the_spool_on_a_volume_and_ends_on_sigterm() -> None:
    names = [name for name, _ in instructions()]
    (user,) = of("USER")
    assert user.partition(":")[0] not in {"", "0", "root"}
    assert names.index("USER") < names.index("ENTRYPOINT")
    variables = dict(pair.split("=", 1) for pair in shlex.split(of("ENV")[0]))
    assert of("VOLUME") == [str(Path(variables["DISPATCHER_SPOOL"]).parent)]
    assert of("STOPSIGNAL") == ["SIGTERM"]


def test_nothing_is_fetched_from_elsewhere_than_the_base_image_and_the_package_index() -> None:
    assert set(of("FROM")) == {"python:3.12-slim AS build", "python:3.12-slim"}
    assert not of("ADD")
    assert not re.findall(r"https?://(?!127\.0\.0\.1)", DOCKERFILE.read_text())
    assert not re.findall(r"\b(?:curl|wget|apt-get|apk)\b", " ".join(of("RUN")))


def test_the_health_check_tells_a_daemon_that_lives_from_one_that_does_not(tmp_path: Path) -> None:
    interpreter, *arguments = command("HEALTHCHECK")
    assert interpreter == "python"

    def check(listen: str) -> int:
        variables = environment(DISPATCHER_LISTEN=listen, http_proxy="http://127.0.0.1:9")
        return subprocess.run(
            [sys.executable, *arguments], env=variables, capture_output=True, timeout=30, check=False
        ).returncode

    with daemon_process(tmp_path, "http://127.0.0.1:9") as daemon:
        assert urllib.request.urlopen(f"{daemon.url}/livez", timeout=10).status == 200
        assert check(f"0.0.0.0:{daemon.netloc.rpartition(':')[2]}") == 0
    assert check("0.0.0.0:9") != 0
