"""The belt's travel between frames: what `Frame.belt_mm` says, or what the parts themselves show."""

from __future__ import annotations

from collections import deque
from statistics import median

SLACK_MM = 3.0
SLACK_SHARE = 0.3
"""A trusted travel may be off by this much in one frame."""
STANDING_MM = 0.5
"""A trusted travel below this says that the belt stands. Its encoder may as well have failed: then parts are looked for
as far as they may have gone."""
SLOWEST, FASTEST = -0.05, 2.6
"""A guessed one is searched between these multiples of the usual step: a belt may stop, and a camera that drops frames
skips one."""
STEPS = 15
UNKNOWN_STEP_MM = 10.0


class BeltMotion:
    """The travel that the tracker works with."""

    def __init__(self, measure: bool, max_step_mm: float) -> None:
        self._measure = measure
        self._max_step_mm = max_step_mm
        self._last_belt_mm: float | None = None
        self._steps_mm: deque[float] = deque(maxlen=STEPS)
        self._told_mm: deque[float] = deque(maxlen=STEPS)
        self._frames_passed = 1
        self.seen_step_mm: float | None = None
        """The way since the last frame as the parts themselves show it; None when none was followed."""
        self.travel_mm = 0.0
        self.step_mm = 0.0
        """The way since the last frame."""

    @property
    def passing_mm(self) -> float:
        """The way since the last frame, or a guess while nothing is known of it: new belt has come into view."""
        return self.step_mm if self.step_mm > 0 or not self._measure else UNKNOWN_STEP_MM

    def advance(self, belt_mm: float) -> float:
        """Goes on to the next frame; returns the travel it should have."""
        told_mm = 0.0 if self._last_belt_mm is None else belt_mm - self._last_belt_mm
        if self._last_belt_mm is None:
            self.travel_mm = belt_mm
        self._last_belt_mm = belt_mm
        self._count_passed(told_mm)
        measured = self._measure and self._steps_mm
        self.step_mm = self._frames_passed * median(self._steps_mm) if measured else told_mm
        self.travel_mm += self.step_mm
        self.seen_step_mm = None
        return self.travel_mm

    def offset_limits_mm(self) -> tuple[float, float]:
        """How far off, back and ahead, the travel may be."""
        if not self._measure:
            slack_mm = SLACK_MM + SLACK_SHARE * self.step_mm
            return -slack_mm, slack_mm if self.step_mm > STANDING_MM else self._max_step_mm
        if self.step_mm <= 0:
            return 0.0, self._max_step_mm
        return (SLOWEST - 1) * self.step_mm, min((FASTEST - 1) * self.step_mm, self._max_step_mm)

    def correct(self, offsets_mm: list[float]) -> None:
        """Takes in how much further the parts lie than expected."""
        if not offsets_mm:
            return
        offset_mm = median(offsets_mm)
        self.seen_step_mm = self.step_mm + offset_mm
        if not self._measure:
            return
        self.travel_mm += offset_mm
        self.step_mm += offset_mm
        if self.step_mm > 0:
            self._steps_mm.append(self.step_mm / self._frames_passed)

    def _count_passed(self, told_mm: float) -> None:
        """How many steps this frame is from the last: a guessed travel still tells that frames were dropped."""
        self._frames_passed = max(round(told_mm / median(self._told_mm)), 1) if self._told_mm else 1
        if told_mm > 0:
            self._told_mm.append(told_mm)
