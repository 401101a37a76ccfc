"""Geminate pairs every prompt with its Gemini prediction."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geminate.connect import Where
    from geminate.errors import (
        AccessError,
        GeminateError,
        InputError,
        PromptError,
        SpecError,
        TargetError,
        TransientError,
        UsageError,
    )
    from geminate.pipeline.estimate import estimate
    from geminate.pipeline.join import join, read_predictions
    from geminate.pipeline.lines import RequestLines, build
    from geminate.pipeline.runs import Run
    from geminate.pipeline.submitting.target import Target
    from geminate.pipeline.written.joined_rows import JoinedRows
    from geminate.stages.estimates import Estimate
    from geminate.stages.specs import Spec

__version__ = "0.1.0"

__all__ = [
    "AccessError",
    "Estimate",
    "GeminateError",
    "InputError",
    "JoinedRows",
    "PromptError",
    "RequestLines",
    "Run",
    "Spec",
    "SpecError",
    "Target",
    "TargetError",
    "TransientError",
    "UsageError",
    "Where",
    "__version__",
    "build",
    "estimate",
    "join",
    "read_predictions",
]

_ROOMS = {
    "Where": "connect",
    "Estimate": "stages.estimates",
    "estimate": "pipeline.estimate",
    "JoinedRows": "pipeline.written.joined_rows",
    "join": "pipeline.join",
    "read_predictions": "pipeline.join",
    "RequestLines": "pipeline.lines",
    "build": "pipeline.lines",
    "Run": "pipeline.runs",
    "Target": "pipeline.submitting.target",
    "Spec": "stages.specs",
}


def __getattr__(name: str) -> Any:
    # Loaded on use, so that importing the package costs nothing.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_ROOMS.get(name, 'errors')}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
