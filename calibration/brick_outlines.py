"""Outlines of bricks in a picture of the belt, to a fraction of a pixel."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.step import RefusedError
from edge.light import evidence, log_image
from edge.records import Box, ImageBgr

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
Points = NDArray[np.integer | np.floating]

STANDS_OUT = 0.22
"""Evidence (`edge.light`) of a brick against the belt."""
SIZES = (0.35, 2.6)
"""Areas against a brick's own, as machine.yaml's scale has it: the scale may be off, and a brick has a height."""
FOREIGN_SHARE = 0.2
"""A thing of this share of a brick is no speck."""
CLIPPED, CLIPPED_SHARE = 252, 0.3
STEP_PX, CORNER_PX, REACH_PX = 6.0, 5.0, 7
"""Points of an outline are so far apart, as far from its corners, and sought for so far in and out."""
SAME_PX = 25.0
"""How far from where it is expected a brick may be found in the next picture."""
SOLID = 0.9
"""Share of its hull that a brick fills: it has no hollow."""


@dataclass(slots=True, eq=False)
class Outline:
    """One brick in one picture; `brick` is the same in all pictures. Points (N, 2), px of the raw picture."""

    points_px: Doubles
    middle_px: Doubles
    turn: float
    picture: int = 0
    brick: int = -1


def find_outlines(picture: ImageBgr, region_px: Box, px_per_mm: float, size_mm: tuple[float, float]) -> list[Outline]:
    """Every brick that is seen whole, off the edges of the belt's region.

    Raises:
        RefusedError: something else lies there, or a lamp is mirrored in the belt.
    """
    u0, v0, u1, v1 = region_px
    belt = np.ascontiguousarray(picture[v0:v1, u0:u1])
    median = np.median(belt.reshape(-1, 3), axis=0).astype(np.float32)
    strength = evidence(log_image(belt) - log_image(median.astype(np.uint8).reshape(1, 1, 3)))
    mask = (cv2.GaussianBlur(strength, (0, 0), 1.0) > STANDS_OUT).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    own = size_mm[0] * size_mm[1] * px_per_mm**2
    found: list[Outline] = []
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    for contour in contours:
        left, top, wide, high = cv2.boundingRect(contour)
        area = cv2.contourArea(contour)
        at_edge = left <= 2 or top <= 2 or left + wide >= u1 - u0 - 2 or top + high >= v1 - v0 - 2
        if at_edge or area < FOREIGN_SHARE * own:
            continue
        middle = (left + wide / 2 + u0, top + high / 2 + v0)
        _check_mirror(belt[top : top + high, left : left + wide], contour - (left, top), middle)
        if not SIZES[0] * own < area < SIZES[1] * own or area < SOLID * cv2.contourArea(cv2.convexHull(contour)):
            raise RefusedError(
                f"plane: what lies at ({middle[0]:.0f}, {middle[1]:.0f}) px is no brick of {size_mm[0]:g} ×"
                f" {size_mm[1]:g} mm: lay nothing else on the belt, and bricks apart from each other"
            )
        found.append(_outline(belt, contour, np.array([u0, v0])))
    return found


def follow(pictures: list[list[Outline]]) -> int:
    """Gives each outline its brick and its picture, and says how many bricks there are. From picture to picture all
    have come the same way: the one that fits the most of them.

    Raises:
        RefusedError: two pictures have no brick in common.
    """
    for number, found in enumerate(pictures):
        for one in found:
            one.picture = number
    for brick, one in enumerate(pictures[0]):
        one.brick = brick
    bricks = len(pictures[0])
    for before, after in pairwise(pictures):
        matches = _matches(before, after)
        if not matches and bricks:
            raise RefusedError("plane: from one picture to the next no brick stayed in view: lay them further upstream")
        for old, new in matches:
            new.brick = old.brick
        for one in after:
            if one.brick < 0:
                one.brick, bricks = bricks, bricks + 1
    return bricks


def _matches(before: list[Outline], after: list[Outline]) -> list[tuple[Outline, Outline]]:
    best: list[tuple[Outline, Outline]] = []
    best_off = np.inf
    for first in before:
        for second in after:
            way = second.middle_px - first.middle_px
            pairs, off = [], 0.0
            for old in before:
                near = min(after, key=lambda new: float(np.linalg.norm(new.middle_px - old.middle_px - way)))
                distance = float(np.linalg.norm(near.middle_px - old.middle_px - way))
                if distance < SAME_PX:
                    pairs.append((old, near))
                    off += distance
            if (len(pairs), -off) > (len(best), -best_off):
                best, best_off = pairs, off
    return best


def _check_mirror(box: ImageBgr, contour: Points, middle: tuple[float, float]) -> None:
    inside = np.zeros(box.shape[:2], np.uint8)
    cv2.drawContours(inside, [np.asarray(contour, np.int32)], -1, (1,), cv2.FILLED)
    clipped = (box.min(axis=2) >= CLIPPED)[inside > 0]
    if clipped.mean() > CLIPPED_SHARE:
        raise RefusedError(
            f"plane: a lamp is mirrored in the belt at ({middle[0]:.0f}, {middle[1]:.0f}) px: turn or cover it, and do"
            " `camera` again"
        )


def _outline(belt: ImageBgr, contour: Points, corner: Points) -> Outline:
    hull = cv2.convexHull(np.asarray(contour, np.int32)).reshape(-1, 2).astype(np.float64)
    shape = cv2.approxPolyDP(hull.astype(np.float32).reshape(-1, 1, 2), 2.0, True).reshape(-1, 2).astype(np.float64)
    points, ways_in = _along(shape)
    share = _difference(belt, contour)
    edges, good = _crossings(share, points, ways_in)
    (u, v), (wide, high), angle = cv2.minAreaRect(np.asarray(contour, np.float32))
    turn = np.radians(angle if wide >= high else angle + 90)
    return Outline(edges[good] + corner, np.array([u, v]) + corner.astype(np.float64), float(turn))


def _along(shape: Doubles) -> tuple[Doubles, Doubles]:
    """Points (N, 2) along the sides of a convex outline, off its corners, and (N, 2) the way in at each."""
    middle = shape.mean(axis=0)
    points, ways = [], []
    for start, end in zip(shape, np.roll(shape, -1, axis=0), strict=True):
        length = float(np.linalg.norm(end - start))
        if length < 2 * CORNER_PX + STEP_PX:
            continue
        side = (end - start) / length
        inwards = np.array([-side[1], side[0]])
        inwards *= np.sign(inwards @ (middle - start))
        for at in np.arange(CORNER_PX, length - CORNER_PX, STEP_PX):
            points.append(start + at * side)
            ways.append(inwards)
    return np.array(points).reshape(-1, 2), np.array(ways).reshape(-1, 2)


def _difference(belt: ImageBgr, contour: Points) -> Floats:
    """(H, W) how much of a brick's colour is in each px: 0 on the belt, about 1 on the brick."""
    inside = np.zeros(belt.shape[:2], np.uint8)
    cv2.drawContours(inside, [np.asarray(contour, np.int32)], -1, (1,), cv2.FILLED)
    around = cv2.dilate(inside, np.ones((25, 25), np.uint8)) - cv2.dilate(inside, np.ones((13, 13), np.uint8))
    ground = np.median(belt[around > 0], axis=0)
    colour = np.median(belt[inside > 0], axis=0) - ground
    return (
        (belt.astype(np.float32) - ground.astype(np.float32)) @ (colour / (colour @ colour)).astype(np.float32)
    ).astype(np.float32)


def _crossings(share: Floats, points: Doubles, ways_in: Doubles) -> tuple[Doubles, NDArray[np.bool_]]:
    """Where a line across the outline is half-way from what is outside to what is inside of it, and whether it is."""
    offsets = np.arange(-REACH_PX, REACH_PX + 0.25, 0.25)
    places = points[:, None] + offsets[:, None] * ways_in[:, None]
    values = cv2.remap(
        share,
        places[..., 0].astype(np.float32),
        places[..., 1].astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    outside, inside = (
        np.median(values[:, offsets <= -4], axis=1),
        np.median(values[:, (offsets >= 3) & (offsets <= 5)], axis=1),
    )
    middle = (outside + inside)[:, None] / 2
    above = values > middle
    first = above.argmax(axis=1)
    rows = np.arange(len(points))
    before = np.maximum(first - 1, 0)
    low, high = values[rows, before], values[rows, first]
    within = np.clip((middle[:, 0] - low) / np.maximum(high - low, 1e-6), 0, 1)
    at = offsets[before] + 0.25 * within
    good = (inside - outside > 0.3) & (first > 0) & (np.abs(at) < 4)
    return points + at[:, None] * ways_in, good
