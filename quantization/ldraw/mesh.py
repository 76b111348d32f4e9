"""Part meshes in millimetres, welded, with normals that are smooth over round faces and split at creases."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.errors import BrickgateError
from quantization.ldraw.parse import Parser
from quantization.ldraw.seams import close_seams

MM_PER_LDU = 0.4
WELD_MM = 0.004
CREASE_DEG = 35.0
LEAST_DOUBLE_AREA_MM2 = 1e-7

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class PartMesh:
    """One part, z up, in mm. Compared by identity, so that a renderer can keep it by itself.

    Attributes:
        part: LDraw number.
        vertices_mm: (N, 3).
        normals: (N, 3) unit, outwards.
        triangles: (M, 3) indices, counter-clockwise seen from outside.
        shade: (N,) multiplies the albedo.
        edges_mm: (E, 2, 3) ends of the convex creases: real moulds round them, and that catches light.
        edge_normals: (E, 3) the mean normal of the two faces at each crease.
    """

    part: str
    vertices_mm: Floats
    normals: Floats
    triangles: Ints
    shade: Floats
    edges_mm: Floats
    edge_normals: Floats


def ldu_to_mm(points_ldu: Doubles) -> Doubles:
    """Turn LDraw's y-down points (…, 3) into z-up millimetres; a rotation, so winding stays."""
    return np.stack([points_ldu[..., 0], points_ldu[..., 2], -points_ldu[..., 1]], axis=-1) * MM_PER_LDU


def build_mesh(part: str, parser: Parser) -> PartMesh:
    """Build a part's mesh from its file `<part>.dat`.

    Raises:
        BrickgateError: the file is missing, malformed or without faces.
    """
    corners = ldu_to_mm(parser.flatten(f"{part}.dat").triangles_ldu)
    check_faces(part, corners)
    return mesh_from_triangles(part, corners, seams=parser.fine)


def check_faces(part: str, corners_mm: Doubles) -> None:
    """Refuses a drawing of which no mesh can be made, by its triangles (K, 3, 3) in mm.

    Raises:
        BrickgateError: there is none, or none with an area.
    """
    if len(corners_mm) == 0:
        raise BrickgateError(f"LDraw part {part} has no faces")
    a, b, c = np.moveaxis(corners_mm, 1, 0)
    if not (np.linalg.norm(np.cross(b - a, c - a), axis=1) > LEAST_DOUBLE_AREA_MM2).any():
        raise BrickgateError(f"LDraw part {part} has no face with an area")


def mesh_from_triangles(
    part: str, corners_mm: Doubles, crease_deg: float = CREASE_DEG, seams: bool = False
) -> PartMesh:
    """Weld triangles (K, 3, 3) in mm, close seams between fine and coarse arcs if asked to, and give every corner its
    normal."""
    points, faces = _weld(corners_mm)
    if seams:
        faces = close_seams(points, faces)
    cross = np.cross(points[faces[:, 1]] - points[faces[:, 0]], points[faces[:, 2]] - points[faces[:, 0]])
    double_area = np.linalg.norm(cross, axis=1)
    solid = double_area > LEAST_DOUBLE_AREA_MM2
    faces, cross = faces[solid], cross[solid]
    unit = cross / double_area[solid, None]
    corner_normals = _corner_normals(faces, unit, _angles(points, faces), np.cos(np.radians(crease_deg)))
    vertices, normals, triangles = _split(points, faces, corner_normals)
    edges, edge_normals = _creases(points, faces, unit, np.cos(np.radians(crease_deg)))
    return PartMesh(
        part,
        vertices.astype(np.float32),
        normals.astype(np.float32),
        triangles,
        np.ones(len(vertices), np.float32),
        edges.astype(np.float32),
        edge_normals.astype(np.float32),
    )


def _weld(corners_mm: Doubles) -> tuple[Doubles, Ints]:
    """Join corners that fall in one cell of the weld grid, and drop triangles that collapse."""
    cells = np.round(corners_mm.reshape(-1, 3) / WELD_MM).astype(np.int64)
    # One sortable number a point: np.unique over rows is ten times slower.
    shifted = cells - cells.min(axis=0)
    span = shifted.max(axis=0) + 1
    key = (shifted[:, 0] * span[1] + shifted[:, 1]) * span[2] + shifted[:, 2]
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    faces = inverse.reshape(-1, 3).astype(np.int32)
    a, b, c = faces.T
    faces = faces[(a != b) & (b != c) & (c != a)]
    return corners_mm.reshape(-1, 3)[first], faces


def _angles(points: Doubles, faces: Ints) -> Doubles:
    """Return the (M, 3) inner angles: a corner's face counts by its angle, not by how it was cut up."""
    corner = points[faces]
    ahead = np.roll(corner, -1, axis=1) - corner
    back = np.roll(corner, 1, axis=1) - corner
    lengths = np.linalg.norm(ahead, axis=2) * np.linalg.norm(back, axis=2)
    return np.arccos(np.clip((ahead * back).sum(axis=2) / lengths, -1.0, 1.0))


def _corner_normals(faces: Ints, unit: Doubles, angles: Doubles, crease_cos: float) -> Doubles:
    """Return (M, 3, 3): at each corner, the mean of the faces round it that bend less than the crease."""
    vertex = faces.ravel()
    order = np.argsort(vertex, kind="stable")
    starts = np.searchsorted(vertex[order], vertex)
    counts = np.bincount(vertex)[vertex]
    owner = np.repeat(np.arange(len(vertex)), counts)
    within = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    other = order[np.repeat(starts, counts) + within]
    near = (unit[owner // 3] * unit[other // 3]).sum(axis=1) > crease_cos
    owner, other = owner[near], other[near]
    weighted = unit[other // 3] * angles.ravel()[other, None]
    total = np.stack([np.bincount(owner, weighted[:, k], len(vertex)) for k in range(3)], axis=1)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return (total / np.maximum(length, 1e-12)).reshape(-1, 3, 3)


def _split(points: Doubles, faces: Ints, corner_normals: Doubles) -> tuple[Doubles, Doubles, Ints]:
    """Give each pair of point and normal one vertex."""
    normals = corner_normals.reshape(-1, 3)
    steps = (np.round(normals * 500).astype(np.int64) + 512) @ np.array([1 << 20, 1 << 10, 1])
    key = faces.ravel().astype(np.int64) * (1 << 31) + steps
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    return points[faces.ravel()[first]], normals[first], inverse.reshape(-1, 3).astype(np.int32)


def _creases(points: Doubles, faces: Ints, unit: Doubles, crease_cos: float) -> tuple[Doubles, Doubles]:
    """Return ends (E, 2, 3) and mean normals (E, 3) of edges where two faces meet in a convex crease."""
    ends = np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1).reshape(-1, 2).astype(np.int64)
    key = ends.min(axis=1) * len(points) + ends.max(axis=1)
    order = np.argsort(key, kind="stable")
    pair = np.flatnonzero(np.diff(key[order]) == 0)
    one, two = order[pair], order[pair + 1]
    n1, n2 = unit[one // 3], unit[two // 3]
    bent = (n1 * n2).sum(axis=1) < crease_cos
    far_corner = points[faces[two // 3, (two % 3 + 2) % 3]]
    convex = ((far_corner - points[ends[one, 0]]) * n1).sum(axis=1) < 0
    mean = n1 + n2
    length = np.linalg.norm(mean, axis=1)
    keep = bent & convex & (length > 0.2)
    return points[ends[one[keep]]], mean[keep] / length[keep, None]


def open_edges_mm(mesh: PartMesh) -> float:
    """Return the length of edges with one face only: seams that do not meet, and open borders."""
    points, faces = _weld(mesh.vertices_mm[mesh.triangles].astype(np.float64))
    ends = np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1).reshape(-1, 2).astype(np.int64)
    key = ends.min(axis=1) * len(points) + ends.max(axis=1)
    _, first, counts = np.unique(key, return_index=True, return_counts=True)
    alone = ends[first[counts == 1]]
    return float(np.linalg.norm(points[alone[:, 0]] - points[alone[:, 1]], axis=1).sum())
