"""A scene as one image, drawn by matplotlib: the map, why jobs have no member, load and distances."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.ticker import MaxNLocator

from dispatcher.picture.areas import areas
from dispatcher.picture.colours import BAD_LIGHT, LIGHT, deal
from dispatcher.picture.scene import Scene
from dispatcher.picture.sheet import cut, mercator, unrolled

Point = tuple[float, float]
"""On the sheet."""

INCHES = (15.0, 9.6)
DPI = 150
GROUND, CARD, INK, MUTED, LINE, BAR = "#f5f6f8", "#ffffff", "#17202b", "#5b6776", "#e1e6ec", "#5b8ee0"
MANY = 2_000
"""Jobs on a map from which routes are drawn faintly; from a quarter of it on dots are small."""
CROWD = 60
"""Members on a map from which their marks are small."""
LEGEND = (
    "● job with a member    ◇ where a member’s day begins    ✕ job without a member    ○ stop that was there before"
)
STYLE: Any = {
    "font.family": "sans-serif", "font.size": 10, "text.color": INK, "axes.labelcolor": MUTED, "xtick.color": MUTED,
    "ytick.color": MUTED, "axes.edgecolor": LINE, "axes.titlesize": 11, "axes.titleweight": "bold",
    "axes.titlelocation": "left", "axes.titlecolor": INK, "figure.facecolor": GROUND, "axes.facecolor": CARD,
    "text.parse_math": False, "svg.hashsalt": "dispatcher", "svg.fonttype": "path", "axes.axisbelow": True,
}  # fmt: skip


def plot(scene: Scene, *, form: str) -> bytes:
    """The image file's content.

    Args:
        scene: what to draw.
        form: `png`, `svg` or `pdf`. The same scene gives the same bytes.
    """
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        # A name in a script that no font here has is drawn as boxes; that is no reason to fail.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=INCHES, dpi=DPI)
        grid = figure.add_gridspec(
            3, 2, width_ratios=(2.35, 1), height_ratios=(1, 1, 1),
            left=0.02, right=0.98, top=0.855, bottom=0.07, wspace=0.08, hspace=0.5,
        )  # fmt: skip
        _head(figure, scene)
        hidden = _maps(figure, grid[:, 0], scene)
        figure.text(0.02, 0.032, f"{LEGEND}     {hidden}", fontsize=9, color=MUTED, va="center")
        _load(figure.add_subplot(grid[0, 1]), scene)
        _distance(figure.add_subplot(grid[1, 1]), scene)
        _reasons(figure.add_subplot(grid[2, 1]), scene)
        out = io.BytesIO()
        dated = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None, "ModDate": None}}[form]
        figure.savefig(out, format=form, metadata=dated)
        return out.getvalue()


def _head(figure: Figure, scene: Scene) -> None:
    days = [f"{datetime.strptime(str(day), '%Y%m%d'):%a %-d %b %Y}" for day in scene.days]  # noqa: DTZ007 - a date
    title = f"Plan for {days[0]}" + (f" to {days[-1]}" if len(days) > 1 else "") if days else "Plan"
    left = len(scene.jobs) - scene.assigned
    working = len({route.member for route in scene.routes})
    words = (
        f"{len(scene.jobs):,} jobs: {scene.assigned:,} with a member, {left:,} without.  "
        f"{working:,} of {len(scene.members):,} members have stops.  About {scene.travel_m / 1000:,.0f} km of road.  "
        f"Policy {scene.policy}, as of {datetime.fromtimestamp(scene.now, ZoneInfo(scene.timezone)):%-d %b %Y %H:%M}."
    )
    figure.text(0.02, 0.952, title, fontsize=18, fontweight="bold", va="center")
    figure.text(0.02, 0.915, words, fontsize=10.5, color=MUTED, va="center")


def _maps(figure: Figure, frame: SubplotSpec, scene: Scene) -> str:
    """One map, or one for each of several areas; returns what is not drawn, in words."""
    edge = cut(scene)
    sheet = [None if spot.place is None else mercator(unrolled(spot.place, edge)) for spot in scene.spots]
    colours = [LIGHT[number % len(LIGHT)] for number in deal([member.place for member in scene.members])]
    pins = [None if member.place is None else mercator(unrolled(member.place, edge)) for member in scene.members]
    known = [number for number, at in enumerate(sheet) if at is not None]
    number_of = {number: k for k, number in enumerate(known)}
    ways = [[number_of[call.spot] for call in route.calls if call.spot in number_of] for route in scene.routes]
    split = areas(np.array([sheet[number] for number in known], dtype=np.float64).reshape(-1, 2), ways)
    across = math.ceil(math.sqrt(len(split)))
    grid = frame.subgridspec(math.ceil(len(split) / across), across, wspace=0.04, hspace=0.14)
    drawn = 0
    for number, which in enumerate(split):
        inside = {known[k] for k in which}
        axes = figure.add_subplot(grid[number // across, number % across])
        jobs = [n for n in sorted(inside) if n < len(scene.jobs)]
        drawn += len(jobs)
        _map(axes, scene, Layer(sheet, pins, colours, inside))
        if len(split) > 1:
            left = sum(scene.jobs[n].worker is None for n in jobs)
            axes.set_title(f"{len(jobs):,} jobs, {left:,} without a member", fontsize=9.5, pad=5)
    hidden = len(scene.jobs) - drawn
    return f"{hidden:,} jobs are not on the map." if hidden else ""


class Layer(NamedTuple):
    """What maps share, and which spots one of them shows."""

    sheet: Sequence[Point | None]
    pins: Sequence[Point | None]
    colours: Sequence[str]
    inside: set[int]


def _map(axes: Axes, scene: Scene, layer: Layer) -> None:
    sheet, pins, colours, inside = layer
    mine = [number for number in sorted(inside) if number < len(scene.jobs)]
    many = len(mine) > MANY
    small = many or len(mine) > MANY / 4
    ways = [
        (colours[route.member], [at for call in route.calls if call.spot in inside and (at := sheet[call.spot])])
        for route in scene.routes
    ]
    axes.add_collection(
        LineCollection(
            [np.array(way) for _, way in ways if len(way) > 1],
            colors=[colour for colour, way in ways if len(way) > 1],
            linewidths=0.35 if many else 0.9,
            alpha=0.35 if many else 0.55,
            zorder=1,
        )
    )
    dots = [n for n in mine if scene.jobs[n].worker is not None]
    owners = [scene.jobs[n].member for n in dots]
    paint = [colours[owner] if owner >= 0 else MUTED for owner in owners]
    _dots(axes, _at(sheet, dots), 5 if small else 22, c=paint, linewidths=0, zorder=3)
    kept = [n for n in sorted(inside) if n >= len(scene.jobs)]
    _dots(axes, _at(sheet, kept), 7 if small else 26, facecolors="none", edgecolors=MUTED, linewidths=1, zorder=2)
    for rank, code in enumerate(scene.reasons()):
        crosses = [n for n in mine if scene.jobs[n].worker is None and scene.jobs[n].reason == code]
        colour = BAD_LIGHT[min(rank, len(BAD_LIGHT) - 1)]
        look = {"c": colour, "linewidths": 0.8 if small else 1.8, "zorder": 4}
        _dots(axes, _at(sheet, crosses), 8 if small else 34, marker="x", **look)
    shown = _near(pins, _at(sheet, sorted(inside)))
    edges = [colours[n] if scene.members[n].open else MUTED for n in shown]
    crowd = len(shown) > CROWD
    look = {"facecolors": CARD, "edgecolors": edges, "linewidths": 0.9 if crowd else 1.7, "zorder": 5}
    _dots(axes, _at(pins, shown), 14 if crowd else 42, marker="D", **look)
    axes.set_aspect("equal", adjustable="datalim")
    axes.set(xticks=[], yticks=[])
    axes.margins(0.05)
    axes.autoscale_view()
    _scale(axes)


def _at(places: Sequence[Point | None], which: Sequence[int]) -> list[Point]:
    return [at for number in which if (at := places[number]) is not None]


def _near(pins: Sequence[Point | None], spots: Sequence[Point]) -> list[int]:
    """Members within the area of some spots, and a bit around it; all of them when there are no spots."""
    numbers = [number for number, at in enumerate(pins) if at is not None]
    if not spots:
        return numbers
    low, high = np.min(spots, axis=0), np.max(spots, axis=0)
    around = 0.3 * float(max(high - low)) + 0.05
    return [
        n for n, at in enumerate(pins) if at and (low - around <= at).all() and (np.asarray(at) <= high + around).all()
    ]


def _dots(axes: Axes, places: Sequence[Point], size: float, **look: Any) -> None:
    if places:
        x, y = zip(*places, strict=True)
        axes.scatter(x, y, s=size, **look)


def _scale(axes: Axes) -> None:
    """A bar of a round length at the map's own latitude."""
    axes.apply_aspect()
    (x0, x1), (y0, y1) = axes.get_xlim(), axes.get_ylim()
    metres = (x1 - x0) * 111_195 * math.cos(math.atan(math.sinh(math.radians((y0 + y1) / 2))))
    if not metres > 0:
        return
    most = 0.2 * metres
    power = 10 ** math.floor(math.log10(most))
    length = next(n * power for n in (5, 2, 1) if n * power <= most)
    words = f"{length / 1000:,.0f} km" if length >= 1000 else f"{length:,.0f} m"
    width = length / metres
    axes.plot([0.02, 0.02 + width], [0.025, 0.025], color=MUTED, lw=2, transform=axes.transAxes, zorder=6)
    label: Any = {"ha": "center", "va": "bottom", "fontsize": 8.5, "color": MUTED, "zorder": 6}
    axes.text(0.02 + width / 2, 0.034, words, transform=axes.transAxes, **label)


def _load(axes: Axes, scene: Scene) -> None:
    loads = scene.jobs_per_member()
    axes.set_title("Jobs per member", pad=8)
    if not loads:
        _empty(axes, "no job has a member")
        return
    step = max(1, -(-max(loads) // 24))
    axes.hist(loads, bins=[edge - 0.5 for edge in range(1, max(loads) + step + 1, step)], color=BAR, rwidth=0.88)
    axes.set_xlabel(f"jobs on a day (mean {np.mean(loads):.1f})")
    _plain(axes)


def _distance(axes: Axes, scene: Scene) -> None:
    far = np.array(scene.distances_m()) / 1000
    axes.set_title("Distance from the member’s start", pad=8)
    if not len(far):
        _empty(axes, "no distances are known")
        return
    top = float(np.quantile(far, 0.985)) or 1.0
    axes.hist(np.minimum(far, top), bins=20, color=BAR, rwidth=0.88)
    axes.set_xlabel(f"km, great circle (median {np.median(far):.1f}; the last bar holds all beyond)")
    _plain(axes)


def _reasons(axes: Axes, scene: Scene) -> None:
    why = list(scene.reasons().items())
    left = sum(count for _, count in why)
    axes.set_title(f"Without a member: {left:,}", pad=8)
    if not why:
        _empty(axes, "every job has a member")
        return
    names = [code or "no reason given" for code, _ in why]
    counts = [count for _, count in why]
    colours = [BAD_LIGHT[min(rank, len(BAD_LIGHT) - 1)] for rank in range(len(why))]
    rows = range(len(why))
    axes.barh(rows, counts, color=colours, height=0.36)
    for row, name, count in zip(rows, names, counts, strict=True):
        axes.text(0, row - 0.24, f"{name}  {count:,}", va="bottom", fontsize=9)
    axes.set_ylim(max(len(why), 4) - 0.5, -0.85)
    axes.set(xticks=[], yticks=[])
    for side in axes.spines.values():
        side.set_visible(False)


def _plain(axes: Axes) -> None:
    axes.grid(axis="y", color=LINE, lw=0.8)
    axes.tick_params(length=0)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=9, integer=True))
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _empty(axes: Axes, words: str) -> None:
    axes.set(xticks=[], yticks=[])
    axes.text(0.5, 0.5, words, ha="center", va="center", color=MUTED, transform=axes.transAxes)
