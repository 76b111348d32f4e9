"""How large parts lie on the belt."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from edge.bundle.size import SizeEvidence
from edge.errors import BrickgateError
from quantization import sizes
from quantization.recipe import Family
from quantization.sizes import MOST_POSES, filled_share, resting_sides, size_table, upright_size_mm

UPRIGHT, ON_ITS_SIDE = np.eye(3), np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
TURNED = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]])


def box(length, width, height, *poses):
    """A part that is a box, with poses of (rotation, probability)."""
    corners = np.array([[x, y, z] for x in (0, length) for y in (0, width) for z in (0, height)], float)
    rotations, chances = zip(*poses, strict=True)
    return SimpleNamespace(
        mesh=SimpleNamespace(vertices_mm=corners, triangles=ConvexHull(corners).simplices),
        poses=SimpleNamespace(rotations=np.stack(rotations), probabilities=np.array(chances)),
    )


@pytest.fixture
def parts(monkeypatch):
    known = {
        "brick": box(31.8, 15.8, 11.4, (TURNED, 0.6), (ON_ITS_SIDE, 0.4)),
        "other": box(31.8, 15.8, 9.6, (UPRIGHT, 1.0)),
    }
    monkeypatch.setattr(sizes, "load_part", lambda mould, cache: known[mould])


def test_each_pose_has_its_rectangle_whatever_way_it_is_turned(parts, tmp_path):
    sides, chances, filled = resting_sides(("brick",), tmp_path)
    assert sides == pytest.approx(np.array([[31.8, 15.8], [31.8, 11.4]]), abs=0.01)
    assert chances.tolist() == pytest.approx([0.6, 0.4])
    assert filled.tolist() == pytest.approx([1, 1], abs=0.02)


def test_moulds_count_equally_and_equal_outlines_once(parts, tmp_path):
    family = Family("3001", ("brick", "other"), (), "Brick 2 x 4")
    table, weights, filled = size_table([family], tmp_path)
    assert (table.shape, weights.shape, filled.shape) == ((1, MOST_POSES, 2), (1, MOST_POSES), (1, MOST_POSES))
    assert filled[0, :3].tolist() == pytest.approx([1, 1, 0], abs=0.02)
    assert weights[0, :3].tolist() == pytest.approx([0.8, 0.2, 0.0], abs=1e-6)
    assert table[0, 0] == pytest.approx([31.8, 15.8], abs=0.05)


def plates(*boxes_mm):
    """(2·N, 3, 2) two triangles for each rectangle of u0, v0, u1, v1."""
    halves = [
        half for u0, v0, u1, v1 in boxes_mm for half in (((u0, v0), (u1, v0), (u1, v1)), ((u0, v0), (u1, v1), (u0, v1)))
    ]
    return np.array(halves, np.float32)


def test_an_arch_covers_less_of_its_rectangle_and_a_hole_counts_as_covered():
    """Both are 40 mm by 20 mm; the bay is 20 mm by 10 mm, and closed by a fourth side it is a hole."""
    arch = plates((0, 0, 40, 10), (0, 10, 10, 20), (30, 10, 40, 20))
    frame = np.concatenate([arch, plates((10, 19, 30, 20))])
    assert filled_share(plates((0, 0, 40, 20))) == pytest.approx(1.0, abs=0.02)
    assert filled_share(arch) == pytest.approx(0.75, abs=0.02)
    assert filled_share(frame) == pytest.approx(1.0, abs=0.02)


def test_the_table_is_evidence_of_size(parts, tmp_path):
    families = [Family("brick", ("brick",), (), ""), Family("other", ("other",), (), "")]
    evidence = SizeEvidence(*size_table(families, tmp_path))
    on_its_side = evidence.log_likelihood(31.8, 11.4)
    assert on_its_side[0] > on_its_side[1] + 2


def test_a_2x4_brick_measures_31_8_by_15_8_mm(tmp_path):
    try:
        length_mm, width_mm, height_mm = upright_size_mm("3001", tmp_path)
    except BrickgateError as error:
        pytest.skip(str(error))
    assert (length_mm, width_mm) == pytest.approx((31.8, 15.8), abs=0.25)
    assert height_mm == pytest.approx(9.6 + 1.6, abs=0.3)
    sides, chances, _ = resting_sides(("3001",), tmp_path)
    likeliest = sides[chances.argmax()]
    assert likeliest == pytest.approx([31.8, 15.8], abs=0.3)
    assert chances.sum() == pytest.approx(1, abs=1e-3)
