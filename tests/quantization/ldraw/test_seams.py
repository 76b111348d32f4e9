"""Seams between finely and coarsely drawn arcs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from quantization.ldraw.mesh import PartMesh, mesh_from_triangles, open_edges_mm

RADIUS_MM = 8.0


def ring(corners: int, z_mm: float = 0.0, radius_mm: float = RADIUS_MM) -> np.ndarray:
    turn = np.arange(corners + 1) / corners * 2 * np.pi
    return np.stack([radius_mm * np.cos(turn), radius_mm * np.sin(turn), np.full(corners + 1, z_mm)], axis=1)


def disc(corners: int, z_mm: float, up: bool) -> np.ndarray:
    edge, middle = ring(corners, z_mm), np.array([0, 0, z_mm])
    fan = [[middle, one, two] for one, two in itertools.pairwise(edge)]
    return np.array(fan) if up else np.array(fan)[:, ::-1]


def wall(corners: int, low_mm: float, high_mm: float) -> np.ndarray:
    low, high = ring(corners, low_mm), ring(corners, high_mm)
    quads = [(low[k], low[k + 1], high[k + 1], high[k]) for k in range(corners)]
    return np.array([[quad[j] for j in three] for quad in quads for three in ((0, 1, 2), (0, 2, 3))])


def volume_mm3(mesh: PartMesh) -> float:
    a, b, c = np.moveaxis(mesh.vertices_mm[mesh.triangles].astype(np.float64), 1, 0)
    return float((np.cross(a, b) * c).sum() / 6)


def closed(*pieces: np.ndarray) -> PartMesh:
    return mesh_from_triangles("part", np.concatenate(pieces), seams=True)


@pytest.mark.parametrize("coarse", [8, 16])
def test_a_coarse_lid_follows_a_fine_wall(coarse):
    pieces = disc(coarse, 0, up=False), wall(48, 0, 3), disc(coarse, 3, up=True)
    assert open_edges_mm(mesh_from_triangles("part", np.concatenate(pieces))) > 100
    mesh = closed(*pieces)
    assert open_edges_mm(mesh) == 0
    assert volume_mm3(mesh) == pytest.approx(3 * 24 * RADIUS_MM**2 * np.sin(2 * np.pi / 48), rel=1e-5)


def test_a_coarse_wall_follows_a_fine_one_and_stays_smooth():
    mesh = closed(disc(48, 0, up=False), wall(48, 0, 2), wall(16, 2, 4), disc(16, 4, up=True))
    assert open_edges_mm(mesh) == 0
    at_seam = np.isclose(mesh.vertices_mm[:, 2], 2)
    outwards = mesh.vertices_mm[at_seam] / RADIUS_MM * [1, 1, 0]
    assert (mesh.normals[at_seam] * outwards).sum(axis=1).min() > 0.98


def test_a_hole_keeps_its_fine_rim():
    """The coarse plate round a hole is cut back to the hole's rim."""
    square = RADIUS_MM * 1.5 * np.array([[1, 1, 0], [-1, 1, 0], [-1, -1, 0], [1, -1, 0]])
    hole = ring(16)
    plate = []
    for k in range(4):
        rim = hole[4 * k : 4 * k + 5]
        plate += [[square[k], rim[j + 1], rim[j]] for j in range(4)]
        plate += [[square[k], square[(k + 1) % 4], rim[4]]]
    mesh = closed(np.array(plate), wall(48, -3, 0)[:, ::-1])
    inner = np.linalg.norm(mesh.vertices_mm[mesh.triangles].mean(axis=1)[:, :2], axis=1)
    a, b, c = np.moveaxis(mesh.vertices_mm[mesh.triangles].astype(np.float64), 1, 0)
    flat = np.ptp(mesh.vertices_mm[mesh.triangles][..., 2], axis=1) == 0
    area_mm2 = np.linalg.norm(np.cross(b - a, c - a), axis=1)[flat].sum() / 2
    assert inner.min() > RADIUS_MM * 0.9
    assert area_mm2 == pytest.approx((3 * RADIUS_MM) ** 2 - 24 * RADIUS_MM**2 * np.sin(2 * np.pi / 48), rel=1e-5)


def test_a_side_that_meets_two_shorter_ones_is_split_there():
    one = np.array([[[0, 0, 0], [4, 0, 0], [2, 3, 0]]])
    two = np.array([[[0, 0, 0], [2, -3, 0], [2, 0, 0]], [[2, 0, 0], [2, -3, 0], [4, 0, 0]]])
    mesh = closed(one.astype(float), two.astype(float))
    assert len(mesh.triangles) == 4
    assert volume_mm3(mesh) == 0


def test_an_open_border_stays_as_it_is():
    pieces = disc(16, 0, up=False), wall(16, 0, 3)
    plain = mesh_from_triangles("part", np.concatenate(pieces))
    assert np.array_equal(closed(*pieces).triangles, plain.triangles)
