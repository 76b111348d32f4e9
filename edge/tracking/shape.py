"""The outline of one blob: its smallest rectangle on the belt, and whether it looks like two parts that touch."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Contour = NDArray[np.int32]
"""(N, 1, 2) u, v in px."""
Colours = NDArray[np.float32]
Place = NDArray[np.intp]

NECK_DEPTH = 0.2
NECK_WIDTH = 0.5
LEAST_SHARE = 0.2
"""Two parts that touch leave a notch on both sides, each this deep, and between the notches a neck this narrow, as
shares of the blob's width; what is beyond the neck has this share of the area."""
LEAST_CORNERS = 5
"""Fewer make no shape with two notches."""
TWO_HUES = 0.5
TWO_TONES = 1.8
"""Log differences, in hue alone and with the brightness, between two halves that one plastic does not show."""
SPLITS_ALONG = np.array([0.15, 0.25, 0.35, 0.5, 0.65, 0.75, 0.85], np.float32)
SPLITS_ACROSS = np.array([0.35, 0.5, 0.65], np.float32)
"""Shares of the blob where the border of two parts is looked for; the rims beside a thin part are its shadow."""
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
    return any(
        depth > NECK_DEPTH and across < NECK_WIDTH and LEAST_SHARE < beyond < 1 - LEAST_SHARE
        for depth, across, beyond in facing_notches(contour, outline)
    )


def facing_notches(contour: Contour, outline: Outline) -> Iterator[tuple[float, float, float]]:
    """For each two notches of the outline: the depth of the shallower and the way between them, as shares of the blob's
    width, and the share of the area that lies beyond them."""
    approximate = cv2.approxPolyDP(contour, max(1.0, 0.02 * outline.length_px), True)
    if len(approximate) < LEAST_CORNERS:
        return
    hull = cv2.convexHull(approximate, returnPoints=False)
    hull[::-1].sort(axis=0)
    defects = cv2.convexityDefects(approximate, hull)
    if defects is None:
        return
    points, total = approximate.reshape(-1, 2), max(cv2.contourArea(approximate), 1.0)
    notches = sorted((int(far), depth / 256 / outline.width_px) for _, _, far, depth in defects.reshape(-1, 4))
    for (one, one_depth), (other, other_depth) in itertools.combinations(notches, 2):
        across = float(np.hypot(*(points[one] - points[other]))) / outline.width_px
        yield min(one_depth, other_depth), across, cv2.contourArea(approximate[one : other + 1]) / total


def sampled_tones(residual: NDArray[np.float32], mask: NDArray[np.bool_], samples: int) -> tuple[Colours, Place, Place]:
    """(N, 3) log differences of the blob's pixels on a grid of about so many points, and the u and v of each."""
    stride = max(round((mask.size / samples) ** 0.5), 1)
    v, u = np.nonzero(mask[::stride, ::stride])
    return residual[::stride, ::stride][v, u], u, v


def has_two_colours(residual: NDArray[np.float32], mask: NDArray[np.bool_], outline: Outline) -> bool:
    """Whether the two ends of a blob, along either side of its rectangle, differ in hue more than one plastic does.

    Args:
        residual: (h, w, 3) log difference from the bare belt.
        mask: (h, w) pixels of the blob.
        outline: its rectangle.
    """
    tones, u, v = sampled_tones(residual, mask, COLOUR_SAMPLES)
    if len(u) < 2 * LEAST_HALF:
        return False
    hues = tones - tones.mean(axis=1, keepdims=True)
    for turn, splits in ((0.0, SPLITS_ALONG), (np.pi / 2, SPLITS_ACROSS)):
        angle = outline.angle_rad + turn
        order = np.argsort(u * np.cos(angle) + v * np.sin(angle))
        if _fall_apart(hues[order], splits, TWO_HUES) or _fall_apart(tones[order], splits, TWO_TONES):
            return True
    return False


def _fall_apart(colours: Colours, splits: Colours, least_gap: float) -> bool:
    """Whether colours (N, 3) in the order of their place make two groups, one after the other."""
    sums, count = np.cumsum(colours, axis=0), len(colours)
    borders = (splits * count).astype(np.intp)
    first = sums[borders - 1] / borders[:, np.newaxis]
    second = (sums[-1] - sums[borders - 1]) / (count - borders)[:, np.newaxis]
    gaps = np.sqrt(((first - second) ** 2).sum(axis=1))
    best = int(gaps.argmax())
    if gaps[best] < least_gap:
        return False
    return _spread(colours, int(borders[best]), first[best], second[best]) < MOST_SPREAD * float(gaps[best])


def _spread(colours: Colours, border: int, first: Colours, second: Colours) -> float:
    """Mean distance of the colours from their half's own, of the worse half."""
    halves = ((colours[:border], first), (colours[border:], second))
    return max(float(np.linalg.norm(half - centre, axis=1).mean()) for half, centre in halves)
