"""A faint part that touches a bright one: what the outline of the bright one leaves over, where that is no shadow.

An outline is drawn where the evidence falls to a share of the part's own. Beside a yellow part, all of a grey one lies
below that. What is left over is mostly the bright part's shadow, which has no hue of its own and is a narrow strip:
of 900 single parts on the simulated machine none had one wider than 6.9 mm outside its hull.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.light import FloatImage
from edge.tracking.shadow import Mask, hue_against_shadow

RIM_MM = 1.2
"""Blur, and walls seen aslant: so close to an outline nothing is left over."""
LEAST_AREA_MM2 = 6.0
CLOSED_MM = 4.0
"""Of a clear part, or one in the belt's own colour, little more than its rims are seen."""
LEAST_ACROSS_MM = 2.6
WIDEST_SHADOW_MM = 7.0
"""What is left over needs to be so wide somewhere to be looked at, and wider than this to be a part without a hue."""


def fainter_parts(
    found: FloatImage, residual: FloatImage, outlined: Mask, threshold: float, mm_per_px: float
) -> Iterator[NDArray[np.bool_]]:
    """The masks (h, w) of the parts beside the ones that are outlined already.

    Args:
        found: (h, w) evidence.
        residual: (h, w, 3) log difference from the bare belt.
        outlined: (h, w) 0/1, the hulls of what has an outline.
        threshold: least evidence for any part.
        mm_per_px: of all of them.
    """
    above = (found > threshold).astype(np.uint8)
    free = 1 - cv2.dilate(outlined, _disc(2 * RIM_MM, mm_per_px))
    left = np.asarray(cv2.bitwise_and(above, free), np.uint8)
    if cv2.countNonZero(left) * mm_per_px**2 < LEAST_AREA_MM2:
        return
    closed = cv2.bitwise_and(_closed(left, mm_per_px), free)
    core = cv2.erode(closed, _disc(LEAST_ACROSS_MM, mm_per_px), borderType=cv2.BORDER_CONSTANT, borderValue=(0,))
    if not cv2.countNonZero(core):
        return
    count, labels = cv2.connectedComponents(closed)
    for label in range(1, count):
        piece = labels == label
        if core[piece].any() and _is_part(piece, residual[piece & (left > 0)], mm_per_px):
            near = cv2.dilate(piece.astype(np.uint8), _disc(2 * RIM_MM + 2 * mm_per_px, mm_per_px))
            yield (near > 0) & ((above > 0) | piece) & (outlined == 0)


def _is_part(piece: NDArray[np.bool_], colours: FloatImage, mm_per_px: float) -> bool:
    """Whether a piece (h, w) with pixels of these colours (N, 3) is too wide for a shadow: the less it has a shadow's
    hue, the sooner."""
    inner = cv2.distanceTransform(piece.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3)
    return 2 * float(inner.max()) * mm_per_px > WIDEST_SHADOW_MM * (1 - hue_against_shadow(colours.mean(axis=0)))


def _closed(mask: Mask, mm_per_px: float) -> Mask:
    """Rims joined to what they go around, also where that is cut off by the crop's border."""
    disc = _disc(CLOSED_MM, mm_per_px)
    pad = disc.shape[0]
    roomy = cv2.copyMakeBorder(mask, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=(0,))
    return np.asarray(cv2.morphologyEx(roomy, cv2.MORPH_CLOSE, disc)[pad:-pad, pad:-pad], np.uint8)


def _disc(across_mm: float, mm_per_px: float) -> Mask:
    side = 2 * max(round(across_mm / mm_per_px / 2), 1) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)
