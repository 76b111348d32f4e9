"""The simulated camera's image sensor and its lens motor: what is locked, and what that makes of a picture."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.records import CameraLock, ImageBgr
from edge.sim.appearance import to_linear, to_srgb
from edge.sim.settings import CameraSettings, HiddenCamera

SETTLE_FRAMES = 3
"""As libcamera's: frames are under way when a control is set."""
GAINS = (1.0, 16.0)
BUILT_GAIN = 2.0
"""With this and the exposure of its settings a machine that hides nothing is lit as it is drawn."""
BALANCES = (0.1, 8.0)
FOCUS_DIOPTRES = (0.0, 10.0)
BLUR_PX = 0.6
"""Standard deviation of the blur for a dioptre of wrong focus and a px of the focal length ÷ 1000: a lens of f/1.8 and
4.7 mm has an opening of 2.6 mm, and a disc of 2.6 px is as soft as a Gauss of a quarter of that."""
CLIPPED = 254.5
MIRRORED = 8.0
"""What is drawn at the end of the scale is a lamp or its mirror image: so many times as bright as white."""
LEVELS = 4095

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]


class Imager:
    """Turns the picture that the lens throws into the one that is read. `cast` is (3, 3) what the lamp and the colour
    filters make of linear BGR light; other code may set it.

    Args:
        settings: of the camera; what they hide is how far it is from being lit and focused as drawn.
        pedestal: by how many levels pictures are too dark, until noise is added.
    """

    def __init__(self, settings: CameraSettings, pedestal: int) -> None:
        self._truth = settings.hidden or HiddenCamera()
        self._built_s = settings.exposure_s
        self._longest_s = 1 / settings.frames_per_s
        self._pedestal = pedestal
        self._focal_px = settings.px_per_mm * settings.height_mm
        self._wanted = CameraLock(settings.exposure_s, BUILT_GAIN, (1.0, 1.0), HiddenCamera().focus_dioptres)
        self._holds = self._wanted
        self._frames_left = 0
        self._cast = np.eye(3)
        self._development: tuple[Floats, Bytes] | Bytes | None = None
        self._develop_anew()

    @property
    def wanted(self) -> CameraLock:
        """What was asked for last."""
        return self._wanted

    @property
    def holds(self) -> CameraLock:
        """What the next picture is taken with."""
        return self._holds

    @property
    def noise(self) -> float:
        """Of a picture, against that of the gain that it was built with: light comes in grains."""
        return math.sqrt(self._holds.gain / BUILT_GAIN)

    @property
    def cast(self) -> NDArray[np.float64]:
        return self._cast

    @cast.setter
    def cast(self, cast: NDArray[np.float64]) -> None:
        self._cast = cast
        self._develop_anew()

    def lock(self, wanted: CameraLock) -> None:
        """Holds from the picture after the next `SETTLE_FRAMES` on.

        Raises:
            ValueError: it is beyond what the camera can.
        """
        _check("exposure_s", wanted.exposure_s, (1e-5, self._longest_s))
        _check("gain", wanted.gain, GAINS)
        for balance in wanted.white_balance:
            _check("white_balance", balance, BALANCES)
        if wanted.focus_dioptres is None:
            wanted = replace(wanted, focus_dioptres=self._wanted.focus_dioptres)
        else:
            _check("focus_dioptres", wanted.focus_dioptres, FOCUS_DIOPTRES)
        self._wanted, self._frames_left = wanted, SETTLE_FRAMES

    def next_picture(self) -> None:
        """A frame is taken."""
        if self._wanted is self._holds:
            return
        if self._frames_left > 0:
            self._frames_left -= 1
            return
        self._holds = self._wanted
        self._develop_anew()

    def focus(self, image: ImageBgr) -> ImageBgr:
        """As soft as the lens makes it."""
        focus = self._holds.focus_dioptres
        assert focus is not None
        sigma_px = BLUR_PX * abs(focus - self._truth.focus_dioptres) * self._focal_px / 1000
        return image if sigma_px < 0.2 else np.asarray(cv2.GaussianBlur(image, (0, 0), sigma_px), np.uint8)

    def develop(self, image: ImageBgr) -> ImageBgr:
        """As bright and as coloured as lamp, exposure, gains and white balance make it; what is too bright clips."""
        if self._development is None:
            return image
        if isinstance(self._development, np.ndarray):
            return np.asarray(cv2.LUT(image, self._development), np.uint8)
        linear, coded = self._development
        light = cv2.transform(cv2.LUT(image, linear), self._matrix())
        steps = np.clip(light, 0, LEVELS).astype(np.uint16)
        return np.take(coded, steps)

    def _matrix(self) -> NDArray[np.float64]:
        red, blue = self._holds.white_balance
        bright = self._truth.lamp * self._holds.exposure_s / self._built_s * self._holds.gain / BUILT_GAIN
        return np.diag([bright * blue, bright, bright * red]) @ self._cast

    def _develop_anew(self) -> None:
        matrix = self._matrix()
        gains = np.diag(matrix)
        levels = to_linear(np.arange(256, dtype=np.float32) + self._pedestal)
        levels[255] = MIRRORED
        if np.array_equal(matrix, np.eye(3)):
            self._development = None
        elif np.array_equal(matrix, np.diag(gains)):
            table = np.stack([self._coded(levels * np.float32(gain)) for gain in gains], axis=-1)
            self._development = np.ascontiguousarray(table.reshape(1, 256, 3))
        else:
            coded = self._coded(np.arange(LEVELS + 1, dtype=np.float32) / np.float32(LEVELS))
            self._development = (levels * LEVELS).astype(np.float32).reshape(1, 256), coded

    def _coded(self, light: Floats) -> Bytes:
        """Levels of linear light, less the pedestal, unless it is at the end of the scale."""
        levels = to_srgb(light)
        return np.where(levels >= CLIPPED, 255, np.clip(levels - self._pedestal + 0.5, 0, 255)).astype(np.uint8)


def _check(name: str, value: float, within: tuple[float, float]) -> None:
    if not within[0] <= value <= within[1]:
        raise ValueError(f"camera (sim): {name} {value:g} is not within {within[0]:g}…{within[1]:g}")
