"""The rows of `benchmarks.quality` as tables and as a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

Row = dict[str, Any]

COLOURS: Final = {
    "nearest": "#b0b7c3",
    "least_detour": "#7a8699",
    "regret": "#2f6fde",
    "improve": "#0b8a5a",
    "ortools": "#e0a526",
    "vroom": "#c2502e",
}

SHADES: Final = ("#c9d6ee", "#7fa3e0", "#2f6fde", "#c5e3d5", "#6fbf9b", "#0b8a5a")
"""Of the cities' plans: blues for nearest, greens for least_detour, darker with each step."""


def tables(rows: Sequence[Row]) -> str:
    """Markdown: the instances (per shape and size, means over the seeds), then the cities."""
    parts = []
    routed = [row for row in rows if "solver" in row]
    solvers = list(dict.fromkeys(row["solver"] for row in routed))
    if routed:
        parts.append(_table(["instances", *solvers], _routing(routed, solvers)))
    cities = [row for row in rows if "plan" in row]
    if cities:
        head = ["city", "plan", "placed", "road km", "km per job", "members", "seconds"]
        lines = [
            [
                row["row"], row["plan"], f"{row['placed']} of {row['jobs']}", f"{row['road_km']:,.0f}",
                f"{row['road_km'] / max(row['placed'], 1):.2f}", str(row["members"]), f"{row['solve_s']:.3f}",
            ]
            for row in cities
        ]  # fmt: skip
        parts.append(_table(head, lines))
    return "\n".join(parts)


def _routing(rows: Sequence[Row], solvers: Sequence[str]) -> list[list[str]]:
    """One line per shape and size; a cell is distance · seconds, and the share placed when that is not everybody."""
    groups: dict[tuple[int, str], dict[str, list[Row]]] = {}
    for row in rows:
        groups.setdefault((row["customers"], row["shape"]), {}).setdefault(row["solver"], []).append(row)
    lines = []
    for (customers, shape), found in sorted(groups.items()):
        cells = []
        for solver in solvers:
            mine = found.get(solver, [])
            cell = f"{_mean(mine, 'distance'):,.0f} · {_seconds(_mean(mine, 'solve_s'))}" if mine else ""
            if mine and _mean(mine, "placed") < customers:
                cell += f" ({100 * _mean(mine, 'placed') / customers:.1f} % placed)"
            cells.append(cell)
        lines.append([f"{shape}, {customers}", *cells])
    return lines


def _seconds(value: float) -> str:
    return f"{value:.0f} s" if value >= 10 else f"{value:.2g} s"


def _mean(rows: Sequence[Row], name: str) -> float:
    return float(sum(row[name] for row in rows) / len(rows))


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ["---", *("---:" for _ in head[1:])]
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *lines)) + "\n"


def plot(rows: Sequence[Row], path: Path) -> None:
    """Distance over time of every solver per size (against the run's best), and kilometres per visit in the cities."""
    import matplotlib as mpl  # noqa: PLC0415 - optional

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), dpi=90)
    routed = [row for row in rows if "solver" in row]
    best: dict[str, float] = {}
    for row in routed:
        most = max(other["placed"] for other in routed if other["row"] == row["row"])
        if row["placed"] == most:
            best[row["row"]] = min(best.get(row["row"], math.inf), row["distance"])
    for solver in dict.fromkeys(row["solver"] for row in routed):
        for customers, marker in zip(sorted({row["customers"] for row in routed}), "osD^", strict=False):
            mine = [row for row in routed if row["solver"] == solver and row["customers"] == customers]
            if mine:
                gaps = [100 * (row["distance"] / best[row["row"]] - 1) for row in mine]
                seconds = [row["solve_s"] for row in mine]
                left.scatter(
                    math.exp(sum(map(math.log, seconds)) / len(seconds)), sum(gaps) / len(gaps), marker=marker, s=46,
                    color=COLOURS.get(solver, "black"), label=solver if marker == "o" else None,
                )  # fmt: skip
    left.set_xscale("log")
    left.set_yscale("symlog", linthresh=10)
    left.set_ylim(-1, 1000)
    left.set_xlabel("seconds")
    left.set_ylabel("mean distance above the best of the run, %")
    left.set_title(
        "Routing with time windows: circles 100 customers, squares 200,\ndiamonds 400, triangles 1 000", fontsize=10
    )
    left.grid(alpha=0.3)
    left.legend(fontsize=8)
    cities = [row for row in rows if "plan" in row]
    names = list(dict.fromkeys(row["row"] for row in cities))
    plans = list(dict.fromkeys(row["plan"] for row in cities))
    for i, plan in enumerate(plans):
        bars = [next(row for row in cities if (row["row"], row["plan"]) == (name, plan)) for name in names]
        where = [k + (i - len(plans) / 2 + 0.5) * 0.14 for k in range(len(names))]
        drawn = right.bar(
            where, [row["road_km"] / max(row["placed"], 1) for row in bars], width=0.13, label=plan, color=SHADES[i]
        )
        for bar, row in zip(drawn, bars, strict=True):
            share = f"{100 * row['placed'] / row['jobs']:.0f}"
            right.annotate(
                share, (bar.get_x() + bar.get_width() / 2, bar.get_height()), ha="center", va="bottom", fontsize=6
            )
    right.set_xticks(range(len(names)), [name.capitalize() for name in names])
    right.set_ylabel("kilometres of road per visit")
    right.set_title("Home visits in four cities (on the bars: visits placed, %)", fontsize=10)
    right.set_ylim(0, 1.35 * max((row["road_km"] / max(row["placed"], 1) for row in cities), default=1.0))
    right.legend(fontsize=7, ncols=2, loc="upper left")
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)
