"""How large parts lie on the belt."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from edge.bundle.size import SizeEvidence
from edge.errors import BrickgateError
from quantization import sizes
from quantization.recipe import Family
from quantization.sizes import MOST_POSES, resting_sides, size_table, upright_size_mm

UPRIGHT, ON_ITS_SIDE = np.eye(3), np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
TURNED = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]])


def box(length, width, height, *poses):
    """A part that is a box, with poses of (rotation, probability)."""
    corners = np.array([[x, y, z] for x in (0, length) for y in (0, width) for z in (0, height)], float)
    rotations, chances = zip(*poses, strict=True)
    return SimpleNamespace(
        mesh=SimpleNamespace(vertices_mm=corners),
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
    sides, chances = resting_sides(("brick",), tmp_path)
    assert sides == pytest.approx(np.array([[31.8, 15.8], [31.8, 11.4]]), abs=0.01)
    assert chances.tolist() == pytest.approx([0.6, 0.4])


def test_moulds_count_equally_and_equal_outlines_once(parts, tmp_path):
    family = Family("3001", ("brick", "other"), (), "Brick 2 x 4")
    table, weights = size_table([family], tmp_path)
    assert (table.shape, weights.shape) == ((1, MOST_POSES, 2), (1, MOST_POSES))
    assert weights[0, :3].tolist() == pytest.approx([0.8, 0.2, 0.0], abs=1e-6)
    assert table[0, 0] == pytest.approx([31.8, 15.8], abs=0.05)


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
    sides, chances = resting_sides(("3001",), tmp_path)
    likeliest = sides[chances.argmax()]
    assert likeliest == pytest.approx([31.8, 15.8], abs=0.3)
    assert chances.sum() == pytest.approx(1, abs=1e-3)
