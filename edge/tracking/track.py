"""What is known of one part while it rides past the camera."""

from __future__ import annotations

import math
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from statistics import fmean, median

from edge.records import Look, Track, TrackState
from edge.tracking.associate import Extent

HISTORY = 24
PENDING_LOOKS = 8
MOVED_MM = 4.0
MOVED_SHARE = 0.6
"""Before it counts, a part must have moved this far, and this share of the belt's way."""
LOOK_STEP_MM = 2.0
"""A look from nearer to the last one shows nothing new (the belt stands)."""
TWOFOLD_SHARE = 0.5
MOST_JUDGED, LIKENESS_EVERY = 8, 2


@dataclass(slots=True)
class Measurement:
    """One blob, as a track takes it in."""

    extent: Extent
    length_mm: float
    width_mm: float
    whole: bool
    twofold: bool | None
    """None when it was not looked into."""
    twofoldness: float | None = None


@dataclass(slots=True)
class LiveTrack:
    """A part being followed. Travel is the tracker's own measure of the belt's way, `Frame.belt_mm` or better."""

    track_id: int
    first_frame: int
    start_travel_mm: float
    last_frame: int = 0
    last_travel_mm: float = 0.0
    state: TrackState = TrackState.TENTATIVE
    extent: Extent = field(default_factory=lambda: Extent(0, 0, 0, 0))
    """Where it was when last seen, at `last_travel_mm`."""
    hits: int = 0
    missed: int = 0
    moved_mm: float = 0.0
    merged: int = 0
    twofold: int = 0
    judged: int = 0
    likeness: list[float] = field(default_factory=list)
    """How much it looked like two parts, each time it was judged."""
    whole: bool = False
    too_long: bool = False
    """Seen from one edge of the picture to the other."""
    ends_mm: tuple[float, float] = (math.inf, -math.inf)
    """Of a part that was never seen whole: the furthest that it reached so far, ahead and behind."""
    pending: list[Look] = field(default_factory=list)
    looks: Counter[str] = field(default_factory=Counter)
    looked: Counter[str] = field(default_factory=Counter)
    """Looks that were taken from each view, those that were dropped again as well."""
    look_travel_mm: dict[str, float] = field(default_factory=dict)
    leads_mm: deque[float] = field(default_factory=lambda: deque(maxlen=HISTORY))
    trails_mm: deque[float] = field(default_factory=lambda: deque(maxlen=HISTORY))
    lengths_mm: deque[float] = field(default_factory=lambda: deque(maxlen=HISTORY))
    widths_mm: deque[float] = field(default_factory=lambda: deque(maxlen=HISTORY))
    across_mm: deque[float] = field(default_factory=lambda: deque(maxlen=HISTORY))

    @property
    def touching(self) -> bool:
        """Merged with another part, or most of the time of a shape or colours that only two parts make."""
        return self.merged >= 2 or (self.twofold >= 2 and self.twofold >= TWOFOLD_SHARE * self.judged)

    @property
    def judged_enough(self) -> bool:
        """Whether its shape and colours need no more looking into."""
        return self.judged >= MOST_JUDGED

    @property
    def weight(self) -> float:
        """Its say in the vote on the common motion."""
        return 3.0 if self.state is TrackState.CONFIRMED else min(self.hits, 2)

    def expected(self, travel_mm: float) -> Extent:
        """Where it lies when the belt has come to `travel_mm`."""
        return self.extent.moved(travel_mm - self.last_travel_mm)

    def see(self, measurement: Measurement, frame_index: int, travel_mm: float, step_mm: float) -> None:
        """Takes in a blob that continues it; `step_mm` is the way it made since it was last seen."""
        if measurement.whole and not self.whole:
            self._forget_partial()
            self.whole = True
        self._hit(measurement.extent, frame_index, travel_mm, step_mm)
        if measurement.twofold is not None:
            self.judged += 1
            self.twofold += measurement.twofold
        if measurement.twofoldness is not None:
            self.likeness.append(measurement.twofoldness)
        if not self.whole:
            lead_mm, trail_mm = travel_mm - measurement.extent.lead_mm, travel_mm - measurement.extent.trail_mm
            self.ends_mm = min(self.ends_mm[0], lead_mm), max(self.ends_mm[1], trail_mm)
        if measurement.whole or not self.whole:
            self.leads_mm.append(travel_mm - measurement.extent.lead_mm)
            self.trails_mm.append(travel_mm - measurement.extent.trail_mm)
            self.lengths_mm.append(measurement.length_mm)
            self.widths_mm.append(measurement.width_mm)
            self.across_mm.append(measurement.extent.y_mm)

    def see_merged(self, frame_index: int, travel_mm: float) -> None:
        """It is somewhere in a blob that holds more than itself: the belt carries it on."""
        step_mm = travel_mm - self.last_travel_mm
        self._hit(self.expected(travel_mm), frame_index, travel_mm, step_mm)
        self.merged += 1

    def ready(self, confirm_hits: int) -> bool:
        """Whether it was seen often enough, moving with the belt."""
        way_mm = self.last_travel_mm - self.start_travel_mm
        return self.hits >= confirm_hits and self.moved_mm >= max(MOVED_MM, MOVED_SHARE * way_mm)

    def wants_look(self, view: str, travel_mm: float, most: int) -> bool:
        """Whether another look from a view would tell anything new."""
        if self.looks[view] >= most:
            return False
        last = self.look_travel_mm.get(view)
        return last is None or travel_mm - last >= LOOK_STEP_MM

    def add_look(self, look: Look, travel_mm: float) -> None:
        self.pending.append(replace(look, number=self.looked[look.view]))
        self.looked[look.view] += 1
        self.looks[look.view] += 1
        self.look_travel_mm[look.view] = travel_mm
        if self.state is TrackState.TENTATIVE and len(self.pending) > PENDING_LOOKS:
            self.looks[self.pending.pop(0).view] -= 1

    def record(self, belt_mm: float, travel_mm: float) -> Track:
        """The track as the other stages see it, in the belt coordinate of `Frame.belt_mm`; hands its looks over once it
        is confirmed."""
        looks: tuple[Look, ...] = ()
        if self.state in (TrackState.CONFIRMED, TrackState.FINISHED):
            looks, self.pending = tuple(self.pending), []
        shift_mm = belt_mm - travel_mm
        lead_mm, trail_mm = (fmean(self.leads_mm), fmean(self.trails_mm)) if self.whole else self.ends_mm
        return Track(
            track_id=self.track_id,
            state=self.state,
            first_frame=self.first_frame,
            last_frame=self.last_frame,
            lead_belt_mm=lead_mm + shift_mm,
            trail_belt_mm=trail_mm + shift_mm,
            y_mm=fmean(self.across_mm),
            length_mm=median(self.lengths_mm),
            width_mm=median(self.widths_mm),
            looks=looks,
            complete=self.whole,
            touching=self.touching,
            twofold=median(self.likeness) if len(self.likeness) >= 2 else 0.0,
            across_mm=self.extent.right_mm - self.extent.left_mm,
            too_long=self.too_long,
        )

    def _hit(self, extent: Extent, frame_index: int, travel_mm: float, step_mm: float) -> None:
        self.extent = extent
        self.last_frame, self.last_travel_mm = frame_index, travel_mm
        self.hits += 1
        self.missed = 0
        self.moved_mm += step_mm

    def _forget_partial(self) -> None:
        for history in (self.leads_mm, self.trails_mm, self.lengths_mm, self.widths_mm, self.across_mm):
            history.clear()
