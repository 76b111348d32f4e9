"""How well two parts cover each other in the best of the ways that a box can be turned, and of its mirror images."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from quantization.catalogue.shapes import Doubles, Drawings, areas_mm2, surface_points

SPARSE, FEW = 1_500, 160
"""Points that a surface is compared by, and that choose how to turn it."""
NEAR_MM = 0.5
"""Points nearer than this to the other surface are covered by it."""
LEAST_POINTS, MOST_POINTS, POINTS_A_MM2 = 12_000, 60_000, 6.0
"""Points that a surface is made of. Of points strewn at random, e^(−π · 0.5² · 6) = 1 % lie alone in NEAR_MM."""
NEAR_SPACINGS = 1.25
"""The same for the largest parts, whose points are further apart: NEAR_MM grows to this many spacings."""
BOX_TOLERANCE_MM, BOX_TOLERANCE = 1.0, 0.03
"""How much the sides of the boxes of look-alikes may differ: absolute, and as a share."""
STILL_PROMISING = 0.75
"""Least cover by FEW points that is worth a closer look."""


@dataclass(frozen=True, slots=True)
class Cover:
    """How two parts fit.

    Attributes:
        share: of the surface of either part, the lesser, that lies near the other's.
        distance_mm: mean from a surface to the other one.
    """

    share: float
    distance_mm: float


NO_COVER = Cover(0.0, float("inf"))


def box_turns() -> NDArray[np.int64]:
    """(48, 3, 3) all signed permutations: 24 rotations (determinant +1), then 24 with a mirror."""
    found = []
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1, -1), repeat=3):
            turn = np.zeros((3, 3), np.int64)
            turn[range(3), order] = signs
            found.append(turn)
    return np.array(sorted(found, key=lambda turn: -np.linalg.det(turn)))


TURNS = box_turns()


def box_tolerance_mm(sides_mm: Doubles) -> Doubles:
    """How much each side may differ."""
    return np.maximum(BOX_TOLERANCE_MM, BOX_TOLERANCE * sides_mm)


class Surfaces:
    """Surface points and their search trees, the last ones kept."""

    def __init__(self, drawings: Drawings) -> None:
        self._load = lru_cache(maxsize=128)(lambda number: surface_of(drawings.corners_mm(number)))

    def covers(self, one: str, other: str) -> tuple[Cover, Cover]:
        """The best cover of two parts by turning alone, and with a mirror."""
        a, b = self._load(one), self._load(other)
        return cover(a, b, TURNS[:24]), cover(a, b, TURNS[24:])


@dataclass(frozen=True, eq=False)
class Surface:
    """A part as points.

    Attributes:
        sides_mm: of its box along x, y, z.
        points_mm: (SPARSE, 3) in random order.
        tree: of all points.
        near_mm: what is nearer than this to a point is covered.
    """

    sides_mm: Doubles
    points_mm: Doubles
    tree: KDTree
    near_mm: float


def surface_of(corners_mm: Doubles) -> Surface:
    """The surface of (K, 3, 3) triangles, their box's middle at the origin."""
    area_mm2 = float(areas_mm2(corners_mm).sum())
    count = int(np.clip(POINTS_A_MM2 * area_mm2, LEAST_POINTS, MOST_POINTS))
    points_mm = surface_points(corners_mm, count)
    some = np.random.default_rng(0).permutation(count)[:SPARSE]
    near_mm = max(NEAR_MM, NEAR_SPACINGS * (area_mm2 / count) ** 0.5)
    return Surface(np.ptp(corners_mm.reshape(-1, 3), axis=0), points_mm[some], KDTree(points_mm), near_mm)


def cover(one: Surface, other: Surface, turns: NDArray[np.int64]) -> Cover:
    """The best cover over `turns` of one part, as far as the boxes allow."""
    near_mm = max(one.near_mm, other.near_mm)
    tolerance = box_tolerance_mm(other.sides_mm)
    fitting = [turn for turn in turns if np.all(np.abs(np.abs(turn) @ one.sides_mm - other.sides_mm) <= tolerance)]
    if not fitting:
        return NO_COVER
    few = one.points_mm[:FEW]
    quick = [_share(other.tree, few @ turn.T, near_mm) for turn in fitting]
    best = int(np.argmax(quick))
    if quick[best] < STILL_PROMISING:
        return NO_COVER
    there, _ = other.tree.query(one.points_mm @ fitting[best].T)
    back, _ = one.tree.query(other.points_mm @ fitting[best])
    share = min(float((way <= near_mm).mean()) for way in (there, back))
    return Cover(share, float((there.mean() + back.mean()) / 2))


def _share(tree: KDTree, points_mm: Doubles, near_mm: float) -> float:
    return float((tree.query(points_mm, distance_upper_bound=near_mm)[0] <= near_mm).mean())
