"""How far apart the parts come, measured on the belt, and whether the belt under the feeder is free."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from edge.records import Frame, Track, TrackState

MEMORY_PARTS = 12.0
"""Means fade over so many parts."""
MEMORY_FRAMES = 12.0
LEAST_STEP_S = 1e-3


@dataclass(frozen=True, slots=True)
class Gap:
    """Free belt between a part's leading edge and the trailing edge of the one before it, below 0 where they lie side
    by side; `seconds` is inf while the belt stands."""

    mm: float
    seconds: float


class Spacing:
    """Measures gaps between confirmed tracks, and how many parts come a minute."""

    def __init__(self) -> None:
        self._last: Frame | None = None
        self._mm_per_s = 0.0
        self._trail_mm: float | None = None
        self._part_s: float | None = None
        self._interval_s: float | None = None
        self._gap_mm: float | None = None

    @property
    def mm_per_s(self) -> float:
        """The belt's speed between frames."""
        return self._mm_per_s

    @property
    def mean_gap_mm(self) -> float | None:
        """Mean gap of the last dozen parts; None before the second."""
        return self._gap_mm

    def arrivals_per_min(self, now_s: float) -> float | None:
        """Parts that come a minute: by the mean interval of the last dozen, or by the one that lasts already when that
        is longer. None before the second part."""
        if self._interval_s is None or self._part_s is None:
            return None
        return 60 / max(self._interval_s, now_s - self._part_s, LEAST_STEP_S)

    def see(self, frame: Frame, tracks: Iterable[Track]) -> list[Gap]:
        """Takes in a frame's tracks.

        Returns:
            The gap before each part that has left the view with this frame.
        """
        self._measure_speed(frame)
        ended = [track for track in tracks if track.state is TrackState.FINISHED]
        return [gap for track in sorted(ended, key=lambda t: t.lead_belt_mm) if (gap := self._gap(track, frame))]

    def _measure_speed(self, frame: Frame) -> None:
        last, self._last = self._last, frame
        if last is None or frame.time_s - last.time_s < LEAST_STEP_S:
            return
        speed = (frame.belt_mm - last.belt_mm) / (frame.time_s - last.time_s)
        self._mm_per_s = speed if not self._mm_per_s else self._mm_per_s + (speed - self._mm_per_s) / MEMORY_FRAMES

    def _gap(self, track: Track, frame: Frame) -> Gap | None:
        before_mm, before_s = self._trail_mm, self._part_s
        self._trail_mm = track.trail_belt_mm if before_mm is None else max(before_mm, track.trail_belt_mm)
        self._part_s = frame.time_s
        if before_mm is None or before_s is None:
            return None
        gap_mm = track.lead_belt_mm - before_mm
        self._gap_mm = _faded(self._gap_mm, gap_mm)
        self._interval_s = _faded(self._interval_s, frame.time_s - before_s)
        return Gap(gap_mm, gap_mm / self._mm_per_s if self._mm_per_s > 0 else math.inf)


def nearest_trail_mm(frame: Frame, tracks: Iterable[Track], view_from_mm: float) -> float:
    """Station of the trailing edge of the part that came last; where the view begins while a part is still coming into
    it, inf when there is none."""
    stations = (
        frame.belt_mm - track.trail_belt_mm if track.complete else view_from_mm
        for track in tracks
        if track.state in (TrackState.TENTATIVE, TrackState.CONFIRMED)
    )
    return min(stations, default=math.inf)


def _faded(mean: float | None, value: float) -> float:
    return value if mean is None else mean + (value - mean) / MEMORY_PARTS
