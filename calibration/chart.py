"""Plain charts of how well a fit holds, drawn with OpenCV: a device has no plotting library."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge.records import ImageBgr

WHITE, BLACK, GRID = (255, 255, 255), (40, 40, 40), (225, 225, 225)
MARGIN_LEFT, MARGIN_RIGHT, MARGIN_TOP, MARGIN_BOTTOM = 64, 16, 30, 40
FONT, TEXT = cv2.FONT_HERSHEY_SIMPLEX, 0.42
TICKS = 5

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One line or cloud of points in a chart, in the order of its points; `colour_bgr` of 0…255."""

    x: ArrayLike
    y: ArrayLike
    colour_bgr: tuple[int, int, int] = (180, 90, 20)
    line: bool = True


def chart(
    title: str, x_label: str, y_label: str, curves: Sequence[Curve], size_px: tuple[int, int] = (720, 260)
) -> ImageBgr:
    """(H, W, 3) picture of the curves, its axes wide enough for all of them. Text is plain ASCII: OpenCV draws no
    other."""
    width, height = size_px
    image = np.full((height, width, 3), 255, np.uint8)
    places = [(np.asarray(curve.x, float), np.asarray(curve.y, float)) for curve in curves]
    x_ticks, y_ticks = (_ticks(np.concatenate([place[axis] for place in places])) for axis in (0, 1))
    frame = _Frame(width, height, (x_ticks[0], x_ticks[-1]), (y_ticks[0], y_ticks[-1]))
    for x in x_ticks:
        u = frame.pixels([x], [y_ticks[0]])[0, 0]
        cv2.line(image, (u, MARGIN_TOP), (u, height - MARGIN_BOTTOM), GRID, 1)
        _write(image, f"{x:g}", (u - 4 * len(f"{x:g}"), height - MARGIN_BOTTOM + 15))
    for y in y_ticks:
        v = frame.pixels([x_ticks[0]], [y])[0, 1]
        cv2.line(image, (MARGIN_LEFT, v), (width - MARGIN_RIGHT, v), GRID, 1)
        _write(image, f"{y:g}", (MARGIN_LEFT - 8 - 7 * len(f"{y:g}"), v + 4))
    for curve, (x, y) in zip(curves, places, strict=True):
        points = frame.pixels(x, y)
        if curve.line:
            cv2.polylines(image, [points.reshape(-1, 1, 2)], False, curve.colour_bgr, 1, cv2.LINE_AA)
        else:
            for u, v in points.tolist():
                cv2.circle(image, (u, v), 2, curve.colour_bgr, cv2.FILLED, cv2.LINE_AA)
    cv2.rectangle(image, (MARGIN_LEFT, MARGIN_TOP), (width - MARGIN_RIGHT, height - MARGIN_BOTTOM), BLACK, 1)
    _write(image, title, (MARGIN_LEFT, 20))
    _write(image, x_label, ((width - 7 * len(x_label)) // 2, height - 8))
    _write(image, y_label, (4, MARGIN_TOP - 10))
    return image


def stack(*pictures: ImageBgr) -> ImageBgr:
    """Pictures of one width, one under the other."""
    return np.concatenate(pictures)


@dataclass(frozen=True, slots=True)
class _Frame:
    width: int
    height: int
    x: tuple[float, float]
    y: tuple[float, float]

    def pixels(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.int32]:
        """(N, 2) places in the picture."""
        wide, high = self.width - MARGIN_LEFT - MARGIN_RIGHT, self.height - MARGIN_TOP - MARGIN_BOTTOM
        u = MARGIN_LEFT + (np.asarray(x, float) - self.x[0]) / (self.x[1] - self.x[0]) * wide
        v = self.height - MARGIN_BOTTOM - (np.asarray(y, float) - self.y[0]) / (self.y[1] - self.y[0]) * high
        return np.round(np.stack([u, v], axis=1)).astype(np.int32)


def _ticks(values: Doubles) -> list[float]:
    """Round numbers from below the least value to above the greatest."""
    low, high = float(values.min()), float(values.max())
    span = max(high - low, 1e-6 * max(abs(high), abs(low), 1e-3))
    raw = span / TICKS
    scale = 10 ** math.floor(math.log10(raw))
    step = next(scale * nice for nice in (1, 2, 5, 10) if raw <= scale * nice * 1.0001)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(step * k, 10) for k in range(first, max(last, first + 1) + 1)]


def _write(image: ImageBgr, text: str, place: tuple[int, int]) -> None:
    cv2.putText(image, text, place, FONT, TEXT, BLACK, 1, cv2.LINE_AA)
