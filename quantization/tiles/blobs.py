"""Blobs in a mask that comes in bands, each found whole wherever the bands end.

Each band is labelled by itself; labels that meet across the border between two bands are joined (the two-pass
algorithm of connected components, Rosenfeld and Pfaltz 1966, with bands in place of rows). Only blobs that may still
grow are kept open, so that the memory needed does not depend on the height of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

THIN = 0.25


@dataclass(frozen=True, slots=True)
class Blob:
    """Box of a blob in px of the mask, the end excluded, and its area in px."""

    left: int
    top: int
    right: int
    bottom: int
    area: int

    @property
    def longer(self) -> int:
        """The longer side of its box."""
        return max(self.right - self.left, self.bottom - self.top)

    def joined(self, other: Blob) -> Blob:
        """The blob that two blobs are."""
        return Blob(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
            self.area + other.area,
        )


class BlobFinder:
    """Takes the bands of a mask from top to bottom.

    Args:
        least_px: blobs whose longer side is shorter are specks, and so are folds and hairs: longer, but thinner on
            average than `THIN` of it.
    """

    def __init__(self, least_px: int) -> None:
        self._least_px, self._least_width = least_px, least_px * THIN
        self._rows = 0
        self._open: dict[int, Blob] = {}
        self._last = np.zeros(0, np.int64)
        """For each pixel of the last row the open blob that it belongs to; 0 for none."""
        self._next = 1
        self.specks = 0
        """Blobs that were too small."""

    def add(self, mask: NDArray[np.uint8]) -> list[Blob]:
        """Take a band, (h, w) 0 or 1; return the blobs that ended in it or above."""
        count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        root = {self._next + k: self._next + k for k in range(count - 1)} | {known: known for known in self._open}
        blobs = dict(self._open)
        for k in range(1, count):
            left, top, wide, high, area = (int(value) for value in stats[k])
            top += self._rows
            blobs[self._next + k - 1] = Blob(left, top, left + wide, top + high, area)
        first = labels[0].astype(np.int64)
        self._join(np.where(first > 0, first + self._next - 1, 0), root)
        merged: dict[int, Blob] = {}
        for number, blob in blobs.items():
            top_number = _root(root, number)
            merged[top_number] = merged[top_number].joined(blob) if top_number in merged else blob
        last = labels[-1].astype(np.int64)
        roots = np.array([0] + [_root(root, self._next + k) for k in range(count - 1)], np.int64)
        self._last = roots[last]
        alive = set(np.unique(self._last).tolist())
        self._open = {number: blob for number, blob in merged.items() if number in alive}
        self._rows, self._next = self._rows + mask.shape[0], self._next + count - 1
        return self._large([blob for number, blob in merged.items() if number not in alive])

    def finish(self) -> list[Blob]:
        """Return the blobs that reach the bottom of the mask."""
        left_over, self._open = list(self._open.values()), {}
        return self._large(left_over)

    def _join(self, first: NDArray[np.int64], root: dict[int, int]) -> None:
        """Join what touches across the border, by side or by corner."""
        if not len(self._last):
            return
        width = len(first)
        for shift in (-1, 0, 1):
            above = self._last[max(-shift, 0) : width - max(shift, 0)]
            below = first[max(shift, 0) : width - max(-shift, 0)]
            both = (above > 0) & (below > 0)
            for a, b in np.unique(np.stack([above[both], below[both]], axis=1), axis=0).tolist():
                root[_root(root, b)] = _root(root, a)

    def _large(self, blobs: list[Blob]) -> list[Blob]:
        kept = [
            blob for blob in blobs if blob.longer >= self._least_px and blob.area >= blob.longer * self._least_width
        ]
        self.specks += len(blobs) - len(kept)
        return kept


def _root(root: dict[int, int], number: int) -> int:
    while root[number] != number:
        root[number] = root[root[number]]
        number = root[number]
    return number
