"""The package around the kernels: cheap to import, safe in threads, never a stale kernel."""

from __future__ import annotations

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import engine
from engine import Engine
from tests.unit.engine.people import MONDAY, SIX, job, member

ROOT = Path(engine.__file__).parent.parent


def run(code: str, path: Path = ROOT) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=path, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_importing_it_loads_neither_numba_nor_scikit_learn() -> None:
    code = (
        "import sys, engine; engine.EngineSettings();"
        "print([name for name in ('numba', 'numpy', 'sklearn') if name in sys.modules])"
    )
    assert run(code) == "[]"


def test_a_small_fleet_does_without_scikit_learn() -> None:
    code = (
        "import sys, engine; place = {'lat': 1, 'lng': 1};"
        "fleet = engine.Engine([{'username': 'a', 'role': 'worker', 'location': place}], now=1.7e9);"
        "job = {'destinationLat': 1, 'destinationLng': 1};"
        "print(fleet.decide([job])[0].worker, 'sklearn' in sys.modules)"
    )
    assert run(code) == "a False"


def test_every_public_name_is_there() -> None:
    assert all(getattr(engine, name) is not None for name in engine.__all__)
    assert engine.Engine is Engine


def test_a_cached_kernel_of_an_older_source_is_not_used(tmp_path: Path) -> None:
    """The radius is changed in one file; kernels of other files that were cached with the old one must not answer."""
    shutil.copytree(ROOT / "engine", tmp_path / "engine", ignore=shutil.ignore_patterns("__pycache__"))
    code = (
        "from engine.state import *; from engine.route import measure; import numpy as np;"
        "slots = np.zeros(1, SLOT); stops = np.zeros(1, STOP);"
        "slots['n'] = slots['placed'] = slots['per_m'] = slots['cos'] = 1;"
        "stops['placed'] = stops['cos'] = stops['lng'] = 1;"
        "measure(slots, stops, 0, 0, 1); print(round(float(stops['leg'][0])))"
    )
    assert run(code, tmp_path) == "6371009"
    source = tmp_path / "engine" / "sphere.py"
    source.write_text(source.read_text(encoding="utf-8").replace("6_371_008.8", "1_000_000.0"), encoding="utf-8")
    assert run(code, tmp_path) == "1000000"


def test_threads_may_share_an_engine() -> None:
    """Every job is decided once, by one of them, and the routes hold all of it."""
    fleet = Engine([member(f"m{i}", i) for i in range(20)], now=SIX)

    def work(thread: int) -> int:
        batches = [[job(k % 20, f"{thread}-{k}", onSiteSeconds=0)] for k in range(100)]
        return sum(fleet.decide(batch)[0].worker is not None for batch in batches)

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(work, range(4))) == 400
    assert sum(len(fleet.route(f"m{i}", MONDAY)) for i in range(20)) == 400
