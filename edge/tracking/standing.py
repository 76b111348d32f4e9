"""Notices a part that stands still in view while the belt goes on: it is jammed.

Dirt and glares stand still as well, but they never moved; only what a confirmed track has become counts.
"""

from __future__ import annotations

from collections.abc import Iterable

from edge.tracking.associate import Extent

JAM_MM = 60.0
"""Belt that passes under it before it counts as jammed: a part that slips or rolls catches up within a few."""
SAME_PLACE_MM = 3.0
LEAST_SEEN = 3
"""Times that it must have been seen there: at few frames a second one part may lie where another lay just before."""
MOST_UNSEEN = 2


class Standing:
    """One part that stands still at a time; more behind it are its queue."""

    def __init__(self) -> None:
        self._extent: Extent | None = None
        self._travel_mm = 0.0
        self._seen = self._unseen = 0
        self._jammed = False

    @property
    def x_mm(self) -> float | None:
        """The station of what is jammed, or None."""
        return self._extent.middle_mm if self._extent and self._jammed else None

    def update(self, stopped: Iterable[Extent], blobs: Iterable[Extent], travel_mm: float, step_mm: float) -> None:
        """Takes in one frame.

        Args:
            stopped: where confirmed tracks were last seen that this frame does not show where they should be.
            blobs: where there is something, wholly in view.
            travel_mm: the belt's travel.
            step_mm: its way since the last frame.
        """
        places = list(blobs)
        if self._extent is not None:
            found = next((place for place in places if _apart_mm(place, self._extent) <= SAME_PLACE_MM), None)
            self._seen += found is not None
            self._unseen = 0 if found else self._unseen + 1
            long_enough = travel_mm - self._travel_mm >= JAM_MM and self._seen >= LEAST_SEEN
            self._jammed = self._jammed or (found is not None and long_enough)
            if self._unseen > MOST_UNSEEN:
                self._extent, self._jammed = None, False
            return
        reach_mm = max(step_mm, 0.0) + SAME_PLACE_MM
        for last in stopped:
            near = next((place for place in places if _apart_mm(place, last) <= reach_mm), None)
            if near is not None:
                self._extent, self._travel_mm, self._seen, self._unseen = near, travel_mm, 0, 0
                return


def _apart_mm(one: Extent, other: Extent) -> float:
    """How far the nearer of their ends lie from each other at most, along and across."""
    along_mm = max(abs(one.lead_mm - other.lead_mm), abs(one.trail_mm - other.trail_mm))
    return max(along_mm, abs(one.y_mm - other.y_mm))
