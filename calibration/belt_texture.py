"""How far the belt goes between two pictures, by its own texture: its weave, its dirt, its clouds of wear.

The belt's surface is the plane that the camera's scale holds for, so that nothing has to be known of the height of
parts; and there is always some of it in view. A belt too plain for it shows in `Shift.clear`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.records import ImageBgr

FINE_PX_PER_MM = 2.5
"""Pictures are shrunk to about this scale: a shift is still known to a twentieth of a px, 0.02 mm."""
COARSE = 2
"""The whole picture is searched on one smaller by so much again."""
SMOOTH_PX, LOCAL_PX = 0.8, 12.0
"""Noise below, light and shading above: what lies between is texture."""
STRONGEST = 4.0
"""Texture stronger than this many standard deviations, such as a part's rim, counts no more than that."""
REACH_PX = 3
"""How far off the coarse shift may be, in coarse px."""
LEAST_OVERLAP = 0.2
CLEAR_LIKENESS, CLEAR_PEAK, SURE_LIKENESS = 0.08, 7.0, 0.3
"""By chance two pictures of 600 × 300 px are alike to 0.01, and their best shift is 5 standard deviations high. Where
ribs repeat it is hardly higher, but the pictures are alike."""

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Shift:
    """How far what is seen moved, right and down, in px of the pictures as they were given."""

    u_px: float
    v_px: float
    likeness: float
    """Correlation of the two pictures where they overlap."""
    clear: bool
    """Whether that is a match, or chance."""


def shrink_for_texture(image_bgr: ImageBgr, px_per_mm: float) -> tuple[Bytes, int]:
    """(h, w) grey picture as the search needs it, and by how much it is smaller."""
    factor = max(round(px_per_mm / FINE_PX_PER_MM), 1)
    grey = cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY)
    if factor > 1:
        height, width = grey.shape
        grey = grey[: height // factor * factor, : width // factor * factor]
        grey = cv2.resize(grey, (width // factor, height // factor), interpolation=cv2.INTER_AREA)
    return np.asarray(grey, np.uint8), factor


def still_part(pictures: Sequence[Bytes]) -> Floats:
    """(h, w) what stays where it is while the belt moves: shading, a reflection, dust on the lens. Of grey pictures,
    the more the better."""
    return np.asarray(np.mean(list(pictures), axis=0), np.float32)


def texture_of(picture: Bytes, still: Floats | None) -> Floats:
    """(h, w) the texture in a grey picture, its standard deviation about 1; without `still`, of all that is seen."""
    seen = picture.astype(np.float32) if still is None else picture - still
    seen = cv2.GaussianBlur(seen, (0, 0), SMOOTH_PX) - cv2.GaussianBlur(seen, (0, 0), LOCAL_PX)
    spread = float(np.median(np.abs(seen[::2, ::2]))) * 1.4826 + 1e-3
    return np.clip(seen / spread, -STRONGEST, STRONGEST).astype(np.float32)


def shift_between(before: Floats, after: Floats, factor: int) -> Shift:
    """How far the texture went from one picture (h, w) to the other, which was shrunk by `factor`."""
    coarse_u, coarse_v, peak = _coarse(before, after)
    u, v, likeness = _fine(before, after, coarse_u, coarse_v)
    clear = likeness >= SURE_LIKENESS or (peak >= CLEAR_PEAK and likeness >= CLEAR_LIKENESS)
    return Shift(u * factor, v * factor, likeness, clear)


def _coarse(before: Floats, after: Floats) -> tuple[int, int, float]:
    """The shift at which the pictures correlate best, to a few px, and how many standard deviations high it is."""
    height, width = (side // COARSE for side in before.shape)
    small = [cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA) for picture in (before, after)]
    window = np.outer(np.hanning(height), np.hanning(width)).astype(np.float32)
    first, second = (np.fft.rfft2(picture * window) for picture in small)
    found = np.fft.irfft2(second * np.conj(first), s=(height, width))
    row, column = (int(k) for k in np.unravel_index(int(found.argmax()), found.shape))
    v, u = (row + height // 2) % height - height // 2, (column + width // 2) % width - width // 2
    return COARSE * u, COARSE * v, float(found.max() / (found.std() + 1e-9))


def _fine(before: Floats, after: Floats, u: int, v: int) -> tuple[float, float, float]:
    """The shift near (u, v) to a fraction of a px, and the correlation there: only what is in both pictures counts, so
    that nothing pulls the shift to zero."""
    height, width = before.shape
    reach = COARSE * REACH_PX
    rows, columns = height - abs(v) - 2 * reach, width - abs(u) - 2 * reach
    if rows < LEAST_OVERLAP * height or columns < LEAST_OVERLAP * width:
        return float(u), float(v), 0.0
    top, left = max(-v, 0) + reach, max(-u, 0) + reach
    wanted = before[top : top + rows, left : left + columns]
    place = after[
        top + v - reach : top + v + rows + reach,
        left + u - reach : left + u + columns + reach,
    ]
    found = np.asarray(cv2.matchTemplate(place, wanted, cv2.TM_CCOEFF_NORMED), np.float32)
    row, column = (int(k) for k in np.unravel_index(int(found.argmax()), found.shape))
    offset_u = column - reach + _top_of(found[row], column)
    offset_v = row - reach + _top_of(found[:, column], row)
    return u + offset_u, v + offset_v, float(found[row, column])


def _top_of(values: Floats, middle: int) -> float:
    """How far the top of the parabola through three values lies from the middle one."""
    if not 0 < middle < len(values) - 1:
        return 0.0
    low, mid, high = (float(value) for value in values[middle - 1 : middle + 2])
    bend = low - 2 * mid + high
    return 0.5 * (low - high) / bend if bend < 0 else 0.0
