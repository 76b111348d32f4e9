"""Cuts a look at a part out of a camera picture, and says how good it is."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.records import ImageBgr, Look, Picture
from edge.tracking.refine import Blob

MARGIN = 0.25
"""Free space around the part's box, as a share of the box's longer side."""
SHARP_RISE = 0.22
"""A sharp rim climbs this share of the picture's contrast in one pixel."""
GOOD_SIZE_PX = 48
CUT_QUALITY = 0.4
BURNT_OUT, BLACK = 252, 4
SAMPLES_PX = 48
"""Quality is judged on about so many pixels a side."""
LEAST_BARE, BARE_SAMPLES = 24, 128


def make_look(picture: Picture, blob: Blob, track_id: int, frame_index: int, mm_per_px: float | None) -> Look:
    """A look at `blob`, with pictures of its own (copies, so that the camera's buffer can be reused)."""
    u0, v0, u1, v1 = blob.detection.box_px
    margin = max(round(MARGIN * max(u1 - u0, v1 - v0)), 2)
    left, top = max(u0 - margin, 0), max(v0 - margin, 0)
    right, bottom = min(u1 + margin, picture.shape[1]), min(v1 + margin, picture.shape[0])
    crop = picture[top:bottom, left:right].copy()
    mask = np.zeros(crop.shape[:2], np.bool_)
    mask[v0 - top : v1 - top, u0 - left : u1 - left] = blob.mask
    stride = max(max(crop.shape[:2]) // SAMPLES_PX, 1)
    thin, thin_mask = crop[::stride, ::stride], mask[::stride, ::stride]
    quality = look_quality(crop, thin[thin_mask], (u1 - u0, v1 - v0), cut=blob.detection.at_edge)
    return Look(
        track_id=track_id,
        frame_index=frame_index,
        view=blob.detection.view,
        crop_bgr=crop,
        mm_per_px=mm_per_px,
        quality=quality,
        background_bgr=background_around(thin, thin_mask),
        mask=mask,
    )


def background_around(crop_bgr: ImageBgr, mask: NDArray[np.bool_]) -> tuple[float, float, float] | None:
    """Median colour of the pixels well off the part; None when there are too few."""
    reach = max(round(0.08 * max(mask.shape)), 1)
    grown = cv2.dilate(mask.astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    bare = crop_bgr[grown == 0]
    if len(bare) < LEAST_BARE:
        return None
    middle = np.sort(bare[:: max(len(bare) // BARE_SAMPLES, 1)], axis=0)
    blue, green, red = (float(value) for value in middle[len(middle) // 2])
    return blue, green, red


def look_quality(crop_bgr: ImageBgr, part_pixels: NDArray[np.uint8], size_px: tuple[int, int], *, cut: bool) -> float:
    """0 … 1 from sharpness, exposure, size and completeness.

    Args:
        crop_bgr: (h, w, 3) the look.
        part_pixels: (N, 3) pixels of the part.
        size_px: width and height of the part's box.
        cut: whether a part of it is outside the picture.
    """
    size = min(max(size_px) / GOOD_SIZE_PX, 1.0)
    exposure = 1.0
    if len(part_pixels):
        blue, green, red = part_pixels.T
        burnt_out = np.count_nonzero((blue >= BURNT_OUT) & (green >= BURNT_OUT) & (red >= BURNT_OUT))
        black = np.count_nonzero((blue <= BLACK) & (green <= BLACK) & (red <= BLACK))
        exposure = min(max(1.2 - (burnt_out + black) / len(part_pixels), 0.1), 1.0)
    return max(sharpness(crop_bgr) * size * exposure * (CUT_QUALITY if cut else 1.0), 0.02)


def sharpness(crop_bgr: ImageBgr) -> float:
    """0 … 1: how steep the rims are against the contrast of the picture, in the direction in which they are softer: a
    moving belt blurs along its way."""
    height, width = crop_bgr.shape[:2]
    rows = crop_bgr[height // 6 : height - height // 6, width // 6 : width - width // 6]
    green = np.ascontiguousarray(rows[:, :, 1])
    if min(green.shape) < 4:
        return 0.1
    low, high = _percentiles(green[::3, ::3], 3, 97)
    if high - low < 4:
        return 0.1
    stride = max(max(green.shape) // SAMPLES_PX, 1)
    start = green[:-1:stride, :-1:stride].astype(np.int16)
    across = np.abs(green[:-1:stride, 1::stride] - start)
    down = np.abs(green[1::stride, :-1:stride] - start)
    steep = min(*_percentiles(across, 98), *_percentiles(down, 98))
    return float(min(steep / (high - low) / SHARP_RISE, 1.0))


def _percentiles(values: NDArray[np.integer], *shares: int) -> list[float]:
    """Percentiles of a few hundred values: quicker than NumPy's, which serve any size and weight."""
    places = [values.size * share // 100 for share in shares]
    ordered = np.partition(values, places, axis=None)
    return [float(ordered[place]) for place in places]
