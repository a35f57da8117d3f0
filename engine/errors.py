"""The one error of the engine."""

from __future__ import annotations


class EngineError(ValueError):
    """A setting cannot be used, or a job's field cannot be read. Raised before anything changes.

    Attributes:
        index: place of the job in what was handed in, None when no job is meant.
        field: name of the setting or of the job's field.
    """

    def __init__(self, message: str, *, field: str = "", index: int | None = None) -> None:
        self.index = index
        self.field = field
        place = "" if index is None else f"job {index}: "
        name = f"{field}: " if field else ""
        super().__init__(f"{place}{name}{message}")
