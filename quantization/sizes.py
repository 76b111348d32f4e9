"""How long and wide each part lies on the belt, pose by pose, and how much of that it covers: the bundle's size
evidence."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from quantization.ldraw.store import load_part
from quantization.recipe import Family

MOST_POSES = 12


PX_PER_MM = 4.0

Floats = NDArray[np.float32]


def resting_sides(moulds: tuple[str, ...], cache_dir: Path) -> tuple[Floats, Floats, Floats]:
    """(P, 2) sides of the smallest enclosing rectangle, longer first, in mm, (P,) probabilities, and (P,) the share of
    the rectangle that the part covers."""
    sides: list[tuple[float, float]] = []
    weights: list[float] = []
    filled: list[float] = []
    for mould in moulds:
        part = load_part(mould, cache_dir)
        chances = part.poses.probabilities / part.poses.probabilities.sum() / len(moulds)
        for rotation, chance in zip(part.poses.rotations, chances, strict=True):
            flat = (part.mesh.vertices_mm @ rotation.T)[:, :2].astype(np.float32)
            width, height = cv2.minAreaRect(cv2.convexHull(flat))[1]
            sides.append((max(width, height), min(width, height)))
            weights.append(float(chance))
            filled.append(filled_share(flat[part.mesh.triangles]))
    return np.array(sides, np.float32), np.array(weights, np.float32), np.array(filled, np.float32)


def filled_share(triangles_mm: NDArray[np.float32]) -> float:
    """Share of its smallest enclosing rectangle that a shape covers, holes included, as the tracker's outlines have it.

    Args:
        triangles_mm: (M, 3, 2) what it is made of.
    """
    corners = np.rint((triangles_mm - triangles_mm.min(axis=(0, 1))) * PX_PER_MM).astype(np.int32) + 1
    drawn = np.zeros(corners.max(axis=(0, 1))[::-1] + 2, np.uint8)
    cv2.polylines(drawn, list(corners), True, (255,))  # its triangles hang together: their edges have its outline
    outlines, _ = cv2.findContours(drawn, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(outlines, key=cv2.contourArea)
    length_px, width_px = cv2.minAreaRect(outline)[1]
    return min(cv2.contourArea(outline) / max(length_px * width_px, 1.0), 1.0)


def upright_size_mm(mould: str, cache_dir: Path) -> tuple[float, float, float]:
    """Length ≥ width and height of a part as LDraw draws it, studs up."""
    vertices = load_part(mould, cache_dir).mesh.vertices_mm
    x, y, z = (float(side) for side in np.ptp(vertices, axis=0))
    return round(max(x, y), 1), round(min(x, y), 1), round(z, 1)


def size_table(families: list[Family], cache_dir: Path) -> tuple[Floats, Floats, Floats]:
    """`sides_mm` (K, P, 2), `weights` and `filled` (K, P) for `edge.bundle.size.SizeEvidence`, likeliest poses
    first."""
    sides_mm = np.ones((len(families), MOST_POSES, 2), np.float32)
    weights, filled = (np.zeros((len(families), MOST_POSES), np.float32) for _ in range(2))
    for k, family in enumerate(families):
        sides, chances, shares = _merged(*resting_sides(family.moulds, cache_dir))
        kept = np.argsort(-chances)[:MOST_POSES]
        sides_mm[k, : len(kept)] = sides[kept]
        weights[k, : len(kept)] = chances[kept] / chances[kept].sum()
        filled[k, : len(kept)] = shares[kept]
    return sides_mm, weights, filled


def _merged(sides: Floats, chances: Floats, filled: Floats, within_mm: float = 0.4) -> tuple[Floats, Floats, Floats]:
    """Poses of the same rectangle taken together: their probability, and what they cover on the mean."""
    kept: list[int] = []
    total, covered = chances.copy(), chances * filled
    for i in range(len(sides)):
        same = next((j for j in kept if np.abs(sides[i] - sides[j]).max() < within_mm), None)
        if same is None:
            kept.append(i)
        else:
            total[same] += chances[i]
            covered[same] += chances[i] * filled[i]
    means = (covered / np.maximum(total, 1e-9)).astype(np.float32)
    return sides[kept], total[kept], means[kept]
