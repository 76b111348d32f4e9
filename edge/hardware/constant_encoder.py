"""The travel of a belt without an encoder."""

from __future__ import annotations

from collections.abc import Callable

from edge.errors import HardwareError


class ConstantEncoder:
    """Speed × the time that the belt has run.

    Args:
        belt_mm_per_s: the belt's speed.
        running_s: how long it has run, ever rising: the motor's `running_s`, or a clock's `now_s` where the belt has a
            switch of its own.
    """

    def __init__(self, belt_mm_per_s: float, running_s: Callable[[], float]) -> None:
        self._belt_mm_per_s = belt_mm_per_s
        self._running_s = running_s
        self._from_s: float | None = None

    def start(self) -> None:
        self._from_s = self._running_s()

    def belt_mm(self) -> float:
        if self._from_s is None:
            raise HardwareError("encoder (constant): read while not started: start the machine first")
        return (self._running_s() - self._from_s) * self._belt_mm_per_s

    def turn(self) -> None:
        """Time passes either way."""
        self.belt_mm()

    def close(self) -> None:
        self._from_s = None
