"""The travel of a belt whose speed the tracker measures on the parts."""

from __future__ import annotations

import threading
from collections.abc import Callable

from edge.errors import HardwareError


class TrackedEncoder:
    """Where the parts in view showed the belt to be, and from there its last measured speed × the time it has run.

    The nominal speed is used until parts have been seen, the last measured one while none is in view. A correction
    backwards lets the reading stand until the belt has caught up: travel never falls.

    Args:
        belt_mm_per_s: the nominal speed.
        running_s: how long the belt has run, ever rising, as for `ConstantEncoder`.
    """

    def __init__(self, belt_mm_per_s: float, running_s: Callable[[], float]) -> None:
        self._running_s = running_s
        self._mm_per_s = belt_mm_per_s
        self._lock = threading.Lock()
        self._anchor: tuple[float, float] | None = None
        self._furthest_mm = 0.0

    def start(self) -> None:
        with self._lock:
            self._anchor, self._furthest_mm = (self._running_s(), 0.0), 0.0

    def belt_mm(self) -> float:
        with self._lock:
            if self._anchor is None:
                raise HardwareError("encoder (tracker): read while not started: start the machine first")
            since_s, since_mm = self._anchor
            self._furthest_mm = max(self._furthest_mm, since_mm + (self._running_s() - since_s) * self._mm_per_s)
            return self._furthest_mm

    def follow(self, belt_mm: float, age_s: float, mm_per_s: float) -> None:
        """Takes in where the belt was `age_s` ago, and its speed."""
        with self._lock:
            if self._anchor is not None:
                # A belt that was off in the meantime has not run the whole age; the next frame puts that right.
                self._anchor = (self._running_s() - age_s, belt_mm)
                self._mm_per_s = mm_per_s

    def turn(self) -> None:
        """Time passes either way; on the way back nothing is followed."""
        self.belt_mm()

    def close(self) -> None:
        with self._lock:
            self._anchor = None
