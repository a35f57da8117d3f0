"""The settings as the README's table, so that the two cannot drift apart."""

from __future__ import annotations

from dispatcher.settings.info import SettingInfo, plain
from dispatcher.settings.settings import describe


def configuration_table() -> str:
    """A Markdown table with one row for every setting: name, default, what it does and what it may be."""
    rows = ["| setting | default | what it does |", "|---|---|---|"]
    rows += [f"| `{info.name}` | {_default(info)} | {_text(info)} |" for info in describe()]
    return "\n".join(rows) + "\n"


def _default(info: SettingInfo) -> str:
    text = plain(info.default)
    return f"`{text}`" if text else "(empty)"


def _text(info: SettingInfo) -> str:
    text = info.help.replace("|", "\\|")
    if info.choices:
        return f"{text} One of {', '.join(f'`{choice}`' for choice in info.choices)}."
    if info.allowed:
        unit = f" {info.unit}" if info.unit else ""
        return f"{text} {info.allowed.capitalize()}{unit}."
    return text
