"""Recesses under the studs: real plates and bricks have them, LDraw's idealised undersides do not."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quantization.ldraw.mesh import PartMesh

CEILING_MM = (0.6, 3.0)
PROBE_RADIUS_MM = 1.5
ABOVE_FACE_MM = 0.04
SEGMENTS = 16

Doubles = NDArray[np.float64]
Arrays = list[NDArray[Any]]


def recess_places(mesh: PartMesh, studs_mm: Doubles) -> Doubles:
    """Find where recesses belong: on the flat ceiling straight under a stud.

    Args:
        mesh: the part.
        studs_mm: (S, 2, 3) feet of the studs and directions into the part.

    Returns:
        (R, 2, 3) points on the ceiling and directions out of it; no row for studs over solid matter or over
        anything that is not flat as far as the recess reaches.
    """
    corners = mesh.vertices_mm[mesh.triangles].astype(np.float64)
    found: list[Doubles] = []
    for foot, inward in studs_mm:
        axis = inward / np.linalg.norm(inward)
        side = np.cross(axis, [1.0, 0.0, 0.0] if abs(axis[0]) < 0.9 else [0.0, 1.0, 0.0])
        side *= PROBE_RADIUS_MM / np.linalg.norm(side)
        other = np.cross(axis, side)
        # Slightly off centre: rays along a shared edge of two triangles could slip between them.
        probes = foot + np.stack([0.01 * side + 0.017 * other, side, -side, other, -other]) + 0.2 * axis
        depths = [_exit_depth(corners, probe, axis) for probe in probes]
        if max(depths) - min(depths) < 0.05 and CEILING_MM[0] < depths[0] < CEILING_MM[1]:
            found.append(np.stack([foot + axis * (0.2 + depths[0]), axis]))
    return np.array(found, dtype=np.float64).reshape(-1, 2, 3)


def _exit_depth(corners: Doubles, origin: Doubles, axis: Doubles) -> float:
    """Return how far a ray runs to the first face that it leaves the matter by (Möller-Trumbore)."""
    a, edge1, edge2 = corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    p = np.cross(axis, edge2)
    det = (edge1 * p).sum(axis=1)
    # A face seen from its back has a negative determinant: there the ray goes out into the air.
    leaves = det < -1e-9
    safe = np.where(leaves, det, 1.0)
    t_vec = origin - a
    u = (t_vec * p).sum(axis=1) / safe
    q = np.cross(t_vec, edge1)
    v = (q @ axis) / safe
    distance = (edge2 * q).sum(axis=1) / safe
    hit = leaves & (u >= -1e-6) & (v >= -1e-6) & (u + v <= 1 + 1e-6) & (distance > 1e-6)
    return float(distance[hit].min()) if hit.any() else float("inf")


def with_recesses(mesh: PartMesh, places_mm: Doubles, radius_mm: float = 1.4, shade: float = 0.45) -> PartMesh:
    """Return the mesh with a dark disc, shaded like a short cup, at each place."""
    if len(places_mm) == 0:
        return mesh
    turn = np.linspace(0, 2 * np.pi, SEGMENTS, endpoint=False)
    vertices: Arrays = [mesh.vertices_mm]
    normals: Arrays = [mesh.normals]
    triangles: Arrays = [mesh.triangles]
    shades: Arrays = [mesh.shade]
    count = len(mesh.vertices_mm)
    steps = np.arange(SEGMENTS)
    inner, outer = steps, steps + SEGMENTS
    inner_next, outer_next = np.roll(inner, -1), np.roll(outer, -1)
    centre = np.full(SEGMENTS, 2 * SEGMENTS)
    disc = np.concatenate(
        [
            np.stack([centre, inner, inner_next], 1),
            np.stack([inner, outer, outer_next], 1),
            np.stack([inner, outer_next, inner_next], 1),
        ]
    )
    for point, axis in places_mm:
        side = np.cross(axis, [1.0, 0.0, 0.0] if abs(axis[0]) < 0.9 else [0.0, 1.0, 0.0])
        side /= np.linalg.norm(side)
        ring = np.outer(np.cos(turn), side) + np.outer(np.sin(turn), np.cross(axis, side))
        middle = point + axis * ABOVE_FACE_MM
        vertices.append(np.concatenate([middle + ring * radius_mm * 0.8, middle + ring * radius_mm, [middle]]))
        normals.append(np.tile(axis, (2 * SEGMENTS + 1, 1)))
        triangles.append(disc + count)
        shades.append(np.repeat([shade * 1.25, shade * 0.75, shade * 1.5], [SEGMENTS, SEGMENTS, 1]))
        count += 2 * SEGMENTS + 1
    return replace(
        mesh,
        vertices_mm=np.concatenate(vertices).astype(np.float32),
        normals=np.concatenate(normals).astype(np.float32),
        triangles=np.concatenate(triangles).astype(np.int32),
        shade=np.concatenate(shades).astype(np.float32),
    )
