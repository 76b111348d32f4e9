"""What the plane step fits, whatever it measures with: the camera's lean, lens and scale, and the belt's way."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.lens import FOCAL_SHARE, Lens
from calibration.step import RefusedError

Doubles = NDArray[np.float64]

VARIES = np.array([0.05, 0.03, 0.03, 0.05, 0.05, 0.15])
"""By how much the parameters of a view vary: the logarithm of px_per_mm, both leans, k1, k2, the logarithm of the focal
length."""
LIKELY = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 1 / 0.15])
"""How strongly each is held where it is likeliest. Only the focal length is: a belt alone hardly shows it."""
LEAST_WAY_MM = 15.0
"""Way of the belt from which its direction is known to a fifth of a degree."""
AHEAD = {"right": 0.0, "down": math.pi / 2, "left": math.pi, "up": -math.pi / 2}
MOST_YAW = math.radians(20)


@dataclass(frozen=True, slots=True)
class View:
    """A lens above the belt, and the scale of what it sees in its middle."""

    lens: Lens
    px_per_mm: float

    def mm(self, raw_px: Doubles) -> Doubles:
        """(N, 2) mm on the belt from the point in the middle."""
        return self.lens.on_belt(raw_px) / self.px_per_mm


def view_of(parameters: Doubles, size_px: tuple[int, int], px_per_mm: float) -> View:
    """The view of the parameters (6,) in units of nature; 0 is a camera that looks straight down at `px_per_mm`."""
    log_scale, right, down, k1, k2, log_focal = (float(value) for value in parameters[:6])
    focal_px = FOCAL_SHARE * size_px[0] * math.exp(log_focal)
    return View(Lens(size_px, focal_px, (right, down), k1, k2), px_per_mm * math.exp(log_scale))


def yaw_of(ways_mm: Doubles, direction: str) -> tuple[float, float] | None:
    """How far the belt's way is turned clockwise of `direction`, in radians, and how far (mm) the places (N, 2) lie off
    a straight way; None when the belt hardly moved.

    Raises:
        RefusedError: it moves another way than machine.yaml says.
    """
    centred = ways_mm - ways_mm.mean(axis=0)
    along = np.linalg.svd(centred, full_matrices=False)[2][0]
    way = ways_mm[-1] - ways_mm[0]
    if np.linalg.norm(way) < LEAST_WAY_MM:
        return None
    if along @ way < 0:
        along = -along
    yaw = math.atan2(along[1], along[0]) - AHEAD[direction]
    yaw = (yaw + math.pi) % (2 * math.pi) - math.pi
    if abs(yaw) > MOST_YAW:
        seen = min(AHEAD, key=lambda name: abs(math.remainder(yaw + AHEAD[direction] - AHEAD[name], 2 * math.pi)))
        raise RefusedError(
            f"plane: in the picture the belt moves {seen}, turned by {math.degrees(yaw):.0f}° against"
            f" machine.yaml's camera.belt_direction: {direction}: correct it, or turn the camera"
        )
    off = centred @ np.array([-along[1], along[0]])
    return yaw, float(np.abs(off).max())
