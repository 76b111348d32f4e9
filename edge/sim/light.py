"""The simulated camera's light: lens shading, drift of exposure and white balance, sensor noise."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.records import ImageBgr
from edge.sim.settings import CameraSettings

FULL = 200.0
"""Shading value of a pixel that loses nothing: leaves room for gains up to 1.27."""
STEP = 0.003
"""Shading is made anew when a gain has changed by so much."""
NOISE_ROOM_PX = 96
CHROMA_SHARE = 0.6

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]


class Light:
    """What happens to a picture between the belt and the file, except blur. Gains are B, G, R."""

    scale = 1 / FULL

    def __init__(self, settings: CameraSettings, rng: np.random.Generator) -> None:
        self._settings = settings
        self._rng = rng
        self._phases = rng.uniform(0, 2 * np.pi, (4, 2))
        self._base = rng.normal(0, 0.012, 3)
        self._lens = _lens_shading(settings, rng)
        self._made: Floats | None = None
        self._shading: Bytes = np.zeros((0, 0, 3), np.uint8)
        self._bank = _noise_bank(settings, rng)
        self._banks = {1.0: self._bank}
        self._offset = int(self._bank.mean() + 0.5)

    @property
    def pedestal(self) -> int:
        """What the noise adds on average; everything drawn before it is darker by so much."""
        return self._offset

    def gains(self, time_s: float) -> Floats:
        """(3,) gains: exposure and white balance wander on two slow waves each."""
        turn = 2 * np.pi * time_s / self._settings.drift_period_s
        waves = 0.7 * np.sin(turn + self._phases[:, 0]) + 0.3 * np.sin(2.7 * turn + self._phases[:, 1])
        exposure, *balance = 1 + self._settings.drift * waves * np.array([1.0, 0.4, 0.2, 0.4])
        return np.asarray(exposure * (np.array(balance) + self._base), np.float32)

    def shading(self, gains: Floats) -> Bytes:
        """(h, w, 3) factors of the belt region, `FULL` = 1; the same array until the gains have changed."""
        if self._made is None or float(np.abs(gains / self._made - 1).max()) > STEP:
            self._made = gains
            shading = self._lens[..., None] * (gains * FULL)
            self._shading = np.clip(shading + 0.5, 0, 255).astype(np.uint8)
        return self._shading

    def lens_at(self, u_px: float, v_px: float) -> float:
        """Light that the lens leaves at a place of the picture."""
        u0, v0, u1, v1 = self._settings.region_px
        u, v = min(max(int(u_px), u0), u1 - 1), min(max(int(v_px), v0), v1 - 1)
        return float(self._lens[v - v0, u - u0])

    def add_noise(self, image: ImageBgr, strength: float = 1.0) -> ImageBgr:
        """Adds noise from a random place of the bank, in place; `strength` is against that of the settings."""
        height, width = image.shape[:2]
        bank = self._banks.get(strength)
        if bank is None:
            noise = (self._bank.astype(np.float32) - self._offset) * strength + self._offset
            bank = np.clip(noise + 0.5, 0, 255).astype(np.uint8)
            self._banks = {1.0: self._bank, strength: bank}
        down, across = (int(k) for k in self._rng.integers(0, NOISE_ROOM_PX, 2))
        return np.asarray(cv2.add(image, bank[down : down + height, across : across + width], dst=image), np.uint8)


def _lens_shading(settings: CameraSettings, rng: np.random.Generator) -> Floats:
    """(h, w) of the belt region: darker towards the corners, and brighter towards the lamp."""
    u0, v0, u1, v1 = settings.region_px
    v, u = np.mgrid[v0:v1, u0:u1].astype(np.float32)
    across = (u - settings.width_px / 2) / (settings.width_px / 2)
    down = (v - settings.height_px / 2) / (settings.width_px / 2)
    lamp = rng.normal(0, 0.02, 2)
    return (1 - settings.vignetting * (across**2 + down**2) + lamp[0] * across + lamp[1] * down).astype(np.float32)


def _noise_bank(settings: CameraSettings, rng: np.random.Generator) -> Bytes:
    height, width = settings.height_px + NOISE_ROOM_PX, settings.width_px + NOISE_ROOM_PX
    grey = rng.standard_normal((height, width, 1), np.float32)
    colour = CHROMA_SHARE * rng.standard_normal((height, width, 3), np.float32)
    # A camera interpolates colour from its mosaic: neighbours share what noise is in it.
    colour = cv2.GaussianBlur(colour, (0, 0), 0.8) * 2.0
    noise = settings.noise * (grey + colour) / np.sqrt(1 + CHROMA_SHARE**2)
    return np.clip(noise + 3 * settings.noise + 0.5, 0, 6 * settings.noise + 1).astype(np.uint8)


BUILT_K = 5500.0
"""The lamp that a camera's gains of 1 are for."""
XYZ_OF_RGB = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
CONES = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
CROSSTALK = np.array([[0.93, 0.06, 0.01], [0.07, 0.87, 0.06], [0.01, 0.09, 0.90]])
"""What each of red, green and blue takes in of the others, which a camera's own colour matrix leaves over."""


def lamp_cast(lamp_k: float) -> NDArray[np.float64]:
    """(3, 3) what a lamp of that colour temperature and the sensor make of linear BGR light under `BUILT_K`; green of
    a white part stays.

    The lamp scales the cones of the Bradford transform, which are not the camera's channels: gains of red and blue
    alone do not undo it. Sources: sRGB by IEC 61966-2-1, Bradford by CIE 160:2004, lamps' white by Kim et al. (2002).
    """
    cones_of_rgb = CONES @ XYZ_OF_RGB
    there, built = (CONES @ _white_xyz(kelvin) for kelvin in (lamp_k, BUILT_K))
    rgb = CROSSTALK @ np.linalg.inv(cones_of_rgb) @ np.diag(there / built) @ cones_of_rgb
    return np.asarray((rgb / rgb[1].sum())[::-1, ::-1], np.float64)


def _white_xyz(kelvin: float) -> NDArray[np.float64]:
    """X, Y, Z of a black body's white, Y = 1; for 4,000 to 25,000 K."""
    k = 1000 / kelvin
    x = -3.0258469 * k**3 + 2.1070379 * k**2 + 0.2226347 * k + 0.24039
    y = 3.0817580 * x**3 - 5.8733867 * x**2 + 3.75112997 * x - 0.37001483
    return np.array([x / y, 1.0, (1 - x - y) / y])
