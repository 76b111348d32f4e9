"""How parts ride past the camera: by those edges of theirs that lie on the belt.

A part is high, and the camera looks at it aslant: its top seems to go faster than the belt, by 3 % for a brick under a
camera at 300 mm. Its outline is of its foot at the end that looks to the middle of the picture, and of its top at the
other. So a part's leading edge tells the belt's way until it has come to the middle, its trailing edge from there on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from calibration.belt_fit import Way
from edge.records import TOP_VIEW, Box, ImageBgr
from edge.tracking.geometry import BeltGeometry
from edge.tracking.refine import Blob
from edge.tracking.segment import Segmenter

ASIDE_MM = 4.0
SLOWER, FASTER = 0.6, 1.5
"""A part is looked for between these multiples of the way that it should have gone."""
MIDDLE_MM = 10.0
"""On either side of the middle, where neither edge is sure to be that of the foot."""
LEAST_POINTS, LEAST_MM = 4, 25.0
CLEAR_PX = 4
"""What is cut out around a part: its soft shadow goes with it."""


@dataclass(slots=True)
class Ride:
    """One part: when, at which told travel, and where its edges were; NaN for an edge out of view."""

    y_mm: float
    time_s: list[float] = field(default_factory=list)
    told_mm: list[float] = field(default_factory=list)
    lead_mm: list[float] = field(default_factory=list)
    trail_mm: list[float] = field(default_factory=list)

    def ways(self, middle_mm: float) -> list[Way]:
        """What its foot tells of the belt."""
        lead, trail = np.array(self.lead_mm), np.array(self.trail_mm)
        time_s, told_mm = np.array(self.time_s), np.array(self.told_mm)
        found: list[Way] = []
        for edge, good in (
            (lead, lead < middle_mm - MIDDLE_MM),
            (trail, trail > middle_mm + MIDDLE_MM),
        ):
            if good.sum() >= LEAST_POINTS and np.ptp(edge[good]) >= LEAST_MM:
                found.append(Way(time_s[good], told_mm[good], edge[good]))
        return found


class RideWatcher:
    """Follows parts over the frames of an evenly running belt.

    Args:
        geometry: of the straightened picture.
        min_area_mm2: smaller things are no parts.
        mm_per_s: about the belt's speed.
    """

    def __init__(self, geometry: BeltGeometry, min_area_mm2: float, mm_per_s: float) -> None:
        self._geometry = geometry
        self._segmenter = Segmenter(TOP_VIEW, geometry, min_area_mm2)
        self._mm_per_s = mm_per_s
        self._open: list[Ride] = []
        self._last_s: float | None = None
        self.rides: list[Ride] = []
        """All that were begun."""

    @property
    def ways(self) -> list[Way]:
        """What all the rides tell."""
        middle_mm = (self._geometry.start_mm + self._geometry.end_mm) / 2
        return [way for ride in self.rides for way in ride.ways(middle_mm)]

    def take(self, image_bgr: ImageBgr, time_s: float, told_mm: float) -> list[Box]:
        """Takes in the next straightened picture; where it shows parts, in px of the picture."""
        step_mm = 0.0 if self._last_s is None else (time_s - self._last_s) * self._mm_per_s
        self._last_s = time_s
        blobs = self._segmenter.find(image_bgr, step_mm)
        going: list[Ride] = []
        for blob in blobs:
            ride = self._continued(blob, step_mm, going) or self._begun(blob)
            ride.time_s.append(time_s)
            ride.told_mm.append(told_mm)
            ride.lead_mm.append(np.nan if blob.cut_lead else blob.detection.lead_x_mm)
            ride.trail_mm.append(np.nan if blob.cut_trail else blob.detection.trail_x_mm)
            going.append(ride)
        self._open = going
        return [_grown(blob.detection.box_px) for blob in blobs]

    def _continued(self, blob: Blob, step_mm: float, taken: Sequence[Ride]) -> Ride | None:
        detection = blob.detection
        for ride in self._open:
            if ride in taken or abs(detection.y_mm - ride.y_mm) > ASIDE_MM:
                continue
            ways_mm = (detection.lead_x_mm - ride.lead_mm[-1], detection.trail_x_mm - ride.trail_mm[-1])
            known = [way_mm for way_mm in ways_mm if not np.isnan(way_mm)]
            if known and all(SLOWER * step_mm <= way_mm <= FASTER * step_mm for way_mm in known):
                return ride
        return None

    def _begun(self, blob: Blob) -> Ride:
        ride = Ride(blob.detection.y_mm)
        self.rides.append(ride)
        return ride


def _grown(box: Box) -> Box:
    u0, v0, u1, v1 = box
    return max(u0 - CLEAR_PX, 0), max(v0 - CLEAR_PX, 0), u1 + CLEAR_PX, v1 + CLEAR_PX
