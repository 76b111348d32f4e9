"""Whether the camera still shows the belt as it is. Each trouble is told once when it begins and once when it ends.

A frame that cannot be trusted is not fit for the tracker from the very first one: dropping a frame costs nothing, a
false track may cost a gate's movement under a part. A trouble is announced only when it lasts.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from edge.capture.alarm import Alarm
from edge.capture.drift import BeltDrift, CalibratedBelt, Drift
from edge.capture.measures import Measures, measure
from edge.capture.position import MarkPosition
from edge.records import Box, Frame

DARK_LEVEL = 12.0
"""Below this there is nothing but noise; a black belt, well lit, lies at 25 and more."""
DARK_SHARE = 0.4
"""Of the usual level: a lamp that fails takes nine tenths, a shadow of a hand or dusk at the window less than half."""
CLIPPED_SHARE = 0.6
"""Of the belt: white parts under a good light cover less, and are not at the end of the scale all over."""
REPEAT_MM = 1.0
"""A picture that comes again though the belt moved this far is old; noise alone makes any two pictures differ."""
LASTING_FRAMES, LASTING_S = 3, 0.15
FOLLOW_S = 60.0
"""How slowly the usual level follows daylight."""
DRIFT_S = 5.0
"""Longer than a part is in view: on a real belt (docs/faults.md) a camera that balances white by itself answered a dark
part with 17 % more red for a second."""
DRIFT_BACK_SHARE = 0.7
"""A drift is over when it is down to this share of what made it one."""
RATE_WINDOW_S = 2.0
RATE_CLEAR_S = 10.0
"""A load that is answered by fewer parts goes down and comes back: that is one trouble, not several."""
MISSING_SHARE, BACK_SHARE = 0.25, 0.10
"""A camera that loses a quarter of its frames takes a quarter of each part's looks."""
LATE_S = 0.25
"""Three frames at 12 a second: as much of the way to the first gate as most machines have to spare."""
MOVED_S = 1.0
MOVED_MM = 3.0
"""Half of a gate's usual margin."""
POSITION_EVERY = 4


class CameraTrouble(StrEnum):
    """What may be wrong with the pictures."""

    FROZEN = "frozen"
    DARK = "dark"
    OVEREXPOSED = "over-exposed"
    DROPPING = "dropping frames"
    LATE = "late"
    """The frames are handled late, or many are skipped: the computer or the accelerator is too slow."""
    DRIFTING = "drifting"
    BLURRED = "out of focus"
    MOVED = "moved"


DRIFTS = {Drift.LIGHT: CameraTrouble.DRIFTING, Drift.FOCUS: CameraTrouble.BLURRED}


@dataclass(frozen=True, slots=True)
class Notice:
    """A trouble that begins, or ends; `what` says it in figures, `calibrated` whether against the calibration."""

    trouble: CameraTrouble
    began: bool
    what: str = ""
    calibrated: bool = False


@dataclass(frozen=True, slots=True)
class Health:
    """What one frame told. Only a fit frame may go to the tracker."""

    fit: bool
    notices: tuple[Notice, ...] = ()


class FrameHealth:
    """Looks at every frame before the tracker does. Called by one thread.

    Args:
        region_px: the seen belt.
        px_per_mm: its scale.
        along_v: True when the belt moves up or down in the picture.
        frames_per_s: what the camera is asked for.
        calibrated: what the belt looked like when it was calibrated; None: drifts are reckoned from the start.
    """

    def __init__(
        self,
        region_px: Box,
        px_per_mm: float,
        along_v: bool,
        frames_per_s: float,
        calibrated: CalibratedBelt | None = None,
    ) -> None:
        self._region_px = region_px
        self._frames_per_s = frames_per_s
        self._position = MarkPosition(region_px, px_per_mm, along_v)
        self._alarms = {trouble: Alarm(LASTING_FRAMES, LASTING_S) for trouble in CameraTrouble}
        self._drift = BeltDrift(region_px, px_per_mm, along_v, calibrated)
        for trouble in DRIFTS.values():
            self._alarms[trouble] = Alarm(LASTING_FRAMES, DRIFT_S)
        self._alarms[CameraTrouble.MOVED] = Alarm(LASTING_FRAMES, MOVED_S)
        for trouble in (CameraTrouble.DROPPING, CameraTrouble.LATE):
            self._alarms[trouble] = Alarm(1, 0.0, RATE_CLEAR_S)
        self._new: tuple[Measures, float] | None = None
        self._last: Frame | None = None
        self._settled = 0
        self._usual = 0.0
        self._gaps: deque[tuple[float, int, int, float]] = deque()
        """(time, frames missing before it, skipped before it, lateness) of the last frames."""

    def check(self, frame: Frame, now_s: float) -> Health:
        """Takes in the next frame, handled at `now_s` of the clock of its `time_s`."""
        seen = measure(frame.image_bgr, self._region_px)
        notices: list[Notice] = []
        repeated = self._repeated(seen, frame)
        dark = seen.bright < max(DARK_LEVEL, DARK_SHARE * self._usual)
        clipped = seen.clipped_share > CLIPPED_SHARE
        fit = not (repeated or dark or clipped)
        moved_mm = frame.belt_mm - self._new[1] if self._new else 0.0
        self._raise(notices, CameraTrouble.FROZEN, repeated, frame, f"the belt moved {moved_mm:.0f} mm meanwhile")
        self._raise(notices, CameraTrouble.DARK, dark, frame, f"level {seen.bright:.0f}, usually {self._usual:.0f}")
        self._raise(notices, CameraTrouble.OVEREXPOSED, clipped, frame, f"{seen.clipped_share:.0%} of the belt")
        self._check_rate(notices, frame, now_s)
        if not repeated:
            self._new = seen, frame.belt_mm
        if fit:
            self._follow_light(notices, seen, frame)
            self._check_position(notices, frame)
        self._last = frame
        return Health(fit, tuple(notices))

    def _raise(
        self,
        notices: list[Notice],
        trouble: CameraTrouble,
        signal: bool | None,
        frame: Frame,
        what: str,
        calibrated: bool = False,
    ) -> None:
        alarm = self._alarms[trouble]
        if alarm.update(signal, frame.time_s):
            notices.append(Notice(trouble, alarm.on, what if alarm.on else "", calibrated))

    def _repeated(self, seen: Measures, frame: Frame) -> bool | None:
        """Whether the picture came before, though the belt went on; None when it is the same and nothing moved, or
        when it has neither noise nor texture to tell by."""
        if self._new is None or not np.array_equal(seen.samples, self._new[0].samples):
            return False
        return True if seen.busy and frame.belt_mm - self._new[1] >= REPEAT_MM else None

    def _follow_light(self, notices: list[Notice], seen: Measures, frame: Frame) -> None:
        """Learns the usual level slowly, and compares the belt's look with that of the calibration, or of the start."""
        self._settled += 1
        share = max(1 / self._settled, 1 / (FOLLOW_S * self._frames_per_s))
        self._usual += share * (seen.bright - self._usual)
        for drifted in self._drift.follow(seen, frame.image_bgr):
            trouble = DRIFTS[drifted.drift]
            limit = DRIFT_BACK_SHARE if self._alarms[trouble].on else 1.0
            self._raise(notices, trouble, drifted.off > limit, frame, drifted.what, drifted.calibrated)

    def _check_position(self, notices: list[Notice], frame: Frame) -> None:
        if self._settled % POSITION_EVERY:
            return
        shift_mm = self._position.shift_mm(frame.image_bgr)
        moved = None if shift_mm is None else abs(shift_mm) > MOVED_MM
        self._raise(notices, CameraTrouble.MOVED, moved, frame, f"{abs(shift_mm or 0):.1f} mm across the belt")

    def _check_rate(self, notices: list[Notice], frame: Frame, now_s: float) -> None:
        """Frames that the camera left out have no number; those that nobody had time for have one."""
        if self._last is None:
            return
        numbers = frame.index - self._last.index
        passed = round((frame.time_s - self._last.time_s) * self._frames_per_s)
        self._gaps.append((frame.time_s, max(passed - numbers, 0), max(numbers - 1, 0), now_s - frame.time_s))
        if frame.time_s - self._gaps[0][0] < RATE_WINDOW_S:
            return
        while frame.time_s - self._gaps[0][0] > RATE_WINDOW_S:
            self._gaps.popleft()
        _, missing, skipped, late_s = (list(column) for column in zip(*self._gaps, strict=True))
        given, wanted = len(missing), len(missing) + sum(missing)
        share = sum(missing) / wanted
        limit = BACK_SHARE if self._alarms[CameraTrouble.DROPPING].on else MISSING_SHARE
        what = f"{share:.0%} of its frames are missing"
        self._raise(notices, CameraTrouble.DROPPING, share > limit, frame, what)
        overrun, middle_s = sum(skipped) / (given + sum(skipped)), sorted(late_s)[given // 2]
        limit = BACK_SHARE if self._alarms[CameraTrouble.LATE].on else MISSING_SHARE
        what = f"frames are handled {middle_s:.2f} s late and {overrun:.0%} are skipped"
        self._raise(notices, CameraTrouble.LATE, overrun > limit or middle_s > LATE_S, frame, what)
