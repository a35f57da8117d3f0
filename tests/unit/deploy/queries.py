"""PromQL taken apart as far as it takes to know which figures a query needs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_SELECTOR = re.compile(r"\b((?:dispatcher|process)_[a-z0-9_]+|up)\b(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)\s*(=~|!=|!~|=)\s*"([^"]*)"')
_GROUP = re.compile(r"\b(?:by|on|ignoring|without)\s*\(([^)]*)\)")
_TARGET_LABELS = {"instance", "job"}
"""Labels that Prometheus adds to what it reads."""

Known = Mapping[str, Mapping[str, set[str]]]
"""Values by label by name of the figure."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """`label="value"` of a selector."""

    label: str
    operator: str
    value: str


def selectors(query: str) -> list[tuple[str, list[Matcher]]]:
    """(name, matchers) of every figure that a query reads."""
    return [(name, [Matcher(*one) for one in _MATCHER.findall(inside)]) for name, inside in _SELECTOR.findall(query)]


def wrong(query: str, known: Known) -> list[str]:
    """What a query asks for that there is not, one problem a line."""
    found: list[str] = []
    used = selectors(query)
    if not used:
        found.append("reads nothing")
    for name, matchers in used:
        if name == "up":
            continue
        if name not in known:
            found.append(f"{name} does not exist")
            continue
        for matcher in matchers:
            if matcher.label in _TARGET_LABELS or matcher.value.startswith("$"):
                continue
            if matcher.label not in known[name]:
                found.append(f"{name} has no label {matcher.label}")
                continue
            values = known[name][matcher.label]
            found += [
                f"{name} has no {matcher.label} {value}" for value in matcher.value.split("|") if value not in values
            ]
    labels = {"le"} | _TARGET_LABELS
    for name, _ in used:
        labels |= set(known.get(name, {}))
    for group in _GROUP.findall(query):
        found += [f"nothing has a label {label}" for label in re.split(r"[,\s]+", group.strip()) if label not in labels]
    if query.count("(") != query.count(")"):
        found.append("its brackets do not match")
    return found
