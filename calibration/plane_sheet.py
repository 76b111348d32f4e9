"""The plane step by the printed sheet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.least_squares import least_squares
from calibration.sheet import SQUARE_MM, Corners, find_corners, find_marks
from calibration.step import RefusedError
from calibration.view_fit import LIKELY, VARIES, View, view_of
from edge.records import Box, ImageBgr

Doubles = NDArray[np.float64]

LEAST_CORNERS = 12
LEAST_COVER = (0.6, 0.45)
"""Shares of the seen belt's length and width that the corners of all pictures together must span."""
MIRROR_LEVEL, MIRROR_SHARE = 252, 0.002
"""A share of the sheet at the end of the scale from which a lamp is mirrored in it: paper, well lit, is not."""
HOLES_SHARE = 0.12
"""Of the corners inside of those that were found."""


@dataclass(frozen=True, slots=True, eq=False)
class SheetFit:
    """Where the sheet's corners come to lie.

    Attributes:
        view: of the camera.
        ways_mm: (F, 2) where the sheet's middle lay in each picture.
        turns: (F,) its turn in radians.
        errors_mm: (N,) how far corners lie from where they should, of all pictures.
        scale_error: standard error of px_per_mm, as a share.
        first_points: (N, 2) px of the corners in the first picture, and (N, 2) mm by which they are seen off.
    """

    view: View
    ways_mm: Doubles
    turns: Doubles
    errors_mm: Doubles
    scale_error: float
    first_points: tuple[Doubles, Doubles]

    @property
    def count(self) -> int:
        """Corners of all pictures."""
        return len(self.errors_mm)


def fit_sheet(pictures: list[ImageBgr], region_px: Box, px_per_mm: float, along_v: bool) -> SheetFit:
    """Fits the view to the sheet in pictures (H, W, 3) of it.

    Args:
        px_per_mm: as machine.yaml has it, to begin with.
        along_v: the belt moves up or down.

    Raises:
        RefusedError: the sheet is not seen, or not well enough.
    """
    found = [(picture, find_corners(picture)) for picture in pictures]
    good = [(picture, corners) for picture, corners in found if len(corners.ids) >= LEAST_CORNERS]
    if not good:
        most = max((len(corners.ids) for _, corners in found), default=0)
        marks = max(len(find_marks(picture)) for picture in pictures)
        raise RefusedError(
            f"plane: {most or 'none'} of the sheet's corners and {marks or 'none'} of its marks are seen: lay it flat"
            " in the middle of the belt, its print up; do `camera` first if the picture is dark or not sharp"
        )
    # The pictures with fewer corners are those in which the sheet leaves the view: a lamp is looked for in the fullest.
    _check_cover([corners for _, corners in good], region_px, along_v)
    _check_mirror(*max(good, key=lambda one: len(one[1].ids)))
    return _fit([corners for _, corners in good], _size(pictures[0]), px_per_mm)


def _fit(corners: list[Corners], size_px: tuple[int, int], px_per_mm: float) -> SheetFit:
    raw = np.concatenate([one.px for one in corners])
    ends = np.cumsum([len(one.ids) for one in corners])[:-1]

    def off_mm(parameters: Doubles) -> list[Doubles]:
        seen = np.split(view_of(parameters, size_px, px_per_mm).mm(raw), ends)
        return [laid(one.mm, mm)[0] - mm for one, mm in zip(corners, seen, strict=True)]

    def residuals(parameters: Doubles) -> Doubles:
        return np.concatenate([*(one.ravel() for one in off_mm(parameters)), 0.03 * LIKELY * parameters])

    best, errors = least_squares(residuals, np.zeros(len(VARIES)), VARIES)
    view = view_of(best, size_px, px_per_mm)
    places = [laid(one.mm, view.mm(one.px)) for one in corners]
    offs = off_mm(best)
    off = np.linalg.norm(np.concatenate(offs), axis=1)
    middle = np.array([np.concatenate([one.mm for one in corners]).mean(axis=0)])
    ways = np.array([(middle @ turn.T + shift)[0] for _, turn, shift in places])
    turns = np.array([np.arctan2(turn[1, 0], turn[0, 0]) for _, turn, _ in places])
    return SheetFit(view, ways, turns, off, float(errors[0]), (corners[0].px, -offs[0]))


def laid(own_mm: Doubles, seen_mm: Doubles) -> tuple[Doubles, Doubles, Doubles]:
    """The sheet's points (N, 2) as they lie where they are seen (N, 2), and its turn (2, 2) and shift (2,): the best
    motion without a change of size (Kabsch 1976)."""
    own, seen = own_mm.mean(axis=0), seen_mm.mean(axis=0)
    u, _, v = np.linalg.svd((own_mm - own).T @ (seen_mm - seen))
    flip = np.diag([1.0, np.linalg.det(u @ v)])
    turn = (u @ flip @ v).T
    shift = seen - turn @ own
    return own_mm @ turn.T + shift, turn, shift


def _check_cover(corners: list[Corners], region_px: Box, along_v: bool) -> None:
    points = np.concatenate([one.px for one in corners])
    low, high = np.percentile(points, 1, axis=0), np.percentile(points, 99, axis=0)
    u0, v0, u1, v1 = region_px
    # A square's room past the outermost corners belongs to the sheet, too.
    room = np.median([np.linalg.norm(np.diff(one.px[:2], axis=0)) for one in corners])
    shares = (high - low + room) / (u1 - u0, v1 - v0)
    along, across = (shares[1], shares[0]) if along_v else (shares[0], shares[1])
    for share, least, what in ((along, LEAST_COVER[0], "length"), (across, LEAST_COVER[1], "width")):
        if share < least:
            raise RefusedError(
                f"plane: the sheet is only partly in view: its corners span {share:.0%} of the seen belt's {what}, at"
                f" least {least:.0%} is needed: lay it in the middle"
            )


def _check_mirror(picture: ImageBgr, corners: Corners) -> None:
    low, high = np.floor(corners.px.min(axis=0)).astype(int), np.ceil(corners.px.max(axis=0)).astype(int)
    sheet = picture[low[1] : high[1], low[0] : high[0]]
    clipped = sheet.min(axis=2) >= MIRROR_LEVEL
    columns = np.round(corners.mm / SQUARE_MM).astype(int)
    spanned = np.ptp(columns, axis=0) + 1
    holes = 1 - len(corners.ids) / int(spanned.prod())
    if (share := float(clipped.mean())) > MIRROR_SHARE:
        v, u = np.nonzero(clipped)
        raise RefusedError(
            f"plane: {share:.1%} of the sheet is at the end of the scale, around ({u.mean() + low[0]:.0f},"
            f" {v.mean() + low[1]:.0f}) px: a lamp is mirrored in it, or the picture is too bright: turn the lamp, or"
            " do `camera` again"
        )
    if holes > HOLES_SHARE:
        raise RefusedError(
            f"plane: {holes:.0%} of the sheet's corners are hidden inside of those that are seen: take off what lies on"
            " it, and look for a reflection"
        )


def _size(picture: ImageBgr) -> tuple[int, int]:
    return picture.shape[1], picture.shape[0]
