"""The pictures of a report: what the worst parts look like, and how the network saw them when it was wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from quantization.data.layers import LayerSet
from quantization.evaluate.figures import WorstPart
from quantization.evaluate.looks import UnseenLooks
from quantization.render.compose import compose

PICTURE_PX = 96
SEEN_WRONG = 3
"""Mistaken looks shown of each part."""
JPEG = (cv2.IMWRITE_JPEG_QUALITY, 82)
PLASTIC, PAPER = np.array([0.95, 0.80, 0.22], np.float32), np.array([0.93, 0.94, 0.96], np.float32)


def portrait_name(number: str) -> str:
    """The file of a part's own picture."""
    return f"{_plain(number)}.jpg"


def mistake_name(number: str, place: int) -> str:
    """The file of the part's n-th mistaken look."""
    return f"{_plain(number)}-mistaken-{place}.jpg"


def write_pictures(
    folder: Path,
    numbers: Sequence[str],
    worst: Sequence[WorstPart],
    renders: LayerSet,
    looks: UnseenLooks,
    answers: NDArray[np.int64],
) -> None:
    """Writes a portrait of each of the worst parts and of what it was taken for, and its mistaken looks.

    Args:
        folder: for the pictures.
        numbers: (K,) of the classes.
        worst: the parts to show.
        renders: where portraits are taken from.
        looks: the looks that were judged.
        answers: (N,) of those.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for family in {family for part in worst for family in (part.family, *(other for other, _ in part.taken_for))}:
        _write(folder / portrait_name(numbers[family]), _portrait(renders, family))
    for part in worst:
        wrong = np.flatnonzero((looks.families == part.family) & (answers != part.family))
        spread = wrong[np.linspace(0, len(wrong) - 1, min(SEEN_WRONG, len(wrong))).astype(int)]
        for place, index in enumerate(spread):
            _write(folder / mistake_name(numbers[part.family], place), looks.picture(int(index)))


def _portrait(renders: LayerSet, family: int) -> NDArray[np.uint8]:
    """The render seen least steeply from above among a family's opaque ones, in yellow on paper."""
    candidates = np.flatnonzero((renders.family == family) & (renders.elevation_deg > 0))
    if not len(candidates):
        candidates = np.flatnonzero(renders.family == family)
    slant = np.abs(renders.elevation_deg[candidates] - 45) + 1000 * renders.transparent[candidates]
    best = int(candidates[slant.argmin()])
    return compose(renders.picture(best), PLASTIC, PAPER, bool(renders.transparent[best]))


def _write(file: Path, rgb: NDArray[np.uint8]) -> None:
    small = cv2.resize(rgb, (PICTURE_PX, PICTURE_PX), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(file), cv2.cvtColor(small, cv2.COLOR_RGB2BGR), JPEG)


def _plain(number: str) -> str:
    """A part number as a file name."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", number)
