"""Close the seams where finely drawn round surfaces meet coarsely drawn ones.

Many LDraw files join round primitives to hand-drawn 16-gons. With the primitives' finer twins, a 48-gon then meets a
16-gon: between each chord and its arc lies a gap. Here a triangle with such a chord is cut up so that its edge follows
the arc: the coarse face becomes round at the seam, and the seam is closed.
"""

from __future__ import annotations

import itertools
from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

MOST_STEPS = 6
"""Arc edges a chord: 3 where a 48-gon meets a 16-gon, 6 where it meets an 8-gon."""
MOST_BEND = 0.12
"""Distance of an arc from its chord by the chord's length: 0.05 where a 48-gon meets a 16-gon, 0.1 for an 8-gon."""
PASSES = 3
"""A triangle may have a chord on each side; one is cut at a time."""

Doubles = NDArray[np.float64]
Ints = NDArray[np.int32]
Neighbours = dict[int, list[int]]


def close_seams(points: Doubles, faces: Ints) -> Ints:
    """Cut triangles up along arcs.

    Args:
        points: (N, 3) welded corners.
        faces: (M, 3) indices.

    Returns:
        (M', 3) indices of the same points.
    """
    for _ in range(PASSES):
        sides, neighbours = _open_sides(len(points), faces)
        cut: dict[int, list[list[int]]] = {}
        for side in sides:
            face, k = divmod(int(side), 3)
            if face in cut:
                continue
            a, c, apex = (int(faces[face, (k + j) % 3]) for j in range(3))
            arc = _arc(points, neighbours, a, c)
            fan = [[apex, one, two] for one, two in itertools.pairwise(arc)]
            if len(fan) > 1 and _faces_alike(points, faces[face], fan):
                cut[face] = fan
        if not cut:
            break
        fans = [triangle for fan in cut.values() for triangle in fan]
        faces = np.concatenate([np.delete(faces, list(cut), axis=0), np.array(fans, np.int32)])
    return faces


def _open_sides(count: int, faces: Ints) -> tuple[NDArray[np.int64], Neighbours]:
    """Return which sides (3 · face + side) belong to one face only, and the points that those join."""
    ends = np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1).reshape(-1, 2).astype(np.int64)
    key = ends.min(axis=1) * count + ends.max(axis=1)
    _, first, counts = np.unique(key, return_index=True, return_counts=True)
    alone = np.sort(first[counts == 1])
    neighbours: Neighbours = defaultdict(list)
    for one, two in ends[alone].tolist():
        neighbours[one].append(two)
        neighbours[two].append(one)
    return alone, neighbours


def _arc(points: Doubles, neighbours: Neighbours, start: int, end: int) -> list[int]:
    """Return the open points from `start` to `end` along an arc close to their chord, or nothing."""
    chord = points[end] - points[start]
    length = float(np.linalg.norm(chord))
    along = chord / max(length, 1e-12)

    def walk(path: list[int], gone: float) -> list[int]:
        for point in neighbours[path[-1]]:
            if point == end:
                if len(path) > 1:
                    return [*path, end]
                continue
            offset = points[point] - points[start]
            ahead = float(offset @ along)
            off = float(np.linalg.norm(offset - ahead * along))
            if gone < ahead < length and off <= MOST_BEND * length and len(path) < MOST_STEPS:
                found = walk([*path, point], ahead)
                if found:
                    return found
        return []

    return walk([start], 0.0)


def _faces_alike(points: Doubles, face: Ints, fan: list[list[int]]) -> bool:
    """Tell whether all of a fan's triangles face the way that the cut one does."""
    normals = [np.cross(points[b] - points[a], points[c] - points[a]) for a, b, c in [face, *fan]]
    return all(float(normals[0] @ normal) > 0 for normal in normals[1:])
