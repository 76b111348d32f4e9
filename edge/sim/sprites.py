"""Read the sprites that `brickgate-model sprites` makes: parts at rest, in layers, from several view angles."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import InputError
from edge.sim.parts import PartShape, PoseShape

ASSETS = Path(__file__).parent / "assets"
FORMAT = 1
FEATHER_PX = 12
"""A shadow fades out so far from a sprite's border, where the render was cut."""

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Sprite:
    """One view of one part at rest, before it has a colour.

    Attributes:
        diffuse: (H, W) light on the plastic times coverage, 127.5 = white lit normally; of clear plastic how much
            is absorbed.
        gloss: (H, W) square root of reflected light times coverage, 255 = 1.
        coverage: (H, W).
        shadow: (H, W) light that reaches the belt, 255 = all.
        anchor_px: the part's middle on the belt.
        axis_deg: direction in the picture along which the camera is tilted, clockwise from right.
        tilt_deg: of the camera; above 0 it stands on the axis's side.
    """

    diffuse: Bytes
    gloss: Bytes
    coverage: Bytes
    shadow: Bytes
    anchor_px: tuple[float, float]
    axis_deg: float
    tilt_deg: float


class SpriteAtlas:
    """The sprites of one folder. Pictures are decoded when they are asked for, about 0.5 ms each.

    Raises:
        InputError: the folder holds no sprites of today's format.
    """

    def __init__(self, folder: Path = ASSETS) -> None:
        try:
            index = json.loads((folder / "sprites.json").read_text(encoding="utf-8"))
            self._data = np.memmap(folder / "sprites.bin", np.uint8, "r")
        except (OSError, ValueError) as error:
            raise InputError(
                f"{folder}: the simulated machine's sprites cannot be read ({error}): install Brickgate again,"
                " or make them with `brickgate-model sprites`"
            ) from error
        if index.get("format") != FORMAT:
            raise InputError(f"{folder / 'sprites.json'} is not of format {FORMAT}: make the sprites again")
        self.mm_per_px: float = index["mm_per_px"]
        self.camera_height_mm: float = index["camera_height_mm"]
        self._tilts_deg = {False: tuple(index["tilts_deg"]), True: tuple(index["clear_tilts_deg"])}
        self._axes_deg = {False: tuple(index["axes_deg"]), True: tuple(index["clear_axes_deg"])}
        self._shadow_step: int = index["shadow_step"]
        self._parts: dict[str, dict[str, Any]] = {part["family"]: part for part in index["parts"]}
        self.shapes: tuple[PartShape, ...] = tuple(_shape(part) for part in index["parts"])

    def axes_deg(self, clear: bool) -> tuple[float, ...]:
        """Directions along which the camera was tilted, for solid or for clear plastic."""
        return self._axes_deg[clear]

    def tilts_deg(self, clear: bool) -> tuple[float, ...]:
        """Tilts of the camera along each axis, for solid or for clear plastic."""
        return self._tilts_deg[clear]

    def sprite(self, family: str, pose: int, clear: bool, axis: int, tilt: int) -> Sprite:
        """Decode one view; `axis` and `tilt` are indices into `axes_deg` and `tilts_deg`."""
        rows = self._parts[family]["poses"][pose]["clear" if clear else "sprites"]
        start, light_bytes, coverage_bytes, shadow_bytes, u_px, v_px = rows[axis * len(self._tilts_deg[clear]) + tilt]
        middle, end = start + light_bytes, start + light_bytes + coverage_bytes
        light = self._decode(start, middle)
        coverage = self._decode(middle, end)
        height, width = coverage.shape
        small = self._decode(end, end + shadow_bytes)
        step = self._shadow_step
        large = cv2.resize(small, (small.shape[1] * step, small.shape[0] * step), interpolation=cv2.INTER_LINEAR)
        return Sprite(
            diffuse=light[:height],
            gloss=light[height:],
            coverage=coverage,
            shadow=_feather(np.asarray(large[:height, :width], np.uint8)),
            anchor_px=(u_px, v_px),
            axis_deg=self._axes_deg[clear][axis],
            tilt_deg=self._tilts_deg[clear][tilt],
        )

    def _decode(self, start: int, end: int) -> Bytes:
        picture = cv2.imdecode(self._data[start:end], cv2.IMREAD_GRAYSCALE)
        if picture is None:
            raise InputError(f"sprites.bin is damaged at byte {start}: install Brickgate again")
        return np.asarray(picture, np.uint8)


def _shape(part: dict[str, Any]) -> PartShape:
    poses = tuple(
        PoseShape(pose["probability"], pose["height_mm"], np.array(pose["outline_mm"], np.float32))
        for pose in part["poses"]
    )
    return PartShape(part["family"], part["mould"], part["title"], poses)


def _feather(shadow: Bytes) -> Bytes:
    height, width = shadow.shape
    across = np.minimum(np.arange(width) + 0.5, width - np.arange(width) - 0.5)
    down = np.minimum(np.arange(height) + 0.5, height - np.arange(height) - 0.5)
    kept = np.minimum(np.minimum(across[None, :], down[:, None]) / FEATHER_PX, 1.0)
    return (255.5 - (255.0 - shadow) * kept).astype(np.uint8)
