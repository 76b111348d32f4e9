"""A faint part that touches a bright one: what the outline of the bright one leaves over, where that is no shadow.

An outline is drawn where the evidence falls to a share of the part's own. Beside a yellow part, all of a grey one lies
below that. What is left over is mostly the bright part's shadow, which has no hue of its own and is a narrow strip:
on the simulated machine 1 of 300 single parts had one wider than 6 mm, and 22 of 23 fainter parts were.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.light import FloatImage
from edge.tracking.shadow import Mask, has_hue_of_shadow

RIM_MM = 1.2
"""Blur, and walls seen aslant: so close to an outline nothing is left over."""
LEAST_ACROSS_MM = 2.6
WIDEST_SHADOW_MM = 6.2
"""What is left over needs to be so wide somewhere to be looked at, and so wide to be a part without a hue."""


def fainter_parts(
    found: FloatImage, residual: FloatImage, outlined: Mask, threshold: float, mm_per_px: float
) -> Iterator[NDArray[np.bool_]]:
    """The masks (h, w) of the parts beside the ones that are outlined already.

    Args:
        found: (h, w) evidence.
        residual: (h, w, 3) log difference from the bare belt.
        outlined: (h, w) 0/1, what has an outline, without holes.
        threshold: least evidence for any part.
        mm_per_px: of all of them.
    """
    above = (found > threshold).astype(np.uint8)
    left = cv2.bitwise_and(above, cv2.bitwise_not(cv2.dilate(outlined, _disc(2 * RIM_MM, mm_per_px))))
    core = cv2.erode(left, _disc(LEAST_ACROSS_MM, mm_per_px), borderType=cv2.BORDER_CONSTANT, borderValue=(0,))
    if not cv2.countNonZero(core):
        return
    count, labels = cv2.connectedComponents(left)
    for label in range(1, count):
        piece = labels == label
        if core[piece].any() and _is_part(piece, residual, mm_per_px):
            near = cv2.dilate(piece.astype(np.uint8), _disc(2 * RIM_MM + 2 * mm_per_px, mm_per_px))
            yield (near > 0) & (above > 0) & (outlined == 0)


def _is_part(piece: NDArray[np.bool_], residual: FloatImage, mm_per_px: float) -> bool:
    if not has_hue_of_shadow(residual[piece].mean(axis=0)):
        return True
    inner = cv2.distanceTransform(piece.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3)
    return 2 * float(inner.max()) * mm_per_px > WIDEST_SHADOW_MM


def _disc(across_mm: float, mm_per_px: float) -> Mask:
    side = 2 * max(round(across_mm / mm_per_px / 2), 1) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)
