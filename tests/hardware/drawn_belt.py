"""A drawn belt: coloured rectangles on grey, moving right. For machines and recordings without a camera."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge.records import ImageBgr

PX_PER_MM = 4.0
WIDTH_PX, HEIGHT_PX = 800, 320
GRAIN = np.random.default_rng(7).normal(128, 3, (HEIGHT_PX, 997, 1)).astype(np.uint8).repeat(3, axis=2)
BGR = {"red": (30, 30, 210), "green": (40, 190, 30), "blue": (215, 60, 30)}


@dataclass(frozen=True)
class DrawnPart:
    """A rectangle on the belt: its leading edge passed station 0 at the travel `lead_mm`."""

    lead_mm: float
    colour: str
    y_mm: float = 0.0
    length_mm: float = 24.0
    width_mm: float = 16.0


def draw_belt(parts: Iterable[DrawnPart], belt_mm: float) -> ImageBgr:
    """(HEIGHT_PX, WIDTH_PX, 3): the belt, whose grain moves along, and the parts in view."""
    picture = np.ascontiguousarray(np.roll(GRAIN, round(belt_mm * PX_PER_MM), axis=1)[:, :WIDTH_PX])
    for part in parts:
        u1 = (belt_mm - part.lead_mm) * PX_PER_MM
        v0 = HEIGHT_PX / 2 + (part.y_mm - part.width_mm / 2) * PX_PER_MM
        corners = (u1 - part.length_mm * PX_PER_MM, v0), (u1 - 1, v0 + part.width_mm * PX_PER_MM - 1)
        first, last = [(round(u), round(v)) for u, v in corners]
        cv2.rectangle(picture, first, last, BGR[part.colour], cv2.FILLED)
    return picture


def write_recording(folder: Path, parts: Iterable[DrawnPart], frames: int, mm_per_frame: float) -> Path:
    """A folder of pictures of the belt, one each `mm_per_frame`."""
    folder.mkdir()
    parts = tuple(parts)
    for index in range(frames):
        cv2.imwrite(
            str(folder / f"{index}.png"), draw_belt(parts, index * mm_per_frame), [cv2.IMWRITE_PNG_COMPRESSION, 1]
        )
    return folder
