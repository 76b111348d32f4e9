"""The poses that a part rests in on a flat belt."""

from dataclasses import dataclass

import numpy as np
import trimesh
from numpy.typing import NDArray

from quantization.ldraw.mesh import PartMesh

SHARPNESS = 1.5
LEAST_PROBABILITY = 0.01
MOST_POSES = 8


@dataclass(frozen=True, eq=False)
class RestingPoses:
    """Ways to lie, the likeliest first.

    Attributes:
        rotations: (P, 3, 3) part → world, z up.
        probabilities: (P,) summing to 1.
    """

    rotations: NDArray[np.float32]
    probabilities: NDArray[np.float32]


def centre_of_mass_mm(mesh: PartMesh) -> NDArray[np.float64]:
    """Return the (3,) centre of mass by signed tetrahedra, which open seams in a mesh disturb little.

    Falls back to the middle of the convex hull where the signed volume makes no sense.
    """
    corners = mesh.vertices_mm[mesh.triangles].astype(np.float64)
    middle = mesh.vertices_mm.mean(axis=0, dtype=np.float64)
    a, b, c = np.moveaxis(corners - middle, 1, 0)
    volumes = (a * np.cross(b, c)).sum(axis=1) / 6
    hull = trimesh.convex.convex_hull(mesh.vertices_mm)
    total = volumes.sum()
    centre = middle + ((a + b + c) / 4 * volumes[:, None]).sum(axis=0) / total if abs(total) > 1e-6 else middle
    inside = np.all((centre > hull.bounds[0]) & (centre < hull.bounds[1]))
    return centre if total > 0.02 * hull.volume and inside else np.asarray(hull.center_mass)


def resting_poses(mesh: PartMesh) -> RestingPoses:
    """Return the stable poses with sharpened probabilities.

    A quasi-static drop leaves a plate on its edge too often; a vibrating belt tips it over: the exponent.
    """
    hull = trimesh.convex.convex_hull(mesh.vertices_mm)
    with np.errstate(invalid="ignore"):  # slivers of a hull give trimesh a square root just below zero
        transforms, probabilities = trimesh.poses.compute_stable_poses(hull, center_mass=centre_of_mass_mm(mesh))
    likely = np.nan_to_num(np.asarray(probabilities, dtype=np.float64))
    if likely.sum() <= 0:
        return RestingPoses(np.eye(3, dtype=np.float32)[None], np.ones(1, np.float32))
    sharp = likely**SHARPNESS
    sharp /= sharp.sum()
    order = np.argsort(-sharp, kind="stable")[:MOST_POSES]
    order = order[(sharp[order] >= LEAST_PROBABILITY) | (np.arange(len(order)) == 0)]
    kept = sharp[order] / sharp[order].sum()
    return RestingPoses(np.asarray(transforms)[order, :3, :3].astype(np.float32), kept.astype(np.float32))
