"""How the simulated camera really looks at the belt: from a straight picture of it to the raw one.

The straight picture is what a camera without a lens error would see from right above. It is drawn with a margin, the
canvas, since a camera that hangs aslant sees past its edges.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.records import ImageBgr
from edge.sim.scene import TURN_DEG
from edge.sim.settings import CameraSettings, HiddenCamera

SPARE_PX = 4
UNDISTORT = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 60, 1e-10)

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Eye:
    """Where the lens is, in px of the canvas: above (u, v), `height_px` from the belt."""

    u_px: float
    v_px: float
    height_px: float

    def on_belt(self, points: Doubles) -> Doubles:
        """(N, 2) where points (N, 3) above the belt are seen on it: u, v and height, all in px of the canvas."""
        ground = np.array([self.u_px, self.v_px])
        return ground + (points[:, :2] - ground) * (self.height_px / (self.height_px - points[:, 2:]))


class View:
    """OpenCV's pinhole model with two radial terms, aimed at the middle of the straight picture.

    Attributes:
        canvas: the settings by which the straight picture with its margin is drawn.
        eye: where the lens is.
        focal_px: of the lens.
    """

    def __init__(self, settings: CameraSettings, hidden: HiddenCamera) -> None:
        self._settings, self._hidden = settings, hidden
        self.focal_px = settings.px_per_mm * settings.height_mm
        self._turn = _turn(hidden, math.radians(TURN_DEG[settings.direction]))
        self._middle = np.array([settings.width_px - 1, settings.height_px - 1]) / 2
        v, u = np.mgrid[0 : settings.height_px, 0 : settings.width_px].astype(np.float64)
        straight = self.straight(np.stack([u.ravel(), v.ravel()], axis=1))
        self._margin = _margin(straight, settings)
        self.canvas = _canvas(settings, self._margin)
        lens = -settings.height_mm * settings.px_per_mm * self._turn[:, 2]
        ground = self._middle + self._margin + lens[:2]
        self.eye = Eye(float(ground[0]), float(ground[1]), float(-lens[2]))
        shape = (settings.height_px, settings.width_px)
        on_canvas = (straight + self._margin).astype(np.float32)
        self._maps = cv2.convertMaps(on_canvas[:, 0].reshape(shape), on_canvas[:, 1].reshape(shape), cv2.CV_16SC2)

    def raw(self, canvas: ImageBgr) -> ImageBgr:
        """The raw picture of a canvas."""
        return np.asarray(cv2.remap(canvas, *self._maps, cv2.INTER_LINEAR), np.uint8)

    def straight(self, raw_px: Doubles) -> Doubles:
        """(N, 2) px of the straight picture, without the margin, of px (N, 2) of the raw one."""
        hidden = self._hidden
        matrix = np.array([[self.focal_px, 0, self._middle[0]], [0, self.focal_px, self._middle[1]], [0, 0, 1]])
        bend = np.array([hidden.k1, hidden.k2, 0, 0])
        flat = cv2.undistortPointsIter(raw_px.reshape(-1, 1, 2), matrix, bend, np.eye(3), matrix, UNDISTORT)
        seen = np.column_stack([flat.reshape(-1, 2), np.ones(len(raw_px))]) @ self.homography.T
        return seen[:, :2] / seen[:, 2:]

    @property
    def homography(self) -> Doubles:
        """(3, 3) from px of the raw picture without its lens's bend to those of the straight one; [2][2] is 1."""
        u, v = self._middle
        focal = self.focal_px
        to_ray = np.array([[1 / focal, 0, -u / focal], [0, 1 / focal, -v / focal], [0, 0, 1]])
        # A ray from the lens at -focal × turn[:, 2] (px of the belt) meets the belt where its height is 0.
        x, y, z = self._turn
        lens = -focal * self._turn[:, 2]
        on_belt = np.array([lens[0] * z - lens[2] * x, lens[1] * z - lens[2] * y, z])
        to_px = np.array([[1, 0, u], [0, 1, v], [0, 0, 1]])
        whole = to_px @ on_belt @ to_ray
        return whole / whole[2, 2]


def _turn(hidden: HiddenCamera, way: float) -> Doubles:
    """(3, 3) from the camera's axes (right, down, ahead) to the belt's (right, down in the picture, into the belt)."""
    pitch, roll, yaw = (math.radians(angle) for angle in (hidden.pitch_deg, hidden.roll_deg, hidden.yaw_deg))
    belt = _about_ahead(way)
    lean = cv2.Rodrigues(np.array([0.0, pitch, 0.0]))[0] @ cv2.Rodrigues(np.array([roll, 0.0, 0.0]))[0]
    return belt @ lean @ belt.T @ _about_ahead(yaw)


def _about_ahead(angle: float) -> Doubles:
    return np.asarray(cv2.Rodrigues(np.array([0.0, 0.0, angle]))[0], np.float64)


def _margin(straight: Doubles, settings: CameraSettings) -> NDArray[np.int64]:
    """Columns and rows by which the raw picture sees past the straight one."""
    size = np.array([settings.width_px, settings.height_px])
    past = np.maximum(-straight.min(axis=0), straight.max(axis=0) - (size - 1))
    return np.ceil(np.maximum(past, 0)).astype(np.int64) + SPARE_PX


def _canvas(settings: CameraSettings, margin: NDArray[np.int64]) -> CameraSettings:
    """The straight picture with its margin, into which the belt goes on along its way."""
    wide, high = (int(side) for side in margin)
    u0, v0, u1, v1 = settings.region_px
    width, height = settings.width_px + 2 * wide, settings.height_px + 2 * high
    left, top, right, bottom = u0 + wide, v0 + high, u1 + wide, v1 + high
    if settings.direction in ("left", "right"):
        left, right = 0 if u0 == 0 else left, width if u1 == settings.width_px else right
        longer = {"right": u0 + wide - left, "left": right - u1 - wide}[settings.direction]
    else:
        top, bottom = 0 if v0 == 0 else top, height if v1 == settings.height_px else bottom
        longer = {"down": v0 + high - top, "up": bottom - v1 - high}[settings.direction]
    return replace(
        settings,
        width_px=width,
        height_px=height,
        region_px=(left, top, right, bottom),
        station_mm=settings.station_mm - longer / settings.px_per_mm,
    )
