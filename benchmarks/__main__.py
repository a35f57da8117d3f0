"""`python -m benchmarks`: every benchmark, one after the other, as tables."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PARTS = {
    "__init__",
    "__main__",
    "cities",
    "load",
    "marked",
    "meter",
    "peers",
    "posting",
    "quality_report",
    "queues",
    "rows",
    "server",
    "solvers",
    "user_loop",
    "vrptw",
}
"""modules that benchmarks are made of"""


def main() -> int:
    names = sorted(path.stem for path in HERE.glob("*.py") if path.stem not in PARTS)
    failed = [name for name in names if subprocess.call([sys.executable, "-m", f"benchmarks.{name}", *sys.argv[1:]])]
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
