"""The pipeline: accept → spool → assign → batch → send → settle, one set of stages per account."""

from dispatcher.pipeline.account import AccountPipeline, PipelineStatus
from dispatcher.pipeline.care import Care, Withdrawal
from dispatcher.pipeline.choice import Choice
from dispatcher.pipeline.clock import Clock, SystemClock
from dispatcher.pipeline.dispatcher import Dispatcher, as_dict
from dispatcher.pipeline.explaining import Explanation
from dispatcher.pipeline.fleet_view import FleetFiles
from dispatcher.pipeline.lookout import RESTING

__all__ = [
    "RESTING",
    "AccountPipeline",
    "Care",
    "Choice",
    "Clock",
    "Dispatcher",
    "Explanation",
    "FleetFiles",
    "PipelineStatus",
    "SystemClock",
    "Withdrawal",
    "as_dict",
]
