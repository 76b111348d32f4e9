"""How the camera looks at the belt, as the plane step fits it: OpenCV's pinhole with two radial terms above a plane.

Lengths on the belt are in px of the straight picture, which has the raw one's scale and place in its middle.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.config.calibration import LensCalibration, PlaneCalibration

Doubles = NDArray[np.float64]

FOCAL_SHARE = 1.2
"""Focal length that is taken for the likeliest, in widths of the picture; a Pi's cameras have 0.9 to 1.4."""


@dataclass(frozen=True, slots=True)
class Lens:
    """Attributes:
    size_px: of the raw picture.
    focal_px: of the pinhole.
    lean: turns about the picture's right and down axis, in radians.
    k1, k2: radial terms.
    """

    size_px: tuple[int, int]
    focal_px: float
    lean: tuple[float, float] = (0.0, 0.0)
    k1: float = 0.0
    k2: float = 0.0

    @property
    def middle(self) -> Doubles:
        """(2,) px of the picture's middle, on which the lens is taken to be centred."""
        return np.array([self.size_px[0] - 1, self.size_px[1] - 1]) / 2

    @property
    def _turn(self) -> Doubles:
        return np.asarray(cv2.Rodrigues(np.array([*self.lean, 0.0]))[0], np.float64)

    @property
    def eye(self) -> Doubles:
        """(3,) where the lens is: px of the belt from its point in the middle of the picture, and height above it."""
        u, v, ahead = self._turn[:, 2] * self.focal_px
        return np.array([-u, -v, ahead])

    @property
    def homography(self) -> Doubles:
        """(3, 3) from flat px of the raw picture to the straight one, both counted from its middle."""
        lens = -self.focal_px * self._turn[:, 2]
        x, y, z = self._turn / np.array([self.focal_px, self.focal_px, 1.0])
        return np.array([lens[0] * z - lens[2] * x, lens[1] * z - lens[2] * y, z])

    def on_belt(self, raw_px: Doubles) -> Doubles:
        """(N, 2) where px (N, 2) of the raw picture lie on the belt, from the point in the middle."""
        flat = self._flat(raw_px - self.middle)
        seen = np.column_stack([flat, np.ones(len(flat))]) @ self.homography.T
        return seen[:, :2] / seen[:, 2:]

    def _flat(self, seen: Doubles) -> Doubles:
        """Without the lens's bend: Newton's method on the radius."""
        bent = np.hypot(seen[:, 0], seen[:, 1])[:, None] / self.focal_px
        radius = bent.copy()
        for _ in range(6):
            square = radius**2
            value = radius * (1 + self.k1 * square + self.k2 * square**2) - bent
            radius -= value / (1 + 3 * self.k1 * square + 5 * self.k2 * square**2)
        return seen * np.where(bent > 0, radius / np.maximum(bent, 1e-12), 1.0)

    def section(self, px_per_mm: float, yaw: float) -> dict[str, object]:
        """The fields of `PlaneCalibration` for a belt that moves `yaw` radians clockwise of where it should in the
        straight picture."""
        c, s = math.cos(yaw), math.sin(yaw)
        u, v = self.middle
        back = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
        to_middle, from_middle = (
            np.array([[1, 0, -u], [0, 1, -v], [0, 0, 1]]),
            np.array([[1, 0, u], [0, 1, v], [0, 0, 1]]),
        )
        whole = from_middle @ back @ self.homography @ to_middle
        whole /= whole[2, 2]
        lens = LensCalibration(focal_px=self.focal_px, centre_px=(float(u), float(v)), k1=self.k1, k2=self.k2)
        homography = tuple(tuple(float(value) for value in row) for row in whole)
        return {"size_px": self.size_px, "px_per_mm": px_per_mm, "lens": lens, "homography": homography}


def straight_px(plane: PlaneCalibration, raw_px: Doubles) -> Doubles:
    """(N, 2) px of the straight picture of px (N, 2) of the raw one: the way back of `edge.capture.straighten`."""
    lens = plane.lens
    flat = raw_px
    if lens is not None:
        matrix = np.array([[lens.focal_px, 0, lens.centre_px[0]], [0, lens.focal_px, lens.centre_px[1]], [0, 0, 1]])
        bend, exact = np.array([lens.k1, lens.k2, 0, 0]), (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 60, 1e-10)
        points = cv2.undistortPointsIter(raw_px.reshape(-1, 1, 2), matrix, bend, np.eye(3), matrix, exact)
        flat = np.asarray(points, np.float64).reshape(-1, 2)
    seen = np.column_stack([flat, np.ones(len(flat))]) @ np.array(plane.homography).T
    return seen[:, :2] / seen[:, 2:]
