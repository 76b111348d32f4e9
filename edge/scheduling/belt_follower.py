"""A belt without an encoder: the parts that the camera follows are its measure."""

from __future__ import annotations

from collections import deque
from statistics import median

from edge.hardware.tracked_encoder import TrackedEncoder
from edge.records import SeenMotion

KEPT_SPEEDS = 7
SUDDEN_SHARE = 0.2
"""A speed that differs by more from the usual one is taken at once: the belt stops or starts."""


class BeltFollower:
    """Leads a `TrackedEncoder` by what each frame shows; called by the control loop."""

    def __init__(self, encoder: TrackedEncoder) -> None:
        self._encoder = encoder
        self._belt_mm: float | None = None
        self._time_s = 0.0
        self._speeds_mm_per_s: deque[float] = deque(maxlen=KEPT_SPEEDS)

    def frame(self, time_s: float, belt_mm: float, seen: SeenMotion, now_s: float) -> None:
        """Takes in one frame.

        Args:
            time_s: when it was exposed.
            belt_mm: the travel that it was told.
            seen: the way since the frame before, as its parts show it.
            now_s: now.
        """
        last_mm, last_s = self._belt_mm, self._time_s
        self._belt_mm, self._time_s = belt_mm, time_s
        if last_mm is None or seen.step_mm is None or time_s <= last_s:
            return
        self._belt_mm = last_mm + max(seen.step_mm, 0.0)
        speeds = self._speeds_mm_per_s
        speed = max(seen.step_mm, 0.0) / (time_s - last_s)
        if speeds and abs(speed - median(speeds)) > SUDDEN_SHARE * max(median(speeds), speed):
            speeds.clear()
        speeds.append(speed)
        self._encoder.follow(self._belt_mm, max(now_s - time_s, 0.0), median(speeds))
