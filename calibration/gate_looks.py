"""Parts on their way to the gates, from a picture now and then: each is seen whole about twice, which will do."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from calibration.rig import Rig
from calibration.step import RefusedError
from edge.tracking.associate import extent_of
from edge.tracking.geometry import BeltGeometry
from edge.tracking.segment import Segmenter
from edge.tracking.settings import tracking_settings

LONGEST_MM, LATE_MM = 40.0, 15.0
"""Parts are not longer than that, and a look comes so much late at most: each part is seen whole at least once."""
WARM_UP_FRAMES = 5
MOVED_MM = 20.0
"""What was seen in two places so far apart, as the belt goes, is a part; a reflection stays where it is."""
SAME_MM = 9.0
"""What is seen so near to where a part should be is that part: a high one seems to go faster than the belt."""
UNEVEN_MM = 1.5
"""Half of a part's length does not differ by more from look to look, or something was taken for a part of it."""
LOOK_MM = 20.0
"""A look counts for so much of the belt's way at most, in learning what belongs to the bare scene: the belt goes on by
more in between, and where each part is looked at last, another one lies at the next look."""

APART_MM, KEPT = 60.0, 60
"""Two looks this far apart tell how a part's seeming place changes over the view; so many pairs are kept."""


@dataclass(slots=True)
class Ride:
    """One part on the belt.

    Attributes:
        looks: of each look at the whole part: the middle's station, the middle's `x_belt_mm`, and half its length.
        single: False for what was seen to be two, or was cut off in the picture.
    """

    number: int
    looks: list[tuple[float, float, float]] = field(default_factory=list)
    single: bool = True

    @property
    def x_belt_mm(self) -> float:
        return self.looks[-1][1]

    @property
    def half_mm(self) -> float:
        return max(half_mm for _, _, half_mm in self.looks)

    @property
    def confirmed(self) -> bool:
        return self.looks[-1][0] - self.looks[0][0] > MOVED_MM

    @property
    def even(self) -> bool:
        """Whether it looked about as long each time."""
        return self.half_mm - min(half_mm for _, _, half_mm in self.looks) < UNEVEN_MM

    @property
    def station_mm(self) -> float:
        """Of its middle at the last look."""
        return self.looks[-1][0]


class GateLooks:
    """Finds parts in sparse frames.

    Args:
        rig: its belt at rest, nothing on it.
        scale: what the encoder's travel is to be multiplied by.
        travel_mm: gives the belt's travel, so scaled.
    """

    def __init__(self, rig: Rig, scale: float, travel_mm: Callable[[], float]) -> None:
        settings = tracking_settings(rig.config)
        self._rig, self._scale, self._travel_mm = rig, scale, travel_mm
        self._geometry = BeltGeometry(
            settings.belt_region_px, settings.belt_direction, settings.px_per_mm, settings.station_mm
        )
        self._min_area_mm2 = settings.min_area_mm2
        self._segmenter = self._new_segmenter()
        self._last_mm: float | None = None
        self._numbers = 0
        self._slopes: deque[float] = deque(maxlen=KEPT)
        self.rides: list[Ride] = []
        self.period_s = 1 / rig.config.camera.frames_per_s

    def _new_segmenter(self) -> Segmenter:
        return Segmenter("top", self._geometry, self._min_area_mm2)

    def begin(self) -> None:
        """Learns the bare belt, which runs, anew."""
        self._segmenter, self._last_mm = self._new_segmenter(), None
        for _ in range(WARM_UP_FRAMES):
            self.look()
        self.rides.clear()

    def next_mm(self, travel_mm: float) -> float:
        """The travel at which the next look is due: when the first part that is yet to be confirmed is about to leave
        the view, or so that no part slips through."""
        last_mm = self.end_mm - LATE_MM - LONGEST_MM / 2
        due_mm = [ride.x_belt_mm + last_mm for ride in self.rides if not ride.confirmed]
        due_mm = [mm for mm in due_mm if mm > travel_mm - MOVED_MM]
        most_mm = travel_mm + self._rig.config.camera.seen_mm - LONGEST_MM - LATE_MM
        return max(min([*due_mm, most_mm]), travel_mm + MOVED_MM + 5.0)

    def real(self, travel_mm: float) -> list[Ride]:
        """The parts: confirmed, or still to be."""
        return [ride for ride in self.rides if ride.confirmed or travel_mm - ride.x_belt_mm < self.end_mm]

    @property
    def centre_mm(self) -> float:
        return (self._geometry.start_mm + self._geometry.end_mm) / 2

    @property
    def end_mm(self) -> float:
        return self._geometry.end_mm

    def middle_mm(self, ride: Ride) -> float:
        """A part's middle's `x_belt_mm` as it would look in the middle of the view. Seen from aslant a part seems to
        lie further out than it does, by its height; by how much is learned from those that are seen twice."""
        slope = float(np.median(self._slopes)) if self._slopes else 0.0
        return float(np.mean([x_mm - slope * (station_mm - self.centre_mm) for station_mm, x_mm, _ in ride.looks]))

    def look(self) -> None:
        """Takes one frame, and finds or goes on with what is in it.

        Raises:
            RefusedError: a recording has ended.
        """
        frame = next(self._rig.straight_frames(1), None)
        if frame is None:
            raise RefusedError("gates: gates cannot be tried on a recording: calibrate the machine itself")
        now_mm = frame.belt_mm * self._scale
        self._travel_mm()
        step_mm = now_mm - self._last_mm if self._last_mm is not None else 0.0
        self._last_mm = now_mm
        for blob in self._segmenter.find(frame.image_bgr, min(step_mm, LOOK_MM)):
            extent = extent_of(blob, self._geometry)
            middle_mm = (extent.lead_mm + extent.trail_mm) / 2
            if not (extent.cut_lead or extent.cut_trail):
                half_mm = (extent.lead_mm - extent.trail_mm) / 2
                ride = self._ride(now_mm - middle_mm)
                self._learn(ride, middle_mm, now_mm - middle_mm)
                ride.looks.append((middle_mm, now_mm - middle_mm, half_mm))
                ride.single = ride.single and ride.even and not blob.twofold and half_mm < LONGEST_MM / 2

    def _learn(self, ride: Ride, station_mm: float, x_belt_mm: float) -> None:
        if ride.looks and station_mm - ride.station_mm > APART_MM:
            self._slopes.append((x_belt_mm - ride.x_belt_mm) / (station_mm - ride.station_mm))

    def _ride(self, x_belt_mm: float) -> Ride:
        near = [ride for ride in self.rides if abs(ride.x_belt_mm - x_belt_mm) < SAME_MM]
        if near:
            return min(near, key=lambda ride: abs(ride.x_belt_mm - x_belt_mm))
        self._numbers += 1
        self.rides.append(Ride(self._numbers))
        return self.rides[-1]
