"""The outline of one blob: its smallest rectangle on the belt, and whether it looks like two parts that touch."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Contour = NDArray[np.int32]
"""(N, 1, 2) u, v in px."""
Hues = NDArray[np.float32]

NECK_DEPTH = 0.14
"""Two parts that touch leave a notch on both sides, each this deep as a share of the blob's length …"""
NECK_WIDTH = 0.75
"""… and the neck between the notches is this much narrower than the blob's width."""
TWO_COLOURS = 0.5
"""Log difference between the colours of two halves that one plastic does not show."""
MOST_SPREAD = 0.35
COLOUR_SAMPLES = 250
LEAST_HALF = 12


@dataclass(frozen=True, slots=True)
class Outline:
    """Sides of the smallest rectangle around a contour in px, long first, and the direction of the long one."""

    length_px: float
    width_px: float
    angle_rad: float


def measure_outline(contour: Contour) -> Outline:
    """Smallest enclosing rectangle; a contour runs through pixel centres, so each side gains one pixel."""
    _, (first, second), angle = cv2.minAreaRect(contour)
    if first < second:
        first, second, angle = second, first, angle + 90
    return Outline(first + 1, second + 1, float(np.deg2rad(angle)))


def has_neck(contour: Contour, outline: Outline) -> bool:
    """Whether two deep notches face each other across the blob."""
    approximate = cv2.approxPolyDP(contour, max(1.0, 0.02 * outline.length_px), True)
    if len(approximate) < 6:
        return False
    hull = cv2.convexHull(approximate, returnPoints=False)
    hull[::-1].sort(axis=0)
    defects = cv2.convexityDefects(approximate, hull)
    if defects is None:
        return False
    points = approximate.reshape(-1, 2)
    least = 256 * NECK_DEPTH * outline.length_px
    deep = [points[far] for _, _, far, depth in defects.reshape(-1, 4) if depth > least]
    return any(
        float(np.hypot(*(one - other))) < NECK_WIDTH * outline.width_px
        for index, one in enumerate(deep)
        for other in deep[index + 1 :]
    )


def has_two_colours(residual: NDArray[np.float32], mask: NDArray[np.bool_], outline: Outline) -> bool:
    """Whether the two ends of a blob, along either side of its rectangle, differ in hue more than one plastic does.

    Args:
        residual: (h, w, 3) log difference from the bare belt.
        mask: (h, w) pixels of the blob.
        outline: its rectangle.
    """
    stride = max(round((mask.size / COLOUR_SAMPLES) ** 0.5), 1)
    v, u = np.nonzero(mask[::stride, ::stride])
    if len(u) < 2 * LEAST_HALF:
        return False
    colours = residual[::stride, ::stride][v, u]
    hues = colours - colours.mean(axis=1, keepdims=True)
    for angle in (outline.angle_rad, outline.angle_rad + np.pi / 2):
        ordered = hues[np.argsort(u * np.cos(angle) + v * np.sin(angle))]
        sums = np.cumsum(ordered, axis=0)
        for share in (0.3, 0.5, 0.7):
            border = int(share * len(ordered))
            first, second = sums[border - 1] / border, (sums[-1] - sums[border - 1]) / (len(ordered) - border)
            gap = float(np.linalg.norm(first - second))
            if gap > TWO_COLOURS and _spread(ordered, border, first, second) < MOST_SPREAD * gap:
                return True
    return False


def _spread(hues: Hues, border: int, first: Hues, second: Hues) -> float:
    """Mean distance of the hues from their half's own, of the worse half."""
    halves = ((hues[:border], first), (hues[border:], second))
    return max(float(np.linalg.norm(half - centre, axis=1).mean()) for half, centre in halves)
