"""Size as evidence: how likely each part is to lie on the belt with the length and width that were measured.

The factory projects every resting pose of every part on the belt and stores the sides of the smallest
enclosing rectangle with the pose's probability. A measured rectangle is compared with those, less what walls seen
aslant, blur and a shadow's rest add to it, with a tolerance; a uniform floor keeps an odd measurement from
vetoing a part.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import BundleError
from edge.records import Scores

FLOOR = 0.02
"""Share of measurements that are plainly wrong (a part leaning on another, a blob cut by a shadow)."""


@dataclass(frozen=True, slots=True)
class SizeEvidence:
    """`sides_mm` (K, P, 2) length ≥ width of each pose, `weights` (K, P) its probability (0 = no such pose), `filled`
    (K, P) the share of that rectangle which the part covers; None in bundles from before."""

    sides_mm: NDArray[np.float32]
    weights: NDArray[np.float32]
    filled: NDArray[np.float32] | None = None
    tolerance: float = 0.07
    tolerance_mm: float = 0.7
    excess_mm: float = 1.2
    """How much longer and wider a part is seen than it lies: the median over 393 parts on the simulated machine was 1.7
    and 1.3 mm by the median of their looks."""

    def log_likelihood(self, length_mm: float, width_mm: float) -> Scores:
        """(K,) log-likelihood of a measured rectangle for each part, up to a constant."""
        squared, sigma_mm = self._squared_errors(length_mm, width_mm)
        density = np.exp(-0.5 * squared) / sigma_mm.prod(axis=-1)
        per_part = (self.weights * density).sum(axis=-1)
        floor = FLOOR * per_part.max() + 1e-12
        return np.log(per_part + floor).astype(np.float32)

    def best_pose(self, length_mm: float, width_mm: float) -> tuple[Scores, Scores]:
        """Of each part's pose that fits a measured rectangle best: (K,) its squared error in standard deviations, and
        (K,) the share of its rectangle that the part leaves free, 0 where that is not known."""
        squared, _ = self._squared_errors(length_mm, width_mm)
        squared = np.where(self.weights > 0, squared, np.float32(np.inf))
        pose = squared.argmin(axis=-1)[:, np.newaxis]
        misfit = np.take_along_axis(squared, pose, axis=1)[:, 0]
        if self.filled is None:
            return misfit, np.zeros_like(misfit)
        return misfit, 1 - np.take_along_axis(self.filled, pose, axis=1)[:, 0]

    def _squared_errors(self, length_mm: float, width_mm: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(K, P) squared error of a measured rectangle in standard deviations, and (K, P, 2) these in mm."""
        measured = np.array([max(length_mm, width_mm), min(length_mm, width_mm)], np.float32)
        sigma_mm = self.tolerance * self.sides_mm + self.tolerance_mm
        error = (measured - self.excess_mm - self.sides_mm) / sigma_mm
        return (error**2).sum(axis=-1), sigma_mm


def sides_mm(mask: NDArray[np.bool_], mm_per_px: float) -> tuple[float, float]:
    """Length ≥ width of the smallest rectangle around a part's mask, of which something is set. Its corners are middles
    of px, so that each side gains one px."""
    _, sides_px, _ = cv2.minAreaRect(cv2.findNonZero(mask.view(np.uint8)))
    return (max(sides_px) + 1) * mm_per_px, (min(sides_px) + 1) * mm_per_px


def load_size_evidence(file: Path, parts: int) -> SizeEvidence:
    """Reads `sides_mm` and `weights` from an .npz file.

    Args:
        parts: K of the bundle.

    Raises:
        BundleError: it cannot be read, or holds something else.
    """
    try:
        with np.load(file) as arrays:
            sides_mm, weights = arrays["sides_mm"], arrays["weights"]
            filled = arrays["filled"].astype(np.float32) if "filled" in arrays else None
        if weights.ndim != 2 or sides_mm.shape != (*weights.shape, 2):
            raise ValueError(f"shapes {sides_mm.shape} and {weights.shape} do not fit together")
        if len(weights) != parts:
            raise ValueError(f"it is of {len(weights)} parts, the bundle of {parts}")
        if not all(np.isfinite(values).all() and (values >= 0).all() for values in (sides_mm, weights)):
            raise ValueError("a side or weight is below 0 or no number")
        if filled is not None and not (filled.shape == weights.shape and (filled >= 0).all() and (filled <= 1).all()):
            raise ValueError("what parts cover of their rectangles is not a share for each pose")
    except (OSError, ValueError, KeyError, TypeError, EOFError, NotImplementedError, zlib.error, BadZipFile) as error:
        raise BundleError(f"{file} holds no size evidence ({error}): fetch the bundle again") from error
    return SizeEvidence(sides_mm, weights, filled)
