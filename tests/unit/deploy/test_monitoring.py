"""The dashboard and the alert rules ask for figures that a daemon at work really has."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests import postgres
from tests.unit.daemon.worked import worked
from tests.unit.deploy.queries import Known, wrong

ROOT = Path(__file__).parents[3]
RULES = ROOT / "deploy" / "prometheus" / "alerts.yml"
RULES_TEST = RULES.with_name("alerts.test.yml")
DASHBOARD = ROOT / "deploy" / "grafana" / "dispatcher.json"
PAGE = ROOT / "docs" / "operations.md"
needs_postgres = pytest.mark.skipif(bool(postgres.MISSING), reason=postgres.MISSING)
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="there is no promtool on this machine")


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    read: dict[str, Any] = orjson.loads(DASHBOARD.read_bytes())
    return read


def queries() -> list[tuple[str, str]]:
    """(panel, query) of the dashboard."""
    return [(panel["title"], one["expr"]) for panel in dashboard()["panels"] for one in panel.get("targets", ())]


async def figures(folder: Path) -> list[Metric]:
    """What a daemon has after some work with a file, and what more it has on a database."""
    async with worked(folder) as (_, text):
        families: list[Metric] = list(text_string_to_metric_families(text))
    try:
        async with worked(folder, spool=postgres.borrow()) as (_, text):
            families += text_string_to_metric_families(text)
    finally:
        postgres.give_back()
    return families


async def known_figures(folder: Path) -> Known:
    """Values by label by name."""
    known: dict[str, dict[str, set[str]]] = {}
    for family in await figures(folder):
        for sample in family.samples:
            labels = known.setdefault(sample.name, {})
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(value)
    return known


@needs_postgres
async def test_every_query_of_rules_and_dashboard_asks_for_what_there_is(tmp_path: Path) -> None:
    known = await known_figures(tmp_path)
    asked = [(rule["alert"], rule["expr"]) for rule in rules()] + queries()
    assert len(asked) > 50
    assert {name: problems for name, query in asked if (problems := wrong(query, known))} == {}


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("dispatcher_job", "dispatcher_job does not exist"),
        ('dispatcher_jobs{stat="held"}', "dispatcher_jobs has no label stat"),
        ('dispatcher_jobs{state=~"held|lost"}', "dispatcher_jobs has no state lost"),
        ("sum by (reason) (dispatcher_jobs)", "nothing has a label reason"),
        ("sum(dispatcher_jobs", "its brackets do not match"),
        ("1 > 2", "reads nothing"),
    ],
)
def test_a_query_that_asks_for_what_there_is_not_is_found(query: str, problem: str) -> None:
    known: Known = {"dispatcher_jobs": {"account": {"default"}, "state": {"held"}}}
    assert wrong(query, known) == [problem]


def test_every_rule_says_what_is_wrong_and_the_page_says_what_to_do() -> None:
    page = PAGE.read_text()
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names)
    for rule in rules():
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"]["summary"], rule["alert"]
        assert rule["annotations"]["description"].endswith("."), rule["alert"]
        assert f"`{rule['alert']}`" in page, rule["alert"]


@needs_postgres
async def test_the_page_lists_every_figure_and_none_that_there_is_not(tmp_path: Path) -> None:
    families = [family for family in await figures(tmp_path) if family.name.startswith("dispatcher_")]
    real = {f"{family.name}_total" if family.type == "counter" else family.name for family in families}
    listed = set(re.findall(r"^\| `(dispatcher_[a-z_]+)`", PAGE.read_text(), re.MULTILINE))
    assert listed == real


def test_the_dashboard_has_its_rows_and_no_panel_lies_on_another() -> None:
    panels = dashboard()["panels"]
    titles = [panel["title"] for panel in panels if panel["type"] == "row"]
    assert titles == ["Flow", "Delivery", "Limits", "Engine", "Spool", "Process", "Nodes"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


def test_the_dashboards_variables_are_defined_and_used() -> None:
    text = DASHBOARD.read_text()
    defined = {one["name"] for one in dashboard()["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)\}?", text)) - {"__all", "__rate_interval"}
    assert used == defined == {"datasource", "instance", "account"}
    assert not re.findall(r"https?://", text)


@needs_promtool
def test_promtool_takes_the_rules_and_every_query_of_the_dashboard(tmp_path: Path) -> None:
    plain = [
        {"record": f"query:{number}", "expr": re.sub(r"\$__rate_interval", "5m", query)}
        for number, (_, query) in enumerate(queries())
    ]
    copy = tmp_path / "queries.yml"
    copy.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": plain}]}))
    for file in (RULES, copy):
        ended = subprocess.run(
            ["promtool", "check", "rules", str(file)], capture_output=True, text=True, timeout=60, check=False
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr


@needs_promtool
def test_the_rules_fire_when_they_should_and_not_when_all_is_well() -> None:
    ended = subprocess.run(
        ["promtool", "test", "rules", RULES_TEST.name],
        cwd=RULES_TEST.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
