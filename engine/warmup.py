"""Compile every kernel ahead of time, so that no first call waits."""

from __future__ import annotations

from engine.core import Engine
from engine.settings import POLICIES, EngineSettings


def warm() -> None:
    """Run every kernel once; the compiled code stays in numba's cache. Takes seconds the first time, little later."""
    place = {"lat": 48.2, "lng": 16.37}
    accounts = [{"username": "a", "teams": [1], "location": {**place, "ts": 0}, "vehicle_capacity": 1}]
    job = {"destinationLat": 48.21, "destinationLng": 16.38, "teamId": 1, "itemsToDropoff": 1}
    for policy in POLICIES:
        engine = Engine(accounts, settings=EngineSettings(policy=policy), now=1_767_225_600.0)
        engine.decide([{**job, "uidSecondary": "1", "worker": "a"}, job, {**job, "teamId": 2}], reasons=True)
        engine.reasons(job)
        engine.cancel(["1"])
    settings = EngineSettings(order="regret", improve_s=600.0)  # ends by itself long before, once compiled
    Engine(accounts, settings=settings, now=1_767_225_600.0).decide([job, {**job, "itemsToDropoff": 0}, job])
