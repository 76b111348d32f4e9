"""Shadows: even darkening with a soft rim. Alone they are no part, beside a part they are peeled off."""

from __future__ import annotations

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from edge.light import NEUTRAL, FloatImage

Mask = NDArray[np.uint8]

ALONE_DEPTH = 0.45
ALONE_HUE = 0.35
ALONE_RISE_PER_MM = 0.5
"""A shadow alone is no deeper, of no other hue, and rises at its rim by no more of its depth within one millimetre."""
CAST_DEPTH = 0.8
CAST_HUE, CAST_HUE_SHARE = 0.06, 0.2
CAST_RISE_PER_MM = 0.28
"""A shadow beside a part is even, and smooth where the part's rim is not."""
LEAST_CAST = 0.06
LEAST_LEFT = 0.35
SLOPED_RIM = 0.85
PIECE = 0.05
OPENING = np.ones((3, 3), np.uint8)
NEAR = np.ones((5, 5), np.uint8)


def is_shadow(inside: Mask, residual: FloatImage, mm_per_px: float) -> bool:
    """Whether a blob is nothing but a shadow.

    Args:
        inside: (h, w) 0/1, the blob in its box.
        residual: (h, w, 3) log difference from the bare belt.
        mm_per_px: of both.
    """
    colour = np.array(cv2.mean(residual, inside)[:3])
    mean = float(colour.mean())
    if not -ALONE_DEPTH < mean < 0 or np.abs(colour - mean).max() > ALONE_HUE * -mean:
        return False
    rise = float(np.percentile(steepness(residual)[inside > 0], 97))
    return rise < ALONE_RISE_PER_MM * mm_per_px * -mean


def without_shadow(mask: Mask, residual: FloatImage, mm_per_px: float) -> Mask:
    """A blob's mask (h, w) without the shadow around the part: even darkening that can be reached from outside without
    crossing a slope. Left as it is where the part would mostly go too, fall in pieces, or get a rim without a slope."""
    area = cv2.countNonZero(mask)
    if 9 * np.count_nonzero(_is_even(residual[::3, ::3]) & (mask[::3, ::3] > 0)) < LEAST_CAST * area:
        return mask
    smooth = steepness(residual) < CAST_RISE_PER_MM * mm_per_px
    passable = ((mask == 0) | (_is_even(residual) & smooth)).astype(np.uint8)
    flooded = cv2.copyMakeBorder(passable, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=(1,))
    cv2.floodFill(flooded, None, (0, 0), (2,))
    peeled = np.asarray(cv2.bitwise_and(mask, (flooded[1:-1, 1:-1] != 2).astype(np.uint8)), np.uint8)
    peeled = np.asarray(cv2.morphologyEx(peeled, cv2.MORPH_OPEN, OPENING), np.uint8)
    if cv2.countNonZero(peeled) < LEAST_LEFT * area or _pieces(peeled) > _pieces(mask):
        return mask
    rim = (cv2.dilate(peeled, OPENING) > peeled) & (mask > 0)
    sloped = np.count_nonzero(cv2.dilate((~smooth).astype(np.uint8), NEAR)[rim])
    return peeled if sloped >= SLOPED_RIM * np.count_nonzero(rim) else mask


def hue_against_shadow(colour: NDArray[np.float32]) -> float:
    """How far a log difference (3,) from the bare belt is from a darkening of all channels alike, as in a shadow: 0 for
    one exactly so, 1 from where no shadow is."""
    mean = float(colour.mean())
    if not -CAST_DEPTH < mean < 0:
        return 1.0
    return min(float(np.abs(colour - mean).max()) / (CAST_HUE - CAST_HUE_SHARE * mean), 1.0)


def steepness(residual: FloatImage) -> FloatImage:
    """(h, w) steepest slope of any channel, per px."""
    across, down = (cv2.Sobel(residual, cv2.CV_32F, du, 1 - du, scale=1 / 8) for du in (1, 0))
    return _largest(cv2.magnitude(across, down))


def _is_even(residual: FloatImage) -> NDArray[np.bool_]:
    """(h, w) where the residual is a darkening as in a shadow."""
    mean = np.asarray(cv2.transform(residual, NEUTRAL), np.float32)
    hue = _largest(cv2.absdiff(residual, cv2.merge([mean, mean, mean])))
    return (mean < 0) & (mean > -CAST_DEPTH) & (hue < CAST_HUE - CAST_HUE_SHARE * mean)


def _largest(channels: MatLike) -> FloatImage:
    """(h, w) largest of the three channels; several times quicker than a maximum along the last axis."""
    first, second, third = cv2.split(channels)
    return np.asarray(cv2.max(cv2.max(first, second), third), np.float32)


def _pieces(mask: Mask) -> int:
    """How many blobs of some size a mask has."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    areas = [cv2.contourArea(contour) for contour in contours]
    return sum(area > PIECE * sum(areas) for area in areas)
