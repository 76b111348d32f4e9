"""How far apart the parts come, measured on the belt, and whether the belt under the feeder is free."""

from __future__ import annotations

import math
from collections.abc import Iterable

from edge.records import Frame, Track, TrackState

MEMORY_PARTS = 12.0
"""Means fade over so many parts."""
LEAST_STEP_S = 1e-3


class Spacing:
    """Measures gaps between confirmed tracks, and how many parts come a minute."""

    def __init__(self) -> None:
        self._trail_mm: float | None = None
        self._part_s: float | None = None
        self._interval_s: float | None = None
        self._gap_mm: float | None = None

    @property
    def mean_gap_mm(self) -> float | None:
        """Mean of the free belt between each of the last dozen parts and the trailing edge of the one before it, below
        0 where they lie side by side; None before the second part."""
        return self._gap_mm

    def arrivals_per_min(self, now_s: float) -> float | None:
        """Parts that come a minute: by the mean interval of the last dozen, or by the one that lasts already when that
        is longer. None before the second part."""
        if self._interval_s is None or self._part_s is None:
            return None
        return 60 / max(self._interval_s, now_s - self._part_s, LEAST_STEP_S)

    def see(self, frame: Frame, tracks: Iterable[Track]) -> None:
        """Takes in a frame's tracks: those count that have left the view with it."""
        ended = [track for track in tracks if track.state is TrackState.FINISHED]
        for track in sorted(ended, key=lambda t: t.lead_belt_mm):
            self._measure(track, frame.time_s)

    def _measure(self, track: Track, time_s: float) -> None:
        before_mm, before_s = self._trail_mm, self._part_s
        self._trail_mm = track.trail_belt_mm if before_mm is None else max(before_mm, track.trail_belt_mm)
        self._part_s = time_s
        if before_mm is not None and before_s is not None:
            self._gap_mm = _faded(self._gap_mm, track.lead_belt_mm - before_mm)
            self._interval_s = _faded(self._interval_s, time_s - before_s)


def nearest_trail_mm(frame: Frame, tracks: Iterable[Track], view_from_mm: float) -> float:
    """Station of the trailing edge of the part that came last; where the view begins while a part is still coming into
    it, inf when there is none."""
    stations = (
        frame.belt_mm - track.trail_belt_mm if track.complete else view_from_mm
        for track in tracks
        if track.state.may_be_in_view
    )
    return min(stations, default=math.inf)


def _faded(mean: float | None, value: float) -> float:
    return value if mean is None else mean + (value - mean) / MEMORY_PARTS
