"""What tells shapes apart at little cost: box, area, volume, and how far apart two points of the surface lie.

The last is the D2 shape distribution of Osada et al., "Shape Distributions", ACM Transactions on Graphics 21(4), 2002.
A shape is its triangles as LDraw draws them, not welded and without finer primitives: 4 ms a part instead of 90.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import BrickgateError
from quantization.ldraw.library import Library
from quantization.ldraw.mesh import check_faces, ldu_to_mm
from quantization.ldraw.parse import Parser

Doubles = NDArray[np.float64]

D2_POINTS, D2_BINS = 256, 24
SEED = 20020101
PARTS_A_PARSER = 200
"""A parser keeps all that it has read, about 0.1 MB a part."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One mould's measures.

    Attributes:
        number: LDraw number.
        size_mm: length ≥ width and height as LDraw lays the part, studs up.
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


class Drawings:
    """The triangles of an LDraw library's parts."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._parser = Parser(library, fine=False)
        self._read = 0

    def corners_mm(self, number: str) -> Doubles:
        """(K, 3, 3) corners of the triangles of a part, z up.

        Raises:
            BrickgateError: the part, or a file it places, is missing, malformed or without faces.
        """
        self._read += 1
        if self._read % PARTS_A_PARSER == 0:
            self._parser = Parser(self._library, fine=False)
        corners = ldu_to_mm(self._parser.flatten(f"{number}.dat").triangles_ldu)
        check_faces(number, corners)
        return corners


def measure_all(
    numbers: Sequence[str], drawings: Drawings, report: Callable[[str], None]
) -> tuple[dict[str, Shape], dict[str, str]]:
    """The shapes of parts by their numbers, and why others have none; `report` takes a line on how far it is."""
    shapes: dict[str, Shape] = {}
    problems: dict[str, str] = {}
    for done, number in enumerate(numbers, start=1):
        try:
            shapes[number] = shape_of(number, drawings.corners_mm(number))
        except BrickgateError as error:
            problems[number] = str(error)
        if done % 500 == 0 or done == len(numbers):
            report(f"measured {done} of {len(numbers)} moulds")
    return shapes, problems


def shape_of(number: str, corners_mm: Doubles) -> Shape:
    """The measures of (K, 3, 3) triangles."""
    x, y, z = (float(side) for side in np.ptp(corners_mm.reshape(-1, 3), axis=0))
    a, b, c = np.moveaxis(corners_mm - corners_mm.mean(axis=(0, 1)), 1, 0)
    sides = np.array(sorted((x, y, z), reverse=True))
    points = surface_points(corners_mm, D2_POINTS)
    first, second = np.triu_indices(D2_POINTS, 1)
    apart = np.linalg.norm(points[first] - points[second], axis=1) / np.linalg.norm(sides)
    counts = np.histogram(apart, D2_BINS, (0.0, 1.0))[0]
    return Shape(
        number,
        (round(max(x, y), 1), round(min(x, y), 1), round(z, 1)),
        sides,
        float(areas_mm2(corners_mm).sum()),
        float(abs((a * np.cross(b, c)).sum()) / 6),
        counts / counts.sum(),
    )


def areas_mm2(corners_mm: Doubles) -> Doubles:
    """(K,) areas of triangles."""
    a, b, c = np.moveaxis(corners_mm, 1, 0)
    return np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2


def surface_points(corners_mm: Doubles, count: int) -> Doubles:
    """(count, 3) points spread evenly over triangles, in mm from the middle of their box.

    Always the same for the same triangles. The square root makes points even in a triangle: Osada et al., section 4.1.
    """
    flat = corners_mm.reshape(-1, 3)
    centred = corners_mm - (flat.min(axis=0) + flat.max(axis=0)) / 2
    up_to = np.cumsum(areas_mm2(corners_mm))
    rng = np.random.default_rng(SEED)
    # Evenly spaced along the summed area: every face gets its share, which independent draws give only on average.
    places = (np.arange(count) + rng.random(count)) / count * up_to[-1]
    a, b, c = np.moveaxis(centred[np.searchsorted(up_to, places).clip(max=len(up_to) - 1)], 1, 0)
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
