"""How much a blob looks like two parts that touch, for fusion to weigh against its size.

Two parts that touch fill their common rectangle badly, leave notches on both sides where they meet, and are mostly of
two colours, each on its own side. None of it is proof by itself: the four are added up, in the proportions and with the
bound of a logistic regression on 885 single parts of the simulated machine and 352 touching pairs that
`edge.tracking.fainter` does not take apart (the size, which fusion adds, was its fifth input).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.records import UNFILLED
from edge.tracking.shape import Colours, Contour, Outline, facing_notches, sampled_tones

NECK, HUES, TONES = 4.9, 3.4, 1.5
"""What the depth of the neck, and the differences of two halves in hue and with the brightness count, by their square
roots, beside `UNFILLED`."""
LEAST_SHARE = 0.12
"""What is beyond the neck has this share of the area."""
COLOUR_SAMPLES = 400
LEAST_PIXELS, LEAST_GROUP = 40, 8
ROUNDS = 8


def twofoldness(contour: Contour, outline: Outline, residual: NDArray[np.float32], mask: NDArray[np.bool_]) -> float:
    """How much a blob looks like two parts that touch: most single parts are below 3.

    Args:
        contour, outline: of the blob.
        residual: (h, w, 3) log difference from the bare belt, in the contour's box.
        mask: (h, w) pixels of the blob.
    """
    unfilled = max(1 - cv2.contourArea(contour) / (outline.length_px * outline.width_px), 0.0)
    hues, tones = colour_gaps(residual, mask)
    return UNFILLED * unfilled + NECK * neck(contour, outline) ** 0.5 + HUES * hues**0.5 + TONES * tones**0.5


def neck(contour: Contour, outline: Outline) -> float:
    """0 … 1: how deep two notches that face each other cut in, times how much narrower than the blob it is there."""
    necks = (
        depth * (1 - across)
        for depth, across, beyond in facing_notches(contour, outline)
        if across < 1 and LEAST_SHARE < beyond < 1 - LEAST_SHARE
    )
    return min(max(necks, default=0.0), 1.0)


def colour_gaps(residual: NDArray[np.float32], mask: NDArray[np.bool_]) -> tuple[float, float]:
    """How far the two main colours of a blob lie apart, times how well a straight line parts their pixels: in hue
    alone, and with the brightness. Arguments as of `twofoldness`."""
    tones, u, v = sampled_tones(residual, mask, COLOUR_SAMPLES)
    if len(u) < LEAST_PIXELS:
        return 0.0, 0.0
    places = np.stack([u - u.mean(), v - v.mean()], axis=1)
    return _parted(tones - tones.mean(axis=1, keepdims=True), places), _parted(tones, places)


def _parted(colours: Colours, places: NDArray[np.float64]) -> float:
    """Two groups of colours (N, 3) along their main axis, by two means; their distance, times the share of the parting
    that a linear function of the places (N, 2) explains."""
    centred = colours - colours.mean(axis=0)
    main = np.linalg.eigh(centred.T @ centred)[1][:, -1]
    along, bound = centred @ main, 0.0
    total = float(along.sum())
    for _ in range(ROUNDS):
        above = along > bound
        count = int(np.count_nonzero(above))
        if not 0 < count < len(above):
            return 0.0
        high = float(along @ above)
        last, bound = bound, (high / count + (total - high) / (len(above) - count)) / 2
        if bound == last:
            break
    above = along > bound
    if not LEAST_GROUP <= np.count_nonzero(above) <= len(above) - LEAST_GROUP:
        return 0.0
    gap = float(np.linalg.norm(colours[above].mean(axis=0) - colours[~above].mean(axis=0)))
    group = above - above.mean()
    # Least squares by their normal equations: the residual's part that a linear function of the places takes away.
    shared = places.T @ group
    try:
        explained = float(shared @ np.linalg.solve(places.T @ places, shared) / (group @ group))
    except np.linalg.LinAlgError:  # all in one row of pixels
        return 0.0
    return gap * max(explained, 0.0)
