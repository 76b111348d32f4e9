"""Finds the parts on the moving belt: coarsely on a small picture, then exactly in the full one around each part."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.light import FloatImage
from edge.records import Box, Picture
from edge.scaling import shrink_box
from edge.tracking.background import Background
from edge.tracking.geometry import BeltGeometry
from edge.tracking.refine import Blob, Refiner

COARSE_PX_PER_MM = 1.25
"""Scale of the small picture: a part of 5 mm still covers 6 × 6 pixels."""
SEED_FACTOR = 1.6
"""A blob needs some evidence this far above the threshold; its rim only needs the threshold."""
SEED_SHARE = 0.15
CLOSING = np.ones((3, 3), np.uint8)
OPENING = np.ones((2, 2), np.uint8)
GROWN = np.ones((5, 5), np.uint8)


class Segmenter:
    """Finds the blobs of one view."""

    def __init__(self, view: str, geometry: BeltGeometry, min_area_mm2: float) -> None:
        self._geometry = geometry
        self._shrink = max(round(geometry.px_per_mm / COARSE_PX_PER_MM), 1)
        self._least_px = 0.5 * min_area_mm2 * (geometry.px_per_mm / self._shrink) ** 2
        self._refiner = Refiner(view, geometry, min_area_mm2, self._shrink)
        self._background: Background | None = None

    def find(self, picture: Picture, travel_mm: float) -> list[Blob]:
        """The blobs in a camera picture (H, W, 3); `travel_mm` is the belt's way since the last one."""
        small = shrink_box(picture, self._geometry.region_px, self._shrink)
        if self._background is None:
            self._background = Background(small)
        background = self._background
        found = background.compare(small, travel_mm)
        labels, boxes = self._coarse_blobs(found, background.threshold)
        blobs = [blob for label, box in boxes for blob in self._refiner.blobs(picture, background, labels, label, box)]
        covered = np.asarray(cv2.dilate((labels > 0).astype(np.uint8) * np.uint8(255), GROWN), np.uint8)
        background.learn(covered)
        return blobs

    def _coarse_blobs(self, found: FloatImage, threshold: float) -> tuple[NDArray[np.int32], list[tuple[int, Box]]]:
        """Labels of the small picture (0 = bare) and the label and box of each blob worth a closer look."""
        low = (found > threshold).astype(np.uint8)
        low = cv2.morphologyEx(cv2.morphologyEx(low, cv2.MORPH_CLOSE, CLOSING), cv2.MORPH_OPEN, OPENING)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(low, connectivity=8, ltype=cv2.CV_32S)
        labels = np.asarray(labels, np.int32)
        seeded = np.bincount(labels[found > SEED_FACTOR * threshold], minlength=count)
        boxes: list[tuple[int, Box]] = []
        for label in range(1, count):
            left, top, width, height, area = (int(value) for value in stats[label])
            box = (left, top, left + width, top + height)
            worthy = area >= self._least_px and seeded[label] >= SEED_SHARE * self._least_px
            if worthy and not self._spans_belt(box, labels.shape):
                boxes.append((label, box))
        return labels, boxes

    def _spans_belt(self, box: Box, shape: tuple[int, ...]) -> bool:
        """A seam or a band of light reaches across the whole belt; no part does."""
        if self._geometry.along_v:
            return box[0] == 0 and box[2] == shape[1]
        return box[1] == 0 and box[3] == shape[0]
