"""Whether the belt still looks as it did when the machine was calibrated, or when the run began: its colour, how bright
it is, and how sharp.

The belt around each part serves as its white, so a small drift costs nothing; a larger one makes colours wrong, or says
that the lens or the lamp has been touched.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from edge.capture.measures import Floats, Measures, profile_across
from edge.config.calibration import Calibration
from edge.records import Box, Picture

SETTLE_FRAMES = 12
SMOOTHING = 0.08
BRIGHT = (0.6, 1.6)
BALANCE = 0.25
"""Change of level against the start; up to there the belt around each part serves as its white."""
CALIBRATED_BRIGHT = (0.75, 1.33)
CALIBRATED_BALANCE = 0.10
"""Change of linear light against the calibration, of red or blue against green: a lamp of 4,700 K after one of 5,500 K
takes 15 % of the blue and adds 13 % of red. A camera that is locked, under a steady lamp, differs by 3 %."""
WIDER, WIDER_PX = 1.5, 0.5
"""An edge that is so much wider, and by at least so many px, is out of focus."""
EDGE_SMOOTHING = 0.04
EDGE_REACH_MM, EDGE_HALF_PX = 8.0, 7
LEAST_STEP = 12.0
"""Levels from the rail to the belt; a fainter edge tells nothing about the lens."""
EDGE_EVERY = 6


class Drift(StrEnum):
    """What may have drifted."""

    LIGHT = "light"
    FOCUS = "focus"


@dataclass(frozen=True, slots=True)
class CalibratedBelt:
    """What the belt looked like when it was calibrated; what is None is compared with the start of the run.

    Attributes:
        belt_bgr: levels of the bare belt.
        edge_px: how wide its edges were, as `EdgeWidth` has it.
    """

    belt_bgr: tuple[float, float, float] | None = None
    edge_px: float | None = None

    @classmethod
    def of(cls, calibration: Calibration) -> CalibratedBelt:
        """What was calibrated; the edges' width only of the camera as it is locked now."""
        camera, belt = calibration.camera, calibration.belt
        sharp = belt is not None and (camera is None or belt.made_at >= camera.made_at)
        return cls(camera.belt_bgr if camera else None, belt.edge_px if belt and sharp else None)


@dataclass(frozen=True, slots=True)
class Drifted:
    """How far something is off: `off` of 1 is where it counts as drifted; `calibrated`, against the calibration."""

    drift: Drift
    off: float
    what: str
    calibrated: bool


class BeltDrift:
    """Follows the belt's look from frame to frame; one thread.

    Args:
        region_px: the seen belt.
        px_per_mm: its scale.
        along_v: True when the belt moves up or down in the picture.
        calibrated: what it is compared with.
    """

    def __init__(
        self, region_px: Box, px_per_mm: float, along_v: bool, calibrated: CalibratedBelt | None = None
    ) -> None:
        self._calibrated = calibrated or CalibratedBelt()
        self._edge = EdgeWidth(region_px, px_per_mm, along_v)
        self._start_bgr: Floats | None = None
        self._start_px: float | None = None
        self._now_bgr: Floats = np.zeros(3, np.float32)
        self._frames = 0

    def follow(self, seen: Measures, picture: Picture) -> list[Drifted]:
        """Takes in a frame that shows the belt; what can be said of it."""
        self._frames += 1
        self._now_bgr += np.float32(max(1 / self._frames, SMOOTHING)) * (seen.median_bgr - self._now_bgr)
        if self._frames % EDGE_EVERY == 1:
            self._edge.take(picture)
        if self._frames < SETTLE_FRAMES:
            return []
        if self._start_bgr is None:
            self._start_bgr = self._now_bgr.copy()
        return [self._light(self._start_bgr), *self._focus()]

    def _light(self, start_bgr: Floats) -> Drifted:
        if self._calibrated.belt_bgr is None:
            blue, green, red = ((self._now_bgr + 1) / (start_bgr + 1)).tolist()
            bright, balance = BRIGHT, BALANCE
        else:
            then = np.array(self._calibrated.belt_bgr, np.float32)
            blue, green, red = (_light_of(self._now_bgr) / _light_of(then)).tolist()
            bright, balance = CALIBRATED_BRIGHT, CALIBRATED_BALANCE
        off = max(
            math.log(green) / math.log(bright[1 if green > 1 else 0]),
            abs(red / green - 1) / balance,
            abs(blue / green - 1) / balance,
        )
        what = f"brightness × {green:.2f}, red × {red / green:.2f} and blue × {blue / green:.2f} against green"
        return Drifted(Drift.LIGHT, off, what, self._calibrated.belt_bgr is not None)

    def _focus(self) -> list[Drifted]:
        now_px = self._edge.width_px
        if now_px is None:
            return []
        if self._start_px is None and self._edge.settled:
            self._start_px = now_px
        known = self._calibrated.edge_px is not None
        then_px = self._calibrated.edge_px if known else self._start_px
        if then_px is None:
            return []
        off = min((now_px / then_px - 1) / (WIDER - 1), (now_px - then_px) / WIDER_PX)
        return [Drifted(Drift.FOCUS, off, f"the belt's edges are {now_px / then_px:.1f} times as wide", known)]


class EdgeWidth:
    """How wide the edges between belt and rails are, over many frames: that goes with the focus alone, not with the
    belt's motion, its texture or the light."""

    def __init__(self, region_px: Box, px_per_mm: float, along_v: bool) -> None:
        self._along_v = along_v
        self._sides = (region_px[0], region_px[2]) if along_v else (region_px[1], region_px[3])
        self._reach = max(round(EDGE_REACH_MM * px_per_mm), EDGE_HALF_PX + 1)
        self._mean: Floats | None = None
        self._taken = 0

    @property
    def settled(self) -> bool:
        """Whether so many frames went in that parts and noise hardly count."""
        return self._taken * EDGE_SMOOTHING >= 1

    def take(self, picture: Picture) -> None:
        """Takes in a frame."""
        profile = profile_across(picture, self._along_v)
        self._taken += 1
        mean = profile if self._mean is None else self._mean
        share = np.float32(max(1 / self._taken, EDGE_SMOOTHING))
        self._mean = (mean + share * (profile - mean)).astype(np.float32)

    @property
    def width_px(self) -> float | None:
        """Standard deviation of the clearer edge's spread: of a Gaussian step with slopes g it is
        (Σ g)² ÷ (2 √π Σ g²). None where no edge is clear."""
        if self._mean is None:
            return None
        edges = [edge for side in self._sides if (edge := self._edge(self._mean, side)) is not None]
        return min(edges, key=lambda edge: -edge[0])[1] if edges else None

    def _edge(self, slopes: Floats, side: int) -> tuple[float, float] | None:
        """(height in levels, width) of the strongest edge near a side of the region."""
        low, high = max(side - self._reach, EDGE_HALF_PX), min(side + self._reach, len(slopes) - EDGE_HALF_PX)
        if high <= low:
            return None
        at = low + int(np.abs(slopes[low:high]).argmax())
        own = slopes[at - EDGE_HALF_PX : at + EDGE_HALF_PX + 1].astype(np.float64)
        height = abs(float(own.sum()))
        if height < LEAST_STEP:
            return None
        return height, height**2 / (2 * math.sqrt(math.pi) * float((own**2).sum()))


def _light_of(levels: Floats) -> Floats:
    """Linear light of sRGB levels (IEC 61966-2-1), away from 0."""
    coded = np.maximum(levels, 1.0) / 255
    return np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4).astype(np.float32)
