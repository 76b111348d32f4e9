"""The simulated belt in the picture: where a place on the belt is seen, and the bare belt at any travel."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.records import ImageBgr
from edge.sim.appearance import blur_kernel
from edge.sim.settings import CameraSettings, Direction
from edge.sim.texture import draw_belt_look, make_belt_texture

LOOP_MM = 900.0
FRAME_BGR = (58, 55, 52)
RAIL_BGR = (128, 124, 120)
RAIL_PX = 10

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

TURN_DEG: dict[Direction, float] = {"right": 0.0, "down": 90.0, "left": 180.0, "up": 270.0}
"""How far the belt's way is turned in the picture, clockwise from right."""


class BeltScene:
    """The bare belt with the machine's frame beside it, `pedestal` levels darker than it is."""

    def __init__(self, settings: CameraSettings, belt_mm_per_s: float, pedestal: int, rng: np.random.Generator) -> None:
        self.settings = settings
        u0, v0, u1, v1 = settings.region_px
        self._along_v = settings.direction in ("up", "down")
        along_px, across_px = (v1 - v0, u1 - u0) if self._along_v else (u1 - u0, v1 - v0)
        self._loop_px = round(max(LOOP_MM * settings.px_per_mm, 2 * along_px))
        self.blur = blur_kernel(
            settings.lens_blur_px, settings.exposure_s * belt_mm_per_s * settings.px_per_mm, self._along_v
        )
        look = draw_belt_look(rng, settings.belt_colour)
        texture = make_belt_texture(look, rng, across_px, self._loop_px, settings.px_per_mm)
        blue, green, red = (float(level) for level in texture.mean(axis=(0, 1)))
        self.mean_bgr = (blue, green, red)
        self._texture = self._as_seen(texture, along_px, pedestal)
        self._bare = _machine_frame(settings, pedestal, rng)

    def pixel(self, along_mm: float, y_mm: float) -> tuple[float, float]:
        """u, v of a place on the belt, `along_mm` from the upstream edge of the region."""
        u0, v0, u1, v1 = self.settings.region_px
        along, across = along_mm * self.settings.px_per_mm, y_mm * self.settings.px_per_mm
        middle_u, middle_v = (u0 + u1) / 2, (v0 + v1) / 2
        return {
            "right": (u0 + along, middle_v + across),
            "left": (u1 - along, middle_v - across),
            "down": (middle_u - across, v0 + along),
            "up": (middle_u + across, v1 - along),
        }[self.settings.direction]

    def along_mm(self, u_px: float, v_px: float) -> float:
        """How far a px is from the upstream edge of the region, along the belt."""
        u0, v0, u1, v1 = self.settings.region_px
        along_px = {"right": u_px - u0, "left": u1 - u_px, "down": v_px - v0, "up": v1 - v_px}[self.settings.direction]
        return along_px / self.settings.px_per_mm

    def region(self, image: ImageBgr) -> ImageBgr:
        """The belt's part of a picture, not copied."""
        u0, v0, u1, v1 = self.settings.region_px
        return image[v0:v1, u0:u1]

    def belt(self, travel_mm: float) -> ImageBgr:
        """A new picture of the machine and the bare belt."""
        image = self._bare.copy()
        u0, v0, u1, v1 = self.settings.region_px
        moved = round(travel_mm * self.settings.px_per_mm) % self._loop_px
        # The texture is laid out so that its first row or column is the belt's place at travel 0.
        start = moved if self.settings.direction in ("left", "up") else self._loop_px - moved
        if self._along_v:
            image[v0:v1, u0:u1] = self._texture[start : start + v1 - v0]
        else:
            image[v0:v1, u0:u1] = self._texture[:, start : start + u1 - u0]
        return image

    def _as_seen(self, texture: Bytes, along_px: int, pedestal: int) -> Bytes:
        """Blur the texture, repeat its beginning behind its end and turn it as the picture has it."""
        margin = max(self.blur.shape)
        wrapped = np.concatenate([texture[:, -margin:], texture, texture[:, : along_px + margin]], axis=1)
        blur = self.blur.T if self._along_v else self.blur
        soft = np.asarray(cv2.filter2D(wrapped, -1, np.ascontiguousarray(blur)))[:, margin:-margin]
        darker = np.asarray(cv2.subtract(soft, np.full(4, float(pedestal))), np.uint8)
        return np.ascontiguousarray(np.rot90(darker, 3) if self._along_v else darker)


def _machine_frame(settings: CameraSettings, pedestal: int, rng: np.random.Generator) -> ImageBgr:
    """The picture without the belt: dark metal, with a rail on both sides of the belt."""
    height, width = settings.height_px, settings.width_px
    u0, v0, u1, v1 = settings.region_px
    grain = cv2.GaussianBlur(rng.normal(0, 8, (height, width)).astype(np.float32), (0, 0), sigmaX=12, sigmaY=0.6)
    image = np.array(FRAME_BGR, np.float32) + 4 * np.asarray(grain)[..., None]
    if settings.direction in ("up", "down"):
        image[:, max(u0 - RAIL_PX, 0) : u1 + RAIL_PX] = RAIL_BGR
    else:
        image[max(v0 - RAIL_PX, 0) : v1 + RAIL_PX] = RAIL_BGR
    return np.clip(image - pedestal, 0, 255).astype(np.uint8)
