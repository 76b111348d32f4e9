"""Shapes are compared whatever way they lie, and mirror images are told from turned ones."""

from __future__ import annotations

import numpy as np
import pytest

from edge.catalogue.lookalikes import LookAlike
from quantization.catalogue.alignment import TURNS, Cover, cover, surface_of
from quantization.catalogue.lookalikes import Mould, candidates, find_look_alikes, kind_of
from quantization.catalogue.shapes import shape_of as shape_by_number
from quantization.catalogue.shapes import surface_points

UPRIGHT = np.eye(3)
QUARTER = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
MIRROR = np.diag([-1.0, 1, 1])


def boxes(*corners: tuple[float, ...], turn: np.ndarray = UPRIGHT) -> np.ndarray:
    """(K, 3, 3) corners of boxes given by x0, y0, z0, x1, y1, z1 in mm, then turned."""
    faces = []
    for x0, y0, z0, x1, y1, z1 in corners:
        at = np.array([(x, y, z) for x in (x0, x1) for y in (y0, y1) for z in (z0, z1)], float) @ turn.T
        for a, b, c, d in ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)):
            faces += [(at[a], at[b], at[c]), (at[a], at[c], at[d])]
    return np.array(faces)


def shape_of(corners_mm):
    return shape_by_number("1", corners_mm)


PLATE = (0, 0, 0, 24, 16, 3)
HOOKED = ((0, 0, 0, 24, 16, 3), (16, 0, 3, 24, 6, 9))
"""With a block on one corner: its mirror image cannot be had by turning."""


def covers(one: np.ndarray, other: np.ndarray) -> tuple[Cover, Cover]:
    a, b = surface_of(one), surface_of(other)
    return cover(a, b, TURNS[:24]), cover(a, b, TURNS[24:])


def test_there_are_24_rotations_and_24_mirror_images() -> None:
    determinants = np.linalg.det(TURNS)
    assert np.allclose(determinants[:24], 1)
    assert np.allclose(determinants[24:], -1)
    assert len({turn.tobytes() for turn in TURNS}) == 48


def test_measures_of_a_box() -> None:
    shape = shape_of(boxes(PLATE))
    assert shape.size_mm == (24.0, 16.0, 3.0)
    assert shape.sides_mm.tolist() == pytest.approx([24, 16, 3])
    assert shape.area_mm2 == pytest.approx(2 * (24 * 16 + 24 * 3 + 16 * 3), rel=1e-4)
    assert shape.volume_mm3 == pytest.approx(24 * 16 * 3, rel=1e-4)
    assert shape.distances.sum() == pytest.approx(1)


def test_measures_do_not_depend_on_how_the_part_lies() -> None:
    one, other = shape_of(boxes(*HOOKED)), shape_of(boxes(*HOOKED, turn=QUARTER))
    assert other.sides_mm == pytest.approx(one.sides_mm)
    assert np.abs(one.distances - other.distances).sum() < 0.1


def test_points_lie_on_the_surface_evenly() -> None:
    points = surface_points(boxes(PLATE), 4000)
    assert np.abs(points).max(axis=0) == pytest.approx([12, 8, 1.5], abs=0.01)
    on_top = (points[:, 2] > 1.499).mean()
    assert on_top == pytest.approx(24 * 16 / (2 * (24 * 16 + 24 * 3 + 16 * 3)), abs=0.01)


def test_a_turned_part_is_the_same() -> None:
    turned, mirrored = covers(boxes(*HOOKED), boxes(*HOOKED, turn=QUARTER))
    assert turned.share > 0.99
    assert mirrored.share < turned.share
    assert kind_of(turned, mirrored)[0] == "same"


def test_a_mirror_image_is_told_from_a_turned_part() -> None:
    found = kind_of(*covers(boxes(*HOOKED), boxes(*HOOKED, turn=MIRROR)))
    assert found is not None
    assert found[0] == "mirror"
    assert found[1].distance_mm < 0.3


def test_a_symmetric_part_is_the_same_and_no_mirror_image() -> None:
    assert kind_of(*covers(boxes(PLATE), boxes(PLATE, turn=MIRROR)))[0] == "same"


def test_a_detail_makes_a_variant_and_a_block_another_part() -> None:
    detail = boxes(PLATE, (10, 6, 3, 14, 10, 3.9))
    block = boxes(PLATE, (2, 2, 3, 14, 14, 3.95))
    assert kind_of(*covers(boxes(PLATE), detail))[0] == "variant"
    assert kind_of(*covers(detail, block)) is None


def test_boxes_of_other_sizes_are_not_even_compared() -> None:
    shapes = [shape_of(boxes(PLATE)), shape_of(boxes((0, 0, 0, 16, 24, 3.2))), shape_of(boxes((0, 0, 0, 32, 16, 3)))]
    assert list(candidates(shapes)) == [(0, 1)]
    assert list(candidates([])) == []


def test_pairs_are_of_part_types_by_their_most_alike_moulds() -> None:
    shape = shape_of(boxes(PLATE))
    lines: list[str] = []
    moulds = [Mould("20", shape), Mould("3", shape), Mould("3", shape)]
    shares = iter([Cover(0.95, 0.2), Cover(0.99, 0.1)])
    found = find_look_alikes(moulds, lambda one, other: (next(shares), Cover(0, 9)), lines.append)
    assert found == [LookAlike("20", "3", "same", 0.1, 0.99)]
    assert lines == ["compared 2 of 2 pairs of parts, 1 look alike"]
