"""The simulated feeder: when the next part is due, and how it comes to lie behind the one before."""

from __future__ import annotations

from enum import StrEnum

import cv2
import numpy as np

from edge.errors import HardwareError
from edge.sim.parts import SimPart
from edge.sim.settings import FeedSettings

MOST_WAITING = 3.0
"""Parts that may queue up in the feeder while the belt has no room; more are not remembered."""
TOUCH_STEP_MM = 0.25


class FeederFault(StrEnum):
    """What may be wrong with a feeder."""

    NONE = "none"
    EMPTY = "empty"
    """Runs, and nothing comes."""
    STUCK_ON = "stuck on"
    """Runs at its last rate, whatever it is told."""
    MUTE = "mute"
    """Its driver does not answer."""


class SimFeeder:
    """Says when a part is due; implements `edge.hardware.interfaces.Feeder`. `rates` records every `set_rate`."""

    def __init__(self, settings: FeedSettings, rng: np.random.Generator) -> None:
        self._settings = settings
        self._rng = rng
        self._closed = False
        self._waiting = 0.0
        self._until_next = self._interval()
        self._running_per_min = 0.0
        self.parts_per_min = 0.0
        self.fault = FeederFault.NONE
        self.double_next = False
        """A fault: the next two parts fall together."""
        self.rates: list[float] = []

    def set_rate(self, parts_per_min: float) -> None:
        if parts_per_min < 0:
            raise ValueError(f"feeder (sim): a rate of {parts_per_min} parts/min is below 0")
        if self._closed and parts_per_min > 0:
            raise HardwareError("feeder (sim): switched on after it was closed: open the machine again")
        if self.fault is FeederFault.MUTE:
            raise HardwareError("feeder (sim): does not answer: look at its driver")
        if parts_per_min != self.parts_per_min:
            self.rates.append(parts_per_min)
        self.parts_per_min = parts_per_min
        if self.fault is not FeederFault.STUCK_ON:
            self._running_per_min = parts_per_min

    def close(self) -> None:
        self.set_rate(0)
        self._closed = True

    def advance(self, duration_s: float) -> None:
        """Let time pass; parts become due at the rate that is set."""
        if self.fault is FeederFault.NONE:
            self._running_per_min = self.parts_per_min
        self._waiting = min(self._waiting + duration_s * self._running_per_min / 60, MOST_WAITING + self._until_next)

    @property
    def due(self) -> bool:
        """Whether a part is ready to fall."""
        return self.fault is not FeederFault.EMPTY and self._running_per_min > 0 and self._waiting >= self._until_next

    def take(self) -> bool:
        """Let one part fall; returns whether the next falls with it, against it."""
        self._use_up()
        together = bool(self._rng.random() < self._settings.touching_share) or self.double_next
        self.double_next = False
        if together:
            self._use_up()
        return together

    def _use_up(self) -> None:
        self._waiting -= self._until_next
        self._until_next = self._interval()

    def _interval(self) -> float:
        """Time to the next part, in mean intervals."""
        if self._settings.arrivals == "poisson":
            return float(self._rng.exponential())
        return max(float(self._rng.normal(1, self._settings.jitter)), 0.1)


def lay_against(part: SimPart, before: SimPart, rng: np.random.Generator) -> None:
    """Place `part` upstream of `before` so that their outlines just touch."""
    across_mm = float(np.ptp(before.outline_mm[:, 1])) / 2
    part.y_mm = before.y_mm + float(rng.uniform(-0.6, 0.6)) * across_mm
    distance_mm = float(part.outline_mm[:, 0].max() - before.outline_mm[:, 0].min())
    while distance_mm > 0 and not _overlap(part, before, distance_mm - TOUCH_STEP_MM):
        distance_mm -= TOUCH_STEP_MM
    part.x_belt_mm = before.x_belt_mm + distance_mm
    part.touching = before.touching = True
    part.against = before.part_id


def _overlap(part: SimPart, before: SimPart, distance_mm: float) -> bool:
    shifted = part.outline_mm + np.array([-distance_mm, part.y_mm - before.y_mm], np.float32)
    area, _ = cv2.intersectConvexConvex(np.asarray(shifted, np.float32), before.outline_mm)
    return bool(area > 0)
