"""From a wanted rate to what the feeder is told now: it pauses while the part before is too near, and a feeder that can
only be on or off is on for its share of the time."""

from __future__ import annotations

import math
from dataclasses import dataclass

MEMORY_S = 10.0
LEAST_OPEN = 0.3
LONGEST_STEP_S = 1.0


@dataclass(frozen=True, slots=True)
class DriveSettings:
    """How the feeder can be driven."""

    full_parts_per_min: float
    """What it brings when it is on, or at full power."""
    relay: bool = False
    """It is on or off, nothing between."""
    cycle_s: float = 4.0
    """A relay at half the rate is on and off once in so many seconds; at other rates it switches less often."""


class FeedDrive:
    """Turns rates into what the feeder is set to, frame by frame."""

    def __init__(self, settings: DriveSettings) -> None:
        self._settings = settings
        self._open = 1.0
        """Share of the last seconds in which the belt under the feeder was free."""
        self._owed_s = 0.0
        self._on = True
        self._ran = False
        self._last_s: float | None = None

    @property
    def room(self) -> float:
        """0 … 1: share of the last seconds in which the next part was let come."""
        return self._open

    def set_to(self, now_s: float, parts_per_min: float, free: bool) -> float:
        """What to set the feeder to so that on the average `parts_per_min` come.

        Args:
            free: whether the next part may come now. What is missed meanwhile is made up for between.
        """
        step_s = 0.0 if self._last_s is None else min(max(now_s - self._last_s, 0.0), LONGEST_STEP_S)
        self._last_s = now_s
        self._open += (free - self._open) * -math.expm1(-step_s / MEMORY_S)
        full = self._settings.full_parts_per_min
        wanted = min(parts_per_min / max(self._open, LEAST_OPEN), full)
        if self._settings.relay:
            return full if self._relay_on(step_s, parts_per_min / full, free) else 0.0
        return wanted if free else 0.0

    def _relay_on(self, step_s: float, share: float, free: bool) -> bool:
        """A two-point controller on the seconds that the relay was on too little; what a pause cost is made up for, but
        never more than half a cycle of it."""
        most_s = self._settings.cycle_s / 2
        swing_s = self._settings.cycle_s / 8
        self._owed_s = min(max(self._owed_s + step_s * (share - self._ran), -most_s), most_s)
        if share >= 1 or self._owed_s >= swing_s:
            self._on = True
        elif share <= 0 or self._owed_s <= -swing_s:
            self._on = False
        self._ran = self._on and free
        return self._ran
