"""A drawn belt: polygons on a noisy, textured band, seen by a camera whose light drifts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest

from edge.records import Frame
from edge.tracking.settings import BeltDirection, TrackingSettings

PX_PER_MM = 5.0
WIDTH_PX, HEIGHT_PX = 1280, 720
SUB = 16
"""Sub-pixel steps of OpenCV's polygon drawing (shift of 4 bits)."""


@dataclass
class DrawnPart:
    """A rectangle, seen lying on the belt; `x_belt_mm` is its middle."""

    x_belt_mm: float
    y_mm: float
    length_mm: float
    width_mm: float
    colour_bgr: tuple[int, int, int] = (40, 40, 200)
    angle_deg: float = 0.0

    def corners_mm(self, belt_mm: float) -> np.ndarray:
        angle = np.deg2rad(self.angle_deg)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        half = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [self.length_mm / 2, self.width_mm / 2]
        return half @ turn.T + [belt_mm - self.x_belt_mm, self.y_mm]


@dataclass
class DrawnBelt:
    """Renders frames. Pictures are drawn for a belt that moves right, then turned."""

    parts: list[DrawnPart]
    colour_bgr: tuple[int, int, int] = (150, 160, 165)
    texture: float = 0.04
    noise: float = 2.0
    shadow: float = 0.25
    direction: BeltDirection = "right"
    gain: Callable[[int], tuple[float, float, float]] = lambda _index: (1.0, 1.0, 1.0)
    seed: int = 0
    _weave: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        random = np.random.default_rng(self.seed)
        fine = random.normal(0, 1, (HEIGHT_PX, 2 * WIDTH_PX)).astype(np.float32)
        coarse = cv2.GaussianBlur(fine, (0, 0), 6)
        self._weave = 1 + self.texture * (0.5 * fine + 0.8 * coarse / coarse.std())
        self._random = random

    def settings(self, **changes: object) -> TrackingSettings:
        region = (0, 60, WIDTH_PX, HEIGHT_PX - 60)
        if self.direction in ("up", "down"):
            region = (60, 0, HEIGHT_PX - 60, WIDTH_PX)
        return TrackingSettings(PX_PER_MM, self.direction, region, **changes)  # type: ignore[arg-type]

    def frame(self, index: int, belt_mm: float, told_mm: float | None = None) -> Frame:
        """The picture at a belt travel; `told_mm` is what the frame claims the travel to be."""
        shift = int(belt_mm * PX_PER_MM) % (2 * WIDTH_PX)
        weave = np.roll(self._weave, shift, axis=1)[:, :WIDTH_PX]
        image = weave[:, :, None] * np.array(self.colour_bgr, np.float32)
        for part in self.parts:
            corners = part.corners_mm(belt_mm) * PX_PER_MM + [0, HEIGHT_PX / 2]
            if corners[:, 0].max() > -100 and corners[:, 0].min() < WIDTH_PX + 100:
                self._draw(image, corners, part.colour_bgr)
        image = cv2.GaussianBlur(image, (3, 3), 0) * np.array(self.gain(index), np.float32)
        image += self._random.normal(0, self.noise, image.shape).astype(np.float32)
        picture = np.clip(image, 0, 255).astype(np.uint8)
        turned = {
            "right": picture,
            "left": np.rot90(picture, 2),
            "down": np.rot90(picture, -1),
            "up": np.rot90(picture),
        }[self.direction]
        return Frame(index, index / 12, belt_mm if told_mm is None else told_mm, np.ascontiguousarray(turned))

    def _draw(self, image: np.ndarray, corners: np.ndarray, colour_bgr: tuple[int, int, int]) -> None:
        shade = np.zeros(image.shape[:2], np.float32)
        cv2.fillPoly(shade, [np.round((corners + np.array([6, 8])) * SUB).astype(np.int32)], 1.0, cv2.LINE_8, 4)
        image *= 1 - self.shadow * cv2.GaussianBlur(shade, (0, 0), 5)[:, :, None]
        cv2.fillPoly(image, [np.round(corners * SUB).astype(np.int32)], colour_bgr, cv2.LINE_8, 4)


@pytest.fixture
def drawn_part() -> type[DrawnPart]:
    return DrawnPart


@pytest.fixture
def drawn_belt() -> type[DrawnBelt]:
    return DrawnBelt
