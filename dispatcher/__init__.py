"""Push jobs into Hellotracks fast and safely, each to the nearest member who can really take it.

    async with Dispatcher(base_url=..., api_key=...) as d:
        receipts = await d.submit(jobs)
        async for receipt in d.results(receipts):
            print(receipt.key, receipt.state, receipt.worker)

Everything public is here; names load on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dispatcher.errors import (
        ConfigError,
        Denied,
        DispatcherError,
        FieldError,
        FleetUnusable,
        InvalidJobs,
        NotSent,
        OutcomeUnknown,
        Rejected,
        RemoteError,
        SpoolError,
        SpoolFull,
        SpoolUnusable,
        Throttled,
        TooLate,
    )
    from dispatcher.model.records import Receipt
    from dispatcher.model.state import SETTLED, State
    from dispatcher.pipeline import Care, Choice, Dispatcher, Explanation, FleetFiles, PipelineStatus, Withdrawal
    from dispatcher.settings import Settings, load_settings
    from dispatcher.spool import MemorySpool, Spool, SqliteSpool

__version__ = "0.1.0"

_HOMES = {
    # the pipeline
    "Dispatcher": "dispatcher.pipeline",
    "FleetFiles": "dispatcher.pipeline",
    "PipelineStatus": "dispatcher.pipeline",
    "Care": "dispatcher.pipeline",
    "Withdrawal": "dispatcher.pipeline",
    "Explanation": "dispatcher.pipeline",
    "Choice": "dispatcher.pipeline",
    # what comes back
    "Receipt": "dispatcher.model.records",
    "State": "dispatcher.model.state",
    "SETTLED": "dispatcher.model.state",
    # settings and stores
    "Settings": "dispatcher.settings",
    "load_settings": "dispatcher.settings",
    "Spool": "dispatcher.spool",
    "MemorySpool": "dispatcher.spool",
    "SqliteSpool": "dispatcher.spool",
    # errors
    "DispatcherError": "dispatcher.errors",
    "ConfigError": "dispatcher.errors",
    "FieldError": "dispatcher.errors",
    "InvalidJobs": "dispatcher.errors",
    "TooLate": "dispatcher.errors",
    "FleetUnusable": "dispatcher.errors",
    "SpoolError": "dispatcher.errors",
    "SpoolUnusable": "dispatcher.errors",
    "SpoolFull": "dispatcher.errors",
    "RemoteError": "dispatcher.errors",
    "NotSent": "dispatcher.errors",
    "OutcomeUnknown": "dispatcher.errors",
    "Throttled": "dispatcher.errors",
    "Rejected": "dispatcher.errors",
    "Denied": "dispatcher.errors",
}

__all__ = [
    "SETTLED",
    "Care",
    "Choice",
    "ConfigError",
    "Denied",
    "Dispatcher",
    "DispatcherError",
    "Explanation",
    "FieldError",
    "FleetFiles",
    "FleetUnusable",
    "InvalidJobs",
    "MemorySpool",
    "NotSent",
    "OutcomeUnknown",
    "PipelineStatus",
    "Receipt",
    "Rejected",
    "RemoteError",
    "Settings",
    "Spool",
    "SpoolError",
    "SpoolFull",
    "SpoolUnusable",
    "SqliteSpool",
    "State",
    "Throttled",
    "TooLate",
    "Withdrawal",
    "load_settings",
]


def __getattr__(name: str) -> Any:
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
