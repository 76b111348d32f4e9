"""Perfect sight and recognition for the simulated machine: tracks and verdicts straight from the truth about each part.

Feeding, planning, dispatch and physics stay the real ones, so that thousands of parts take a minute and what is
measured is theirs alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from edge.machine import Plans
from edge.records import Frame, Track, TrackState, Verdict
from edge.sim.parts import SimPart
from edge.sim.world import SimWorld

EMPTY = np.zeros(0, np.float32)
PICTURE = np.zeros((1, 1, 3), np.uint8)
CONFIRMED_FRAMES = 3


@dataclass
class SharpEyes:
    """A tracker and a fusion that see every part as it is; two that touch are seen as one that is twofold."""

    world: SimWorld
    plans: Plans
    known: dict[int, tuple[SimPart, ...]] = field(default_factory=dict)
    _frames: dict[int, int] = field(default_factory=dict)
    _ended: set[int] = field(default_factory=set)
    _colours: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._colours = {colour.code: k for k, colour in enumerate(self.plans.colours)}
        camera = self.world.settings.camera
        self._from_mm, self._to_mm = camera.station_mm, camera.station_mm + camera.seen_mm

    def update(self, frame: Frame) -> list[Track]:
        """The tracks of this instant, as a `Tracker` gives them."""
        travel_mm, shift_mm = self.world.belt.travel_mm, frame.belt_mm - self.world.belt.travel_mm
        tracks = []
        for parts in _as_seen(self.world.on_way):
            lead_mm = min(part.lead_belt_mm for part in parts)
            trail_mm = max(part.trail_belt_mm for part in parts)
            track_id = parts[0].part_id + 1
            if travel_mm - lead_mm < self._from_mm or track_id in self._ended:
                continue
            seen = self._frames[track_id] = self._frames.get(track_id, 0) + 1
            self.known[track_id] = parts
            state = TrackState.CONFIRMED if seen >= CONFIRMED_FRAMES else TrackState.TENTATIVE
            if travel_mm - trail_mm >= self._to_mm:
                state = TrackState.FINISHED
                self._ended.add(track_id)
            lead, trail = lead_mm + shift_mm, trail_mm + shift_mm
            length_mm, complete = trail - lead, travel_mm - trail_mm >= self._from_mm
            touching = len(parts) > 1
            tracks.append(
                Track(track_id, state, frame.index - seen, frame.index, lead, trail, parts[0].y_mm, length_mm, 8.0,
                      complete=complete, touching=touching)
            )  # fmt: skip
        return tracks

    def verdict(self, track_id: int) -> Verdict:
        """What the part is, as a `Fusion` says it."""
        parts = self.known[track_id]
        index = self.plans.catalogue.index(parts[0].family)
        posterior = np.zeros(len(self.plans.bundle.parts), np.float32)
        posterior[index or 0] = 1.0
        colours = np.zeros(len(self.plans.colours), np.float32)
        colours[self._colours[parts[0].colour.code]] = 1.0
        twofold = len(parts) > 1
        return Verdict(track_id, posterior, colours, 9, twofold, "touching parts" if twofold else "seen")

    def set_touching(self, track_id: int, touching: bool = True, twofold: float = 0.0) -> None: ...

    def is_touching(self, track_id: int) -> bool:
        return len(self.known[track_id]) > 1

    def set_too_long(self, track_id: int) -> None: ...

    def set_size(self, track_id: int, length_mm: float, width_mm: float) -> None: ...

    def forget(self, track_id: int) -> None: ...


def _as_seen(parts: tuple[SimPart, ...]) -> list[tuple[SimPart, ...]]:
    """Parts that touch lie together."""
    groups: dict[int, list[SimPart]] = {}
    for part in parts:
        home = part.part_id if part.against is None else part.against
        groups.setdefault(home, []).append(part)
    return [tuple(group) for group in groups.values()]
