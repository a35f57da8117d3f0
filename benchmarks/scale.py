"""What a load needs: nodes, databases, disks and limits, reckoned from measured costs. Measures nothing by itself.

    python -m benchmarks.scale                                    the tables of docs/scale.md
    python -m benchmarks.scale --json --jobs-per-day 2e6 --accounts 40 --peak 8
    python -m benchmarks.scale --costs mine.json                  with the costs of another machine
    python -m benchmarks.scale --write                            put the tables into docs/scale.md

The costs are in `benchmarks/costs.json`, each with the command that measured it; `python -m benchmarks.costs` measures
them anew. `docs/scale.md` says what the figures mean.
"""

from __future__ import annotations

from dataclasses import MISSING, asdict, fields, replace
from pathlib import Path

import orjson

from benchmarks.load import DAY_S, Costs, Load, capacities, plan
from benchmarks.marked import filled, markdown
from benchmarks.rows import arguments, report

COSTS = Path(__file__).with_name("costs.json")
DOCUMENT = Path(__file__).parents[1] / "docs" / "scale.md"
LARGE = 1e8
"""jobs a day"""


LABELS = {
    "mean_per_s": "jobs/s, mean",
    "peak_per_s": "jobs/s at the peak",
    "account_per_s": "of these, one account",
    "members": "members of an account",
    "request_jobs": "jobs of a request then",
    "limit_per_s": "limit that an account needs, requests/s",
    "daemons": "daemons, one core each",
    "daemon_gb": "memory of each, GB",
    "databases": "databases",
    "connections": "connections at each",
    "db_cores_busy": "database cores busy, all together",
    "transactions_per_s": "transactions/s",
    "wal_mb_s": "log, MB/s",
    "wal_gb_per_day": "log a day, GB",
    "stored_gb": "settled jobs on disk, GB",
    "leader_share": "of a core, deciding for one account",
    "narrow": "used up first (1: one is full)",
    "short": "does not fit",
}


def read_costs(path: Path) -> Costs:
    """From a file as `benchmarks.costs` writes it.

    Raises:
        SystemExit: the file cannot be read, or a cost is missing in it.
    """
    try:
        measured = orjson.loads(path.read_bytes())["costs"]
        return Costs(**{field.name: float(measured[field.name]["value"]) for field in fields(Costs)})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SystemExit(f"{path}: {error!r}") from None


def tables(path: Path, load: Load) -> dict[str, str]:
    """The tables of docs/scale.md, in Markdown."""
    costs = read_costs(path)
    document = orjson.loads(path.read_bytes())
    rows = [("cost", "", "of")]
    rows += [
        (f"`{name}`", f"{one['value']:,.4g} {one['unit']}", one["what"]) for name, one in document["costs"].items()
    ]
    large = [replace(load, jobs_per_day=LARGE, accounts=accounts) for accounts in (1, 10, 1000)]
    small = [replace(load, jobs_per_day=jobs, accounts=10) for jobs in (1e5, 1e6, 1e7)]
    return {
        "costs": markdown(rows),
        "capacities": markdown(
            [("one", "a job takes", "jobs/s", "a day at that pace")]
            + [(name, by, f"{rate:,.0f}", f"{rate * DAY_S:.2g}") for name, by, rate in capacities(costs, load)]
        ),
        "large": compared(
            costs, large, [f"{one.accounts:,} accounts".replace("1 accounts", "1 account") for one in large]
        ),
        "small": compared(costs, small, [f"{one.jobs_per_day:,.0f} jobs a day" for one in small]),
    }


def compared(costs: Costs, loads: list[Load], names: list[str]) -> str:
    """A column for each load."""
    plans = [plan(costs, load) for load in loads]
    rows = [("", *names)]
    rows += [(label, *(show(getattr(one, name)) for one in plans)) for name, label in LABELS.items()]
    return markdown(rows)


def show(value: float | str) -> str:
    """A figure as a reader wants it: no more than three digits that mean something."""
    if isinstance(value, str):
        return value or "-"
    if isinstance(value, int) or value >= 100:
        return f"{value:,.0f}"
    return f"{value:.2g}"


def main() -> None:
    parser = arguments((__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--costs", type=Path, default=COSTS, metavar="FILE", help="measured costs (default: this project's)"
    )
    parser.add_argument("--write", action="store_true", help="put the tables into docs/scale.md")
    for field in fields(Load):
        default = "" if field.default is MISSING else f" (default {field.default})"
        flag = f"--{field.name.replace('_', '-')}"
        parser.add_argument(flag, type=float, metavar="N", help=f"see `Load` in benchmarks/load.py{default}")
    options = parser.parse_args()
    asked = {field.name: getattr(options, field.name) for field in fields(Load) if getattr(options, field.name)}
    asked |= {name: int(asked[name]) for name in ("accounts", "days", "db_cores") if name in asked}
    costs = read_costs(options.costs)
    if options.write:
        DOCUMENT.write_text(
            filled(DOCUMENT.read_text("utf-8"), tables(options.costs, Load(jobs_per_day=LARGE, accounts=1))), "utf-8"
        )
        return
    loads = [Load(**({"jobs_per_day": LARGE, "accounts": accounts} | asked)) for accounts in (1, 10, 1000)]
    if "accounts" in asked:
        del loads[1:]
    rows = [{**asdict(load), **asdict(plan(costs, load))} for load in loads]
    rows += [{"one": name, "cost": by, "jobs_per_s": round(rate)} for name, by, rate in capacities(costs, loads[0])]
    report("scale", rows, {}, as_json=options.json)


if __name__ == "__main__":
    main()
