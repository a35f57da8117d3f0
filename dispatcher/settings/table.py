"""The settings as the README's table, so that the two cannot drift apart."""

from __future__ import annotations

import sys
from pathlib import Path

from dispatcher.settings.info import SettingInfo, plain
from dispatcher.settings.settings import describe

START = "<!-- settings -->"
END = "<!-- /settings -->"


def configuration_table() -> str:
    """A Markdown table with one row for every setting: name, default, whose it is, what it does and what it may be."""
    rows = ["| setting | default | scope | what it does |", "|---|---|---|---|"]
    rows += [f"| `{info.name}` | {_default(info)} | {_scope(info)} | {_text(info)} |" for info in describe()]
    return "\n".join(rows) + "\n"


def _default(info: SettingInfo) -> str:
    text = plain(info.default)
    return f"`{text}`" if text else "(empty)"


def _scope(info: SettingInfo) -> str:
    return f"{info.scope}, live" if info.live else info.scope


def _text(info: SettingInfo) -> str:
    text = info.help.replace("|", "\\|")
    if info.choices:
        return f"{text} One of {', '.join(f'`{choice}`' for choice in info.choices)}."
    if info.allowed:
        unit = f" {info.unit}" if info.unit else ""
        return f"{text} {info.allowed.capitalize()}{unit}."
    return text


def write_into(readme: Path) -> None:
    """Put the table between the README's marks. A test holds the two together; `make readme` calls this."""
    text = readme.read_text(encoding="utf-8")
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    readme.write_text(f"{before}{START}\n{configuration_table()}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    write_into(Path(sys.argv[1]))
