"""A step that whoever stands at the machine ends."""

from __future__ import annotations

from calibration.step import RefusedError

END = "end"
"""What is answered then."""


class EndedError(RefusedError):
    """The operator wants no more of this step: nothing in it is tried once more. Nothing was written."""
