"""Finds the one part in a single picture: on a plain background, or in a crop that the part fills.

The background is what most of the picture's border agrees on, up to a gradient. What differs from it and stands in the
middle is the part. When in doubt the whole picture is the part: a box too wide costs little, one that cuts it a lot.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.light import FloatImage, evidence, log_image
from edge.records import Box, ImageBgr

LEAST_PX = 16
WORK_PX = 160
"""Longer side of the picture that is looked at."""
RING_SHARE = 0.04
"""Width of the border that shows the background, as a share of the shorter side."""
HYPOTHESES = 4
AGREE = 0.10
"""Log difference up to which a pixel agrees with a background; more where the border is rough."""
LEAST_RING = 0.30
"""Share of the border that has to agree on a background."""
BENT_SHARE = 0.7
BENT_REACH = 0.3
"""When so much of the picture is so close to the border's background, its whole surface is fitted, bent."""
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


@dataclass(frozen=True, slots=True)
class _Backdrop:
    """A background: its log picture (h, w, 3), and how far bare pixels stray from it."""

    log_bgr: FloatImage
    stray: float
    ring_share: float


def find_part(image_bgr: ImageBgr) -> Found:
    """The part in a picture (H, W, 3), the most central of the large ones where several are in view."""
    height, width = image_bgr.shape[:2]
    if min(height, width) < LEAST_PX:
        return _whole(image_bgr, None)
    small = shrink_to(image_bgr, WORK_PX)
    log_bgr = cv2.GaussianBlur(log_image(small), (3, 3), 0).astype(np.float32, copy=False)
    backdrop = _backdrop(log_bgr)
    if backdrop is None:
        return _whole(image_bgr, None)
    backdrop = _bent(log_bgr, backdrop)
    found = evidence(cv2.subtract(log_bgr, backdrop.log_bgr).astype(np.float32, copy=False))
    bare = _bare_colour(small, found, backdrop.stray)
    mask = _part_mask(found, backdrop.stray)
    if mask is None:
        return _whole(image_bgr, bare)
    _, _, wide, high = cv2.boundingRect(mask)
    full = cv2.resize(mask * np.uint8(255), (width, height), interpolation=cv2.INTER_LINEAR) > 127
    if max(wide / small.shape[1], high / small.shape[0]) < SMALL_SHARE and max(small.shape[:2]) < max(height, width):
        return _magnified(image_bgr, full, bare)
    fills = wide >= FULL_SHARE * small.shape[1] and high >= FULL_SHARE * small.shape[0]
    if fills or _clearness(log_bgr, mask) < CLEAR:
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


def _backdrop(log_bgr: FloatImage) -> _Backdrop | None:
    """The background that most of the border agrees on and the middle does not; None without one."""
    height, width = log_bgr.shape[:2]
    reach = max(round(RING_SHARE * min(height, width)), 2)
    ring = np.ones((height, width), np.bool_)
    ring[reach:-reach, reach:-reach] = False
    middle = np.zeros((height, width), np.bool_)
    middle[height // 3 : -(height // 3), width // 3 : -(width // 3)] = True
    v, u = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    plane = np.dstack([np.ones_like(u), u, v])
    border = log_bgr[ring]
    best: tuple[float, _Backdrop] | None = None
    for centre in _border_colours(border):
        fitted = _fit(plane[ring], border, centre)
        if fitted is None:
            continue
        planes, stray = fitted
        surface = (plane.reshape(-1, 3) @ planes).reshape(log_bgr.shape).astype(np.float32)
        near = np.abs(log_bgr - surface).max(axis=2) <= AGREE + 2 * stray
        share = float(near[ring].mean())
        score = share - 0.5 * float(near[middle].mean())
        if share >= LEAST_RING and (best is None or score > best[0]):
            best = (score, _Backdrop(surface, stray, share))
    return best[1] if best else None


def _bent(log_bgr: FloatImage, flat: _Backdrop) -> _Backdrop:
    """The background with the lens's fall-off of light, where most of the picture is background; else as it was."""
    height, width = log_bgr.shape[:2]
    v, u = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    basis = np.dstack([np.ones_like(u), u, v, u * u, u * v, v * v]).reshape(-1, 6)
    values = log_bgr.reshape(-1, 3)
    near, reach = np.ones(len(values), np.bool_), BENT_REACH
    surface = flat.log_bgr.reshape(-1, 3)
    for _ in range(3):
        error = np.abs(values - surface).max(axis=1)
        near = error <= reach
        if near.mean() < BENT_SHARE:
            return flat
        chosen = basis[near]
        moments = chosen.T @ chosen + 1e-3 * np.eye(6, dtype=np.float32)
        surface = basis @ np.linalg.solve(moments, chosen.T @ values[near])
        reach = BENT_REACH / 2
    stray = float(np.median(np.abs(values[near] - surface[near]).max(axis=1)))
    return _Backdrop(surface.reshape(log_bgr.shape).astype(np.float32), stray, flat.ring_share)


def _border_colours(border: FloatImage) -> FloatImage:
    """Up to `HYPOTHESES` log colours that the border (N, 3) is made of."""
    samples = np.ascontiguousarray(border[:: max(len(border) // 400, 1)])
    ranks = np.argsort(np.argsort(samples.sum(axis=1)))
    start = (ranks * HYPOTHESES // len(samples)).astype(np.int32).reshape(-1, 1)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 12, 0.02)
    _, _, centres = cv2.kmeans(samples, HYPOTHESES, start, criteria, 1, cv2.KMEANS_USE_INITIAL_LABELS)
    return np.asarray(centres, np.float32)


def _fit(basis: FloatImage, border: FloatImage, centre: FloatImage) -> tuple[FloatImage, float] | None:
    """Planes (3, 3) through the border pixels that agree with a colour, widened step by step, and their stray."""
    planes = np.zeros((3, 3), np.float32)
    planes[0] = centre
    stray = 0.04
    for _ in range(4):
        error = np.abs(border - basis @ planes).max(axis=1)
        near = error <= AGREE + 2 * stray
        if np.count_nonzero(near) < 0.1 * len(border):
            return None
        chosen = basis[near]
        moments = chosen.T @ chosen + 0.02 * len(chosen) * np.diag(np.float32([0, 1, 1]))
        planes = np.linalg.solve(moments, chosen.T @ border[near]).astype(np.float32)
        stray = min(float(np.median(np.abs(border[near] - chosen @ planes).max(axis=1))), 0.06)
    return planes, stray


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
    cv2.drawContours(blob, [main], -1, 1, cv2.FILLED)
    return blob


def _clearness(log_bgr: FloatImage, mask: NDArray[np.uint8]) -> float:
    """Steepness of the outline against the steepest that is left outside: where the part goes on beyond its mask, its
    own edges are out there."""
    slopes = [cv2.Sobel(log_bgr, cv2.CV_32F, du, 1 - du, scale=1 / 8) for du in (0, 1)]
    steep = np.sqrt(slopes[0] ** 2 + slopes[1] ** 2).max(axis=2)
    inner = np.zeros(mask.shape, np.bool_)
    inner[FRAME:-FRAME, FRAME:-FRAME] = True
    rim = (mask != cv2.erode(mask, NEAR[:3, :3], borderType=cv2.BORDER_REPLICATE)) & inner
    outside = (cv2.dilate(mask, OFF) == 0) & inner
    if not rim.any():
        return 0.0
    climb = float(np.percentile(cv2.dilate(steep, NEAR)[rim], 30))
    if np.count_nonzero(outside) < LEAST_OUTSIDE:
        return climb / LEAST_SLOPE
    return climb / max(float(np.percentile(steep[outside], OUTSIDE_PERCENTILE)), LEAST_SLOPE)


def _bare_colour(small: ImageBgr, found: FloatImage, stray: float) -> tuple[float, float, float] | None:
    bare = small[found < 0.5 * max(LEAST_CONTRAST, 4 * stray)]
    if len(bare) < 0.02 * found.size:
        return None
    blue, green, red = (float(value) for value in np.median(bare, axis=0))
    return blue, green, red
