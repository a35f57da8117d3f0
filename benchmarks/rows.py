"""What every benchmark prints: the rows that were measured, the ratios between them, and the machine's shape."""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import orjson


def arguments(description: str) -> argparse.ArgumentParser:
    """The flags that all benchmarks share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs")
    parser.add_argument("--runs", type=int, default=3, help="runs per row; medians are reported (default 3)")
    return parser


def report(name: str, rows: Sequence[Mapping[str, Any]], ratios: Mapping[str, float | None], *, as_json: bool) -> None:
    """Print the document, or a table of it."""
    document = {
        "benchmark": name,
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()},
        "rows": list(rows),
        "ratios": dict(ratios),
    }
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        return
    print(f"\n{name}")
    for row in rows:
        print("  " + "  ".join(f"{key}={_short(value)}" for key, value in row.items()))
    for ratio, value in ratios.items():
        print(f"  {ratio}: {'not measured' if value is None else f'{value:.2f}'}")


def median(values: Sequence[float]) -> float:
    """The middle of several runs."""
    return statistics.median(values)


def _short(value: Any) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
