"""Finds the one part in a single picture: on a plain background, or in a crop that the part fills.

The background is what most of the picture's border agrees on, up to a gradient. What differs from it and stands in the
middle is the part. When in doubt the whole picture is the part: a box too wide costs little, one that cuts it a lot.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.inference.backdrop import fit_backdrop
from edge.light import FloatImage, evidence, log_image
from edge.records import Box, ImageBgr

LEAST_PX = 16
WORK_PX = 160
"""Longer side of the picture that is looked at."""
LEAST_WORK_PX = 8
"""Its shorter side must leave something between its borders."""
LEAST_CONTRAST = 0.14
LEAST_AREA = 0.0006
FULL_SHARE = 0.9
"""A part that covers this share of both sides fills the picture."""
HALF_CONTRAST = 0.4
MOST_CONTRAST = 0.6
CLEAR = 4.5
"""How many times steeper a part's rim must be than anything outside of it. On two sets of photographs right outlines
reached 5.8 to 35, outlines that cut the part mostly stayed under 4."""
FRAME = 2
NEAR = np.ones((5, 5), np.uint8)
OFF = np.ones((9, 9), np.uint8)
LEAST_OUTSIDE = 20
LEAST_SLOPE = 0.004
EDGE_SLOPE, EDGE_SHARE = 0.025, 3.5
"""Slopes outside that are so steep, and so much steeper than the usual ones there, are edges, not noise."""
OUTSIDE_PERCENTILE = 95
SMALL_SHARE = 0.3
"""A part smaller than this share of the picture's sides is looked at again, magnified."""


@dataclass(frozen=True, slots=True)
class Found:
    """Where the part is in a picture of H × W px. A `tight` one is the whole picture, its mask all True."""

    box_px: Box
    mask: NDArray[np.bool_]
    """(H, W) of the whole picture."""
    background_bgr: tuple[float, float, float] | None
    """Colour of the bare background around the part; None when too little of it is seen."""
    tight: bool


def find_part(image_bgr: ImageBgr) -> Found:
    """The part in a picture (H, W, 3), the most central of the large ones where several are in view."""
    height, width = image_bgr.shape[:2]
    small = shrink_to(image_bgr, WORK_PX)
    if min(height, width) < LEAST_PX or min(small.shape[:2]) < LEAST_WORK_PX:
        return _whole(image_bgr, None)
    log_bgr = cv2.GaussianBlur(log_image(small), (3, 3), 0).astype(np.float32, copy=False)
    backdrop = fit_backdrop(log_bgr)
    if backdrop is None:
        return _whole(image_bgr, None)
    found = evidence(cv2.subtract(log_bgr, backdrop.log_bgr).astype(np.float32, copy=False))
    bare = _bare_colour(small, found, backdrop.stray)
    mask = _part_mask(found, backdrop.stray)
    if mask is None:
        return _whole(image_bgr, bare)
    _, _, wide, high = cv2.boundingRect(mask)
    full = cv2.resize(mask * np.uint8(255), (width, height), interpolation=cv2.INTER_LINEAR) > 127
    if max(wide / small.shape[1], high / small.shape[0]) < SMALL_SHARE and max(small.shape[:2]) < max(height, width):
        return _magnified(image_bgr, full, bare)
    astray = _is_astray(mask)
    fills = wide >= FULL_SHARE * small.shape[1] and high >= FULL_SHARE * small.shape[0]
    if fills or astray or _clearness(log_bgr, mask) < CLEAR:
        return _whole(image_bgr, bare)
    return Found(_box_of(full), full, bare, tight=False)


def shrink_to(image_bgr: ImageBgr, longer_px: int) -> ImageBgr:
    """The picture with its longer side at most `longer_px`."""
    height, width = image_bgr.shape[:2]
    shrink = longer_px / max(height, width)
    if shrink >= 1:
        return image_bgr
    size = (max(round(width * shrink), 1), max(round(height * shrink), 1))
    return cv2.resize(image_bgr, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _magnified(image_bgr: ImageBgr, rough: NDArray[np.bool_], bare: tuple[float, float, float] | None) -> Found:
    """Looks again, only at the surroundings of a small part whose rough mask is known."""
    u0, v0, u1, v1 = _box_of(rough)
    grow = max(u1 - u0, v1 - v0, LEAST_PX)
    left, top = max(u0 - grow, 0), max(v0 - grow, 0)
    closer = find_part(image_bgr[top : v1 + grow, left : u1 + grow])
    if closer.tight:
        return _whole(image_bgr, bare)
    mask = np.zeros(rough.shape, np.bool_)
    mask[top : v1 + grow, left : u1 + grow] = closer.mask
    return Found(_box_of(mask), mask, closer.background_bgr, tight=False)


def _box_of(mask: NDArray[np.bool_]) -> Box:
    left, top, wide, high = cv2.boundingRect(mask.view(np.uint8))
    return left, top, left + wide, top + high


def _whole(image_bgr: ImageBgr, background_bgr: tuple[float, float, float] | None) -> Found:
    height, width = image_bgr.shape[:2]
    return Found((0, 0, width, height), np.ones((height, width), np.bool_), background_bgr, tight=True)


def _part_mask(found: FloatImage, stray: float) -> NDArray[np.uint8] | None:
    """(h, w) 0/1 of the part, holes filled; None when nothing stands out."""
    threshold = max(LEAST_CONTRAST, 4 * stray)
    rough = (found > threshold).astype(np.uint8)
    chosen = _main_blob(rough)
    if chosen is None:
        return None
    contrast = min(float(np.median(found[chosen > 0])), MOST_CONTRAST)
    near = cv2.dilate(chosen, np.ones((3, 3), np.uint8))
    exact = ((found > max(0.75 * threshold, HALF_CONTRAST * contrast)) & (near > 0)).astype(np.uint8)
    return _main_blob(exact)


def _main_blob(mask: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """The largest blob, those in the middle preferred, with its holes filled and the fragments around it."""
    height, width = mask.shape
    closed = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    opened = cv2.morphologyEx(closed, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    contours, _ = cv2.findContours(opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    centre = np.array([width / 2, height / 2])

    def weight(contour: NDArray[np.int32]) -> float:
        u, v, wide, high = cv2.boundingRect(contour)
        off = np.abs((np.array([u + wide / 2, v + high / 2]) - centre) / centre).max()
        return cv2.contourArea(contour) * (1.2 - float(off))

    if not contours:
        return None
    main = max(contours, key=weight)  # pyright: ignore[reportArgumentType, reportCallIssue]
    if cv2.contourArea(main) < LEAST_AREA * height * width:
        return None
    blob = np.zeros((height, width), np.uint8)
    cv2.drawContours(blob, [main], -1, (1,), cv2.FILLED)
    return blob


def _is_astray(mask: NDArray[np.uint8]) -> bool:
    """Whether a blob lies at the border and off the middle: what is left of the background around a large part."""
    height, width = mask.shape
    left, top, wide, high = cv2.boundingRect(mask)
    at_border = left == 0 or top == 0 or left + wide == width or top + high == height
    return at_border and not mask[2 * height // 5 : 3 * height // 5 + 1, 2 * width // 5 : 3 * width // 5 + 1].any()


def _clearness(log_bgr: FloatImage, mask: NDArray[np.uint8]) -> float:
    """Steepness of the outline against the steepest that is left outside: where the part goes on beyond its mask, its
    own edges are out there."""
    slopes = [cv2.Sobel(log_bgr, cv2.CV_32F, du, 1 - du, scale=1 / 8) for du in (0, 1)]
    steep = np.sqrt(slopes[0] ** 2 + slopes[1] ** 2).max(axis=2)
    inner = np.zeros(mask.shape, np.bool_)
    inner[FRAME:-FRAME, FRAME:-FRAME] = True
    rim = (mask != cv2.erode(mask, NEAR[:3, :3], borderValue=(1,))) & inner
    outside = (cv2.dilate(mask, OFF) == 0) & inner
    if not rim.any():
        return 0.0
    climb = float(np.percentile(cv2.dilate(steep, NEAR)[rim], 30))
    if np.count_nonzero(outside) < LEAST_OUTSIDE:
        return climb / LEAST_SLOPE
    usual, steepest = (float(value) for value in np.percentile(steep[outside], (50, OUTSIDE_PERCENTILE)))
    if steepest > max(EDGE_SLOPE, EDGE_SHARE * usual):
        return 0.0
    return climb / max(steepest, LEAST_SLOPE)


def _bare_colour(small: ImageBgr, found: FloatImage, stray: float) -> tuple[float, float, float] | None:
    bare = small[found < 0.5 * max(LEAST_CONTRAST, 4 * stray)]
    if len(bare) < 0.02 * found.size:
        return None
    blue, green, red = (float(value) for value in np.median(bare, axis=0))
    return blue, green, red
