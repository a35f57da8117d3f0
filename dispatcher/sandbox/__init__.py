"""A local server that speaks the Hellotracks API: for the demo, tests, benchmarks, and work without an API key."""

from dispatcher.sandbox.cities import CITIES, City, cities_named
from dispatcher.sandbox.faults import FAULTS
from dispatcher.sandbox.fleet import generated_fleet, generated_jobs
from dispatcher.sandbox.run import run_sandbox
from dispatcher.sandbox.server import Sandbox
from dispatcher.sandbox.settings import SandboxSettings

__all__ = [  # noqa: RUF022 - grouped
    # the server
    "Sandbox",
    "SandboxSettings",
    "run_sandbox",
    "FAULTS",
    # made-up companies and jobs
    "CITIES",
    "City",
    "cities_named",
    "generated_fleet",
    "generated_jobs",
]
