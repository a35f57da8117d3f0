"""Who takes the next job: an exact, fast assignment engine for field teams.

    from engine import Engine, EngineSettings

    engine = Engine(accounts, routes=jobs_of_today, settings=EngineSettings(policy="nearest"), now=time.time())
    for decision in engine.decide(new_jobs):
        print(decision.key, decision.worker)

Pure: no I/O, no event loop, no clock of its own. Importing it is cheap; numba and scikit-learn load with the first
`Engine`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.decision import Candidate, Decision, Explanation, Reason, RouteStop
from engine.errors import EngineError
from engine.settings import EngineSettings

if TYPE_CHECKING:
    from engine.columns import DecisionColumns
    from engine.core import Engine
    from engine.planting import Planter, ball_tree
    from engine.warmup import warm

__all__ = [
    "Candidate",
    "Decision",
    "DecisionColumns",
    "Engine",
    "EngineError",
    "EngineSettings",
    "Explanation",
    "Planter",
    "Reason",
    "RouteStop",
    "ball_tree",
    "warm",
]

_LAZY = {
    "DecisionColumns": "engine.columns",
    "Engine": "engine.core",
    "Planter": "engine.planting",
    "ball_tree": "engine.planting",
    "warm": "engine.warmup",
}


def __getattr__(name: str) -> object:
    if name in _LAZY:
        import importlib  # noqa: PLC0415 - only when something compiled is asked for

        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
