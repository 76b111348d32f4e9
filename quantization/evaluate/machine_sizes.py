"""Sizes as the machine measures them, which scatter more than renders show: shadows, walls seen aslant, coarse masks.

The starter's bundle has parts of known kind as the simulated machine saw them (`edge.bundle.reference`). How far off
their sizes were is drawn for parts that were only rendered. Without that, thresholds would refuse more known parts on
a machine than they promise.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.bundle.manifest import load_bundle
from edge.bundle.reference import load_reference
from edge.bundle.size import SizeEvidence, load_size_evidence
from edge.catalogue.colours import load_colours

RECORDED_BY = "starter"
LEAST_MM = 0.5

Doubles = NDArray[np.float64]


def machine_errors() -> Doubles:
    """(N, 2) errors of the lengths and widths of recorded parts, in the standard deviations of the size evidence.

    Raises:
        BundleError: the shipped bundle is damaged.
    """
    bundle = load_bundle(RECORDED_BY)
    assert bundle.reference is not None
    assert bundle.size_evidence is not None
    size = load_size_evidence(bundle.size_evidence, len(bundle.parts))
    seen = load_reference(bundle.reference, len(bundle.parts), [colour.code for colour in load_colours()])
    whole = np.flatnonzero(seen.sortable & (seen.sides_mm[:, 0] > 0))
    return np.array([_errors(size, int(seen.kinds[part]), seen.sides_mm[part])[0] for part in whole], np.float64)


def as_measured(
    sides_mm: NDArray[np.floating],
    families: NDArray[np.int64],
    size: SizeEvidence,
    errors: Doubles,
    rng: np.random.Generator,
) -> Doubles:
    """What a machine would measure of rendered parts.

    Args:
        sides_mm: (N, 2) that the renders show: they tell the pose.
        families: (N,) rows of `size`.
        size: how the parts lie.
        errors: to draw from, as `machine_errors` gives them.
        rng: draws.

    Returns:
        (N, 2), longer first.
    """
    drawn = errors[rng.integers(len(errors), size=len(sides_mm))]
    measured = np.empty((len(sides_mm), 2))
    for part, (seen_mm, family) in enumerate(zip(sides_mm, families.tolist(), strict=True)):
        _, lies_mm, sigma_mm = _errors(size, family, seen_mm)
        measured[part] = np.maximum(lies_mm + size.excess_mm + drawn[part] * sigma_mm, LEAST_MM)
    return -np.sort(-measured, axis=1)


def _errors(size: SizeEvidence, family: int, sides_mm: NDArray[np.floating]) -> tuple[Doubles, Doubles, Doubles]:
    """(2,) errors in standard deviations, sides and standard deviations in mm of the best-fitting pose."""
    poses_mm = size.sides_mm[family].astype(np.float64)
    sigma_mm = size.tolerance * poses_mm + size.tolerance_mm
    errors = (-np.sort(-sides_mm) - size.excess_mm - poses_mm) / sigma_mm
    best = int(np.where(size.weights[family] > 0, (errors**2).sum(axis=1), np.inf).argmin())
    return errors[best], poses_mm[best], sigma_mm[best]
