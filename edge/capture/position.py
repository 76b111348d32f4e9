"""Notices a camera that was knocked: the rails beside the belt are no longer where they were.

Only a shift across the belt's way can be seen so. Along it the belt itself moves, and what stands still there (the
rails) looks the same everywhere.
"""

from __future__ import annotations

import numpy as np

from edge.capture.measures import Floats, profile_across
from edge.records import Box, Picture

REACH_MM = 15.0
RIM_MM = 4.0
"""Of the region's own rim that belongs to the mark: the step from the rail to the belt."""
LEARN_FRAMES = 8
SMOOTHING = 0.25
LEAST_EDGE = 5.0
"""Levels that the strongest edge must have: fainter ones are no mark to go by."""
LEAST_LIKENESS = 0.7
LIKENESS_GAIN = 0.15
"""A shift must explain the picture by so much better than none."""


class MarkPosition:
    """Measures the shift of the belt's surroundings against the first pictures. Not thread-safe."""

    def __init__(self, region_px: Box, px_per_mm: float, along_v: bool) -> None:
        self._along_v = along_v
        self._px_per_mm = px_per_mm
        self._sides = (region_px[0], region_px[2]) if along_v else (region_px[1], region_px[3])
        self._reach = max(round(REACH_MM * px_per_mm), 1)
        self._rim = round(RIM_MM * px_per_mm)
        self._frames = 0
        self._mean: Floats | None = None
        self._mark: Floats | None = None

    def shift_mm(self, picture: Picture) -> float | None:
        """How far the surroundings have moved across the belt; None while, or where, there is nothing to go by."""
        profile = profile_across(picture, self._along_v)
        self._frames += 1
        share = max(1 / self._frames, SMOOTHING)
        mean = profile if self._mean is None else self._mean
        self._mean = mean = (mean + share * (profile - mean)).astype(np.float32)
        if self._mark is None:
            if self._frames >= LEARN_FRAMES:
                self._mark = self._surroundings(mean)
            return None
        return self._match(self._mark, mean)

    def _surroundings(self, profile: Floats) -> Floats:
        mark = profile.copy()
        low, high = self._sides
        mark[max(low + self._rim, 0) : max(high - self._rim, 0)] = 0
        return mark if np.abs(mark).max(initial=0.0) >= LEAST_EDGE else np.zeros_like(mark)

    def _match(self, mark: Floats, profile: Floats) -> float | None:
        if not mark.any():
            return None
        padded = np.pad(profile, self._reach)
        windows = np.lib.stride_tricks.sliding_window_view(padded, len(mark))
        where = mark != 0
        seen = windows[:, where]
        energy = np.sqrt((seen * seen).sum(axis=1) * (mark[where] ** 2).sum()) + 1e-6
        likeness = seen @ mark[where] / energy
        best = int(likeness.argmax())
        if likeness[best] < LEAST_LIKENESS:
            return None
        if likeness[best] < likeness[self._reach] + LIKENESS_GAIN:
            return 0.0
        return (best - self._reach) / self._px_per_mm
