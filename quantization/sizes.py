"""How long and wide each part lies on the belt, pose by pose: the bundle's size evidence."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from quantization.ldraw.store import load_part
from quantization.recipe import Family

MOST_POSES = 12


def resting_sides(moulds: tuple[str, ...], cache_dir: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(P, 2) sides of the smallest enclosing rectangle, longer first, in mm, and (P,) probabilities."""
    sides: list[tuple[float, float]] = []
    weights: list[float] = []
    for mould in moulds:
        part = load_part(mould, cache_dir)
        chances = part.poses.probabilities / part.poses.probabilities.sum() / len(moulds)
        for rotation, chance in zip(part.poses.rotations, chances, strict=True):
            flat = (part.mesh.vertices_mm @ rotation.T)[:, :2].astype(np.float32)
            width, height = cv2.minAreaRect(cv2.convexHull(flat))[1]
            sides.append((max(width, height), min(width, height)))
            weights.append(float(chance))
    return np.array(sides, np.float32), np.array(weights, np.float32)


def upright_size_mm(mould: str, cache_dir: Path) -> tuple[float, float, float]:
    """Length ≥ width and height of a part as LDraw draws it, studs up."""
    vertices = load_part(mould, cache_dir).mesh.vertices_mm
    x, y, z = (float(side) for side in np.ptp(vertices, axis=0))
    return round(max(x, y), 1), round(min(x, y), 1), round(z, 1)


def size_table(families: list[Family], cache_dir: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """`sides_mm` (K, P, 2) and `weights` (K, P) for `edge.bundle.size.SizeEvidence`; likeliest poses first."""
    sides_mm = np.ones((len(families), MOST_POSES, 2), np.float32)
    weights = np.zeros((len(families), MOST_POSES), np.float32)
    for k, family in enumerate(families):
        sides, chances = _merged(*resting_sides(family.moulds, cache_dir))
        kept = np.argsort(-chances)[:MOST_POSES]
        sides_mm[k, : len(kept)] = sides[kept]
        weights[k, : len(kept)] = chances[kept] / chances[kept].sum()
    return sides_mm, weights


def _merged(
    sides: NDArray[np.float32], chances: NDArray[np.float32], within_mm: float = 0.4
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Poses of the same outline taken together."""
    kept: list[int] = []
    total = chances.copy()
    for i in range(len(sides)):
        same = next((j for j in kept if np.abs(sides[i] - sides[j]).max() < within_mm), None)
        if same is None:
            kept.append(i)
        else:
            total[same] += chances[i]
    return sides[kept], total[kept]
