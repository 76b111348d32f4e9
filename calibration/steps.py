"""The steps by name, in the order in which they build on each other; each is loaded when it is asked for."""

from __future__ import annotations

import importlib
from typing import Any

from calibration.step import Step
from edge.config.calibration import ALONE, STEPS


def step(name: str) -> Step[Any, Any]:
    """One of `STEPS`, or of those that are done alone."""
    if name not in (*STEPS, *ALONE):
        raise ValueError(f"there is no step '{name}'")
    return importlib.import_module(f"calibration.{name}").STEP
