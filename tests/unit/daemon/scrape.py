"""Prometheus' text as numbers."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

Figures = dict[str, dict[tuple[str, ...], float]]


def figures(text: str) -> Figures:
    """By name and the values of its labels; of histograms the sum and the count, of empty families nothing in it."""
    found: Figures = {}
    for family in text_string_to_metric_families(text):
        found.setdefault(family.name, {})
        if family.type == "histogram":
            found.setdefault(f"{family.name}_count", {})
        for sample in family.samples:
            if "le" not in sample.labels:
                found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return {name: values for name, values in found.items() if values or name.endswith("_count")}


def labels(text: str) -> set[str]:
    """Names of all labels."""
    families = text_string_to_metric_families(text)
    return {name for family in families for sample in family.samples for name in sample.labels}
