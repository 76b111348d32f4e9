"""What tells shapes apart at little cost: box, area, volume, and how far apart two points of the surface lie.

The last is the D2 shape distribution of Osada et al., "Shape Distributions", ACM Transactions on Graphics 21(4), 2002.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quantization.ldraw.library import Library
from quantization.ldraw.mesh import PartMesh
from quantization.ldraw.store import load_part

Doubles = NDArray[np.float64]

D2_POINTS, D2_BINS = 256, 24
SEED = 20020101


@dataclass(frozen=True, slots=True)
class Shape:
    """One mould's measures.

    Attributes:
        number: LDraw number.
        size_mm: (3,) length ≥ width and height as LDraw lays the part, studs up.
        sides_mm: (3,) of its box, the longest first.
        area_mm2: of the whole surface, inside of tubes included.
        volume_mm3: by signed tetrahedra, which open seams disturb little.
        distances: (D2_BINS,) share of pairs of surface points by their distance ÷ the box's diagonal.
    """

    number: str
    size_mm: tuple[float, float, float]
    sides_mm: Doubles
    area_mm2: float
    volume_mm3: float
    distances: Doubles


def measure(number: str, meshes: Path, library: Library) -> Shape:
    """Measure a mould, building its mesh first where `meshes` does not hold it.

    Raises:
        BrickgateError: the part does not mesh.
    """
    return shape_of(load_part(number, meshes, library).mesh)


def shape_of(mesh: PartMesh) -> Shape:
    """The measures of a mesh."""
    x, y, z = (float(side) for side in np.ptp(mesh.vertices_mm, axis=0))
    corners = mesh.vertices_mm[mesh.triangles].astype(np.float64)
    a, b, c = np.moveaxis(corners - corners.mean(axis=(0, 1)), 1, 0)
    sides = np.array(sorted((x, y, z), reverse=True))
    points = surface_points(mesh, D2_POINTS)
    first, second = np.triu_indices(D2_POINTS, 1)
    apart = np.linalg.norm(points[first] - points[second], axis=1) / np.linalg.norm(sides)
    counts = np.histogram(apart, D2_BINS, (0.0, 1.0))[0]
    return Shape(
        mesh.part,
        (round(max(x, y), 1), round(min(x, y), 1), round(z, 1)),
        sides,
        float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2),
        float(abs((a * np.cross(b, c)).sum()) / 6),
        counts / counts.sum(),
    )


def surface_points(mesh: PartMesh, count: int) -> Doubles:
    """(count, 3) points spread evenly over the surface, in mm from the middle of the part's box.

    Always the same for the same mesh. The square root makes points even in a triangle: Osada et al., section 4.1.
    """
    corners = mesh.vertices_mm[mesh.triangles].astype(np.float64)
    corners -= (mesh.vertices_mm.min(axis=0) + mesh.vertices_mm.max(axis=0)) / 2
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    rng = np.random.default_rng(SEED)
    # Evenly spaced along the summed area: every face gets its share, which independent draws give only on average.
    places = (np.arange(count) + rng.random(count)) / count * areas.sum()
    a, b, c = np.moveaxis(corners[np.searchsorted(np.cumsum(areas), places).clip(max=len(areas) - 1)], 1, 0)
    root, along = np.sqrt(rng.random(count))[:, None], rng.random(count)[:, None]
    return np.asarray((1 - root) * a + root * (1 - along) * b + root * along * c)


def packed(shapes: list[Shape]) -> dict[str, NDArray[Any]]:
    """Columns of all shapes, for comparing many at once."""
    return {
        "sides_mm": np.array([shape.sides_mm for shape in shapes]).reshape(-1, 3),
        "area_mm2": np.array([shape.area_mm2 for shape in shapes]),
        "volume_mm3": np.array([shape.volume_mm3 for shape in shapes]),
        "distances": np.array([shape.distances for shape in shapes]).reshape(-1, D2_BINS),
    }
