"""The plane step by bricks of known size alone.

A brick is higher than the belt: its outline is that of its base and its top together, as seen from where the lens is.
That is fitted to the outlines in all pictures at once, and it shows how high the lens is, which gives the scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.brick_outlines import Outline, find_outlines, follow
from calibration.least_squares import least_squares
from calibration.step import RefusedError
from calibration.view_fit import LIKELY, VARIES, View, view_of
from edge.records import Box, ImageBgr

Doubles = NDArray[np.float64]
Ints = NDArray[np.int_]

BRICKS_MM = {"2x4": (31.8, 15.8), "2x3": (23.8, 15.8), "2x2": (15.8, 15.8)}
HEIGHT_MM = 9.6
"""Studs are higher, but stand so far inside that the sides hide them."""
LEAST_BRICKS = 4
LEAST_SPAN = 0.5
"""Share of the seen belt's length that the bricks of all pictures must span."""
MOST_OFF_MM, MOST_OFF_PERCENTILE = 0.7, 85
"""Error of one brick's outline from which it is another kind of brick. Its long sides may fit all the same: the ends of
a 2×3 are a quarter of its outline."""
MOST_SCALE = 0.25
"""How far the scale may be from machine.yaml's: a 2×2 and a 2×4 look alike at twice the height."""
SOFT_MM = 0.2
"""An error of a point that counts in full; larger ones count as their root, as a shadow's or a speck's are."""
EDGE_MM = 0.1
"""How far an outline may be seen too far out or in, all around every brick: blur and shadow."""
POSE = np.array([2.0, 2.0, 0.05])


@dataclass(frozen=True, slots=True, eq=False)
class BrickFit:
    """Attributes:
    view: of the camera.
    ways_mm: (F, 2) how far the belt has come in each picture.
    errors_mm: (N,) how far points of the outlines lie from where they should.
    scale_error: standard error of px_per_mm, as a share.
    count: bricks.
    first_points: (N, 2) px of the first picture's points, and (N, 2) mm by which they are seen off.
    """

    view: View
    ways_mm: Doubles
    errors_mm: Doubles
    scale_error: float
    count: int
    first_points: tuple[Doubles, Doubles]


def fit_bricks(
    pictures: list[ImageBgr], region_px: Box, px_per_mm: float, size_mm: tuple[float, float], along_v: bool
) -> BrickFit:
    """Fits the view to bricks in pictures (H, W, 3) of them.

    Args:
        px_per_mm: as machine.yaml has it, to begin with.
        size_mm: of every brick.
        along_v: the belt moves up or down.

    Raises:
        RefusedError: they are not seen well enough, or are other bricks.
    """
    outlines = [find_outlines(picture, region_px, px_per_mm, size_mm) for picture in pictures]
    bricks = follow(outlines)
    if bricks < LEAST_BRICKS:
        raise RefusedError(
            f"plane: {bricks or 'no'} bricks are seen whole, {LEAST_BRICKS} are needed: lay them all over the seen"
            " belt, apart from each other, in colours that stand out from it"
        )
    _check_span(outlines, region_px, along_v)
    size_px = (pictures[0].shape[1], pictures[0].shape[0])
    problem = _Problem([one for found in outlines for one in found], len(pictures), bricks, size_mm, size_px, px_per_mm)
    return problem.solve()


def _check_span(outlines: list[list[Outline]], region_px: Box, along_v: bool) -> None:
    places = np.array([one.middle_px for found in outlines for one in found])
    axis, length = (1, region_px[3] - region_px[1]) if along_v else (0, region_px[2] - region_px[0])
    if (share := float(np.ptp(places[:, axis])) / length) < LEAST_SPAN:
        raise RefusedError(
            f"plane: the bricks lie within {share:.0%} of the seen belt's length, at least {LEAST_SPAN:.0%} is needed:"
            " lay them all over it"
        )


class _Problem:
    """Parameters: the view's, how far outlines are seen too far out, the belt's place in each picture but the first,
    and each brick's place and turn in the first."""

    def __init__(
        self,
        outlines: list[Outline],
        pictures: int,
        bricks: int,
        size_mm: tuple[float, float],
        size_px: tuple[int, int],
        px_per_mm: float,
    ) -> None:
        self._outlines, self._size_mm, self._size_px, self._px_per_mm = outlines, size_mm, size_px, px_per_mm
        self._points = np.concatenate([one.points_px for one in outlines])
        self._brick = np.concatenate([np.full(len(one.points_px), one.brick) for one in outlines])
        self._picture = np.concatenate([np.full(len(one.points_px), one.picture) for one in outlines])
        self._pictures, self._bricks = pictures, bricks
        self._ways_at = len(VARIES) + 1
        self._poses_at = self._ways_at + 2 * (pictures - 1)

    def solve(self) -> BrickFit:
        """Fits all of them; a point that is far off, such as a shadow's edge, counts little."""
        start, scale = self._start()
        poses = [[self._poses_at + 3 * brick + k for brick in range(self._bricks)] for k in range(3)]
        owners = {index: brick for group in poses for brick, index in enumerate(group)}
        prior = len(LIKELY) + 1

        def belongs(index: int) -> NDArray[np.bool_]:
            return np.concatenate([self._brick == owners[index], np.zeros(prior, bool)])

        best, errors = least_squares(self._residuals, start, scale, poses, belongs)
        off, normals = self._off_mm(best)
        self._check(best, off)
        view = view_of(best, self._size_px, self._px_per_mm)
        ways = np.vstack([np.zeros(2), best[self._ways_at : self._poses_at].reshape(-1, 2)])
        first = self._picture == 0
        points = self._points[first], (off[:, None] * normals)[first]
        return BrickFit(view, ways, np.abs(off), float(errors[0]), self._bricks, points)

    def _start(self) -> tuple[Doubles, Doubles]:
        view = view_of(np.zeros(len(VARIES)), self._size_px, self._px_per_mm)
        middles = view.mm(np.array([one.middle_px for one in self._outlines]))
        poses, ways = np.zeros((self._bricks, 3)), np.zeros((self._pictures, 2))
        seen = {
            (one.picture, one.brick): (middle, one.turn) for one, middle in zip(self._outlines, middles, strict=True)
        }
        for picture in range(1, self._pictures):
            both = [brick for brick in range(self._bricks) if {(picture, brick), (picture - 1, brick)} <= seen.keys()]
            step = np.mean([seen[picture, brick][0] - seen[picture - 1, brick][0] for brick in both], axis=0)
            ways[picture] = ways[picture - 1] + step
        for (picture, brick), (middle, turn) in reversed(seen.items()):
            poses[brick] = [*(middle - ways[picture]), turn]
        start = np.concatenate([np.zeros(self._ways_at), ways[1:].ravel(), poses.ravel()])
        scale = np.concatenate([VARIES, [EDGE_MM], np.full(2 * (self._pictures - 1), 2.0), np.tile(POSE, self._bricks)])
        return start, scale

    def _residuals(self, parameters: Doubles) -> Doubles:
        off = self._off_mm(parameters)[0]
        # Huber's loss as a residual: beyond SOFT_MM the square goes with the error itself.
        size = np.abs(off)
        soft = np.where(size <= SOFT_MM, off, np.sign(off) * np.sqrt(SOFT_MM * np.maximum(2 * size - SOFT_MM, 0)))
        edge = parameters[len(VARIES)]
        return np.concatenate([soft, 0.05 * LIKELY * parameters[: len(VARIES)], [0.05 * edge / EDGE_MM]])

    def _off_mm(self, parameters: Doubles) -> tuple[Doubles, Doubles]:
        """(N,) how far each point lies outside of its brick's outline, and (N, 2) the way out there."""
        view, edge = view_of(parameters, self._size_px, self._px_per_mm), parameters[len(VARIES)]
        seen = view.mm(self._points)
        ways = np.vstack([np.zeros(2), parameters[self._ways_at : self._poses_at].reshape(-1, 2)])
        poses = parameters[self._poses_at :].reshape(-1, 3)
        base = poses[self._brick, :2] + ways[self._picture]
        turn = poses[self._brick, 2]
        along = np.stack([np.cos(turn), np.sin(turn)], axis=1)
        across = np.stack([-along[:, 1], along[:, 0]], axis=1)
        eye = view.lens.eye / view.px_per_mm
        larger = eye[2] / (eye[2] - HEIGHT_MM)
        top = eye[:2] + (base - eye[:2]) * larger
        half = np.array(self._size_mm) / 2
        normals = [along, -along, across, -across]
        for right in (-1, 1):
            for down in (-1, 1):
                # From a corner of the base to that of the top there is an edge, away from the lens's foot.
                out = base + right * half[0] * along + down * half[1] * across - eye[:2]
                out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)
                normals += [np.stack([-out[:, 1], out[:, 0]], axis=1), np.stack([out[:, 1], -out[:, 0]], axis=1)]
        ways_out = np.stack(normals, axis=1)
        reach = half[0] * np.abs((ways_out * along[:, None]).sum(axis=2))
        reach += half[1] * np.abs((ways_out * across[:, None]).sum(axis=2))
        low = (ways_out * base[:, None]).sum(axis=2) + reach
        high = (ways_out * top[:, None]).sum(axis=2) + larger * reach
        outside = (ways_out * seen[:, None]).sum(axis=2) - np.maximum(low, high)
        nearest = outside.argmax(axis=1)
        rows = np.arange(len(seen))
        return outside[rows, nearest] - edge, ways_out[rows, nearest]

    def _check(self, parameters: Doubles, off: Doubles) -> None:
        """Refuses bricks that are not what they were said to be."""
        length, width = self._size_mm
        said = f"{length:g} × {width:g} mm"
        scale = float(np.exp(parameters[0]))
        for one in self._outlines:
            mine = (self._brick == one.brick) & (self._picture == one.picture)
            if float(np.percentile(np.abs(off[mine]), MOST_OFF_PERCENTILE)) > MOST_OFF_MM:
                u, v = one.middle_px
                raise RefusedError(
                    f"plane: what lies at ({u:.0f}, {v:.0f}) px is no brick of {said}, or not all are: take bricks"
                    " of one kind, and name that"
                )
        if abs(np.log(scale)) > np.log(1 + MOST_SCALE):
            raise RefusedError(
                f"plane: bricks of {said} would make {self._px_per_mm * scale:.2f} px/mm, machine.yaml says"
                f" {self._px_per_mm:g}: are they really that? If so, correct camera.px_per_mm roughly"
            )
