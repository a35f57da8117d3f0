"""The README keeps its word: its example runs, its settings table is the settings'."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dispatcher import Dispatcher, State
from dispatcher.sandbox import Sandbox, SandboxSettings
from dispatcher.settings import configuration_table

README = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")


def part(name: str) -> str:
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- /", README, re.DOTALL)
    assert found, f"README has no part {name}"
    return found.group(1)


async def test_the_embedding_example_delivers_its_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code = part("example:embed").removeprefix("```python\n").rstrip().removesuffix("```")
    names: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), names)
    async with Sandbox(SandboxSettings(fleet_size=5)) as sandbox:
        await names["main"](sandbox.url, "any-key")  # type: ignore[operator]
        assert sandbox.created("ORDER-1") == 1
    assert "ORDER-1 confirmed" in capsys.readouterr().out
    async with Dispatcher(base_url="http://127.0.0.1:9", api_key="k", spool="orders.spool.db") as again:
        receipt = await again.receipt("ORDER-1")
    assert receipt is not None
    assert receipt.state is State.CONFIRMED


def test_the_settings_table_is_in_step_with_the_settings() -> None:
    assert part("settings").strip() == configuration_table().strip()
