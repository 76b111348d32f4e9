"""From pixels of a region to stations along the belt and places across it."""

from __future__ import annotations

from dataclasses import dataclass

from edge.records import Box
from edge.tracking.settings import BeltDirection

EDGE_PX = 2
"""A blob this close to its region's border may go on unseen beyond it."""


@dataclass(frozen=True, slots=True)
class BeltGeometry:
    """One region of the picture; its upstream edge is at station `start_mm`."""

    region_px: Box
    direction: BeltDirection
    px_per_mm: float
    start_mm: float = 0.0

    @property
    def along_v(self) -> bool:
        """True when the belt moves up or down in the picture."""
        return self.direction in ("up", "down")

    @property
    def end_mm(self) -> float:
        """Station of the downstream edge."""
        u0, v0, u1, v1 = self.region_px
        return self.start_mm + ((v1 - v0) if self.along_v else (u1 - u0)) / self.px_per_mm

    def stations_mm(self, u0_px: float, v0_px: float, u1_px: float, v1_px: float) -> tuple[float, float]:
        """Lead and trail station of a box in picture pixels; lead > trail."""
        left, top, right, bottom = self.region_px
        match self.direction:
            case "right":
                lead, trail = u1_px - left, u0_px - left
            case "left":
                lead, trail = right - u0_px, right - u1_px
            case "down":
                lead, trail = v1_px - top, v0_px - top
            case "up":
                lead, trail = bottom - v0_px, bottom - v1_px
        return lead / self.px_per_mm + self.start_mm, trail / self.px_per_mm + self.start_mm

    def across_mm(self, u_px: float, v_px: float) -> float:
        """Place across the belt, 0 in the middle, positive to the right of the way it moves."""
        left, top, right, bottom = self.region_px
        match self.direction:
            case "right":
                offset_px = v_px - (top + bottom) / 2
            case "left":
                offset_px = (top + bottom) / 2 - v_px
            case "down":
                offset_px = (left + right) / 2 - u_px
            case "up":
                offset_px = u_px - (left + right) / 2
        return offset_px / self.px_per_mm

    def cut_sides(self, box_px: Box) -> tuple[bool, bool, bool]:
        """Whether a box touches the downstream border (its lead is unseen), the upstream border (its trail is unseen)
        and a border beside the belt."""
        u0, v0, u1, v1 = box_px
        left, top, right, bottom = self.region_px
        touches = {
            "left": u0 - left < EDGE_PX,
            "up": v0 - top < EDGE_PX,
            "right": right - u1 < EDGE_PX,
            "down": bottom - v1 < EDGE_PX,
        }
        opposite = {"left": "right", "right": "left", "up": "down", "down": "up"}[self.direction]
        beside = any(hit for side, hit in touches.items() if side not in (self.direction, opposite))
        return touches[self.direction], touches[opposite], beside
