"""From the camera's raw picture to one in which every mm of the belt is as many px: by a table of where each px is.

All of a picture takes longer than finding its parts. While the machine sorts, it is straightened small, and
in full only around the parts.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.config.calibration import LensCalibration, PlaneCalibration
from edge.errors import InputError
from edge.records import Box, Frame, ImageBgr
from edge.scaling import shrink

Doubles = NDArray[np.float64]
Tables = tuple[NDArray[np.integer], NDArray[np.integer]]
"""Of `cv2.remap`: whole px, and what is left of them."""


class Straightener:
    """Straightens pictures by the measured lens and belt plane. Its tables take 6 bytes a px.

    Args:
        plane: the section `plane` of calibration.yaml.
    """

    def __init__(self, plane: PlaneCalibration) -> None:
        self._plane = plane
        width, height = plane.size_px
        self._tables = self._tables_of(_middles(0, width, 1), _middles(0, height, 1), np.ones(2))
        self._small: dict[tuple[Box, int], Tables] = {}

    def picture(self, image_bgr: ImageBgr) -> ImageBgr:
        """The straight picture of a raw one (H, W, 3), of the same size; its edge goes on where the camera saw nothing.

        Raises:
            InputError: the picture is not of the size that was calibrated.
        """
        self._check(image_bgr)
        return _looked_up(image_bgr, self._tables)

    def frame(self, frame: Frame) -> Frame:
        """The same frame with its picture straightened."""
        return replace(frame, image_bgr=self.picture(np.asarray(frame.image_bgr)))

    def frame_on_sight(self, frame: Frame) -> Frame:
        """The same frame with a picture that is straightened only where somebody looks: a few parts on a belt.

        Raises:
            InputError: the picture is not of the size that was calibrated.
        """
        raw = np.asarray(frame.image_bgr)
        self._check(raw)
        return replace(frame, image_bgr=StraightPicture(raw, self))

    def part(self, raw_bgr: ImageBgr, rows: slice, columns: slice) -> ImageBgr:
        """Rows and columns of the straight picture."""
        return _looked_up(raw_bgr, (self._tables[0][rows, columns], self._tables[1][rows, columns]))

    def small_part(self, small_raw_bgr: ImageBgr, box: Box, factor: int) -> ImageBgr:
        """A box of the straight picture at 1/`factor` of its size, of the raw one at 1/`factor` of its size."""
        tables = self._small.get((box, factor))
        if tables is None:
            u, v = (_middles(start, end, factor) for start, end in (box[::2], box[1::2]))
            height, width = small_raw_bgr.shape[:2]
            scale = np.array(self._plane.size_px) / (width, height)
            tables = self._small[(box, factor)] = self._tables_of(u, v, scale)
        return _looked_up(small_raw_bgr, tables)

    def _tables_of(self, u: Doubles, v: Doubles, scale: Doubles) -> Tables:
        """Where each px of columns `u` and rows `v` of the straight picture is in a raw one, `scale` times as small."""
        places = np.stack([axis.ravel() for axis in np.meshgrid(u, v)], axis=1).astype(np.float64)
        raw = (raw_px(self._plane, places) + 0.5) / scale - 0.5
        across, down = (raw[:, axis].reshape(len(v), len(u)).astype(np.float32) for axis in (0, 1))
        whole, rest = cv2.convertMaps(across, down, cv2.CV_16SC2)
        return np.asarray(whole, np.int16), np.asarray(rest, np.uint16)

    def _check(self, image_bgr: ImageBgr) -> None:
        height, width = image_bgr.shape[:2]
        known = self._plane.size_px
        if (width, height) != known:
            raise InputError(
                f"the picture is {width}×{height} px, but the plane was calibrated for {known[0]}×{known[1]}:"
                " brickgate-calibrate plane"
            )


class StraightPicture:
    """A straight picture (H, W, 3) that is made where somebody looks, by slices, as long as the raw one is there.

    It is what `Straightener.picture` makes; in a smaller one of it rims differ by some levels.
    """

    def __init__(self, raw_bgr: ImageBgr, straightener: Straightener) -> None:
        self._raw, self._straightener = raw_bgr, straightener
        self._small: dict[int, ImageBgr] = {}

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W, 3)."""
        return self._raw.shape

    def __getitem__(self, place: tuple[slice, slice] | tuple[slice, slice, int], /) -> NDArray[np.uint8]:
        """A copy of rows, columns and, if named, one channel."""
        rows, columns, *channel = place
        part = self._straightener.part(self._raw, rows, columns)
        return part[:, :, channel[0]] if channel else part

    def __array__(self, dtype: type | None = None, copy: bool | None = None) -> NDArray[np.uint8]:
        """All of it."""
        return self._straightener.picture(self._raw).astype(dtype or np.uint8, copy=False)

    def shrunk(self, box: Box, factor: int) -> ImageBgr:
        """The box at 1/`factor` of its size: the raw picture is made smaller first."""
        if factor not in self._small:
            self._small[factor] = shrink(self._raw, factor)
        return self._straightener.small_part(self._small[factor], box, factor)


def _looked_up(raw_bgr: ImageBgr, tables: Tables) -> ImageBgr:
    whole, rest = (np.ascontiguousarray(table) for table in tables)
    return np.asarray(cv2.remap(raw_bgr, whole, rest, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _middles(start_px: int, end_px: int, factor: int) -> Doubles:
    """Where the middles of px are, `factor` times as large as the picture's, as `shrink` has them."""
    count = max((end_px - start_px) // factor, 1)
    return start_px + (np.arange(count) + 0.5) * (end_px - start_px) / count - 0.5


def raw_px(plane: PlaneCalibration, straight_px: Doubles) -> Doubles:
    """(N, 2) px of the raw picture of px (N, 2) of the straight one."""
    back = np.linalg.inv(np.array(plane.homography))
    seen = np.column_stack([straight_px, np.ones(len(straight_px))]) @ back.T
    flat = seen[:, :2] / seen[:, 2:]
    return bent(plane.lens, flat) if plane.lens else flat


def bent(lens: LensCalibration, flat_px: Doubles) -> Doubles:
    """(N, 2) where the lens shows px (N, 2) of a pinhole's picture: OpenCV's radial model with two terms."""
    middle = np.array(lens.centre_px)
    out = flat_px - middle
    square = (out**2).sum(axis=1, keepdims=True) / lens.focal_px**2
    return middle + out * (1 + lens.k1 * square + lens.k2 * square**2)
