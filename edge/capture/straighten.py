"""From the camera's raw picture to one in which every mm of the belt is as many px: one table look-up a frame."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.config.calibration import LensCalibration, PlaneCalibration
from edge.errors import InputError
from edge.records import Frame, ImageBgr

Doubles = NDArray[np.float64]


class Straightener:
    """Straightens pictures by the measured lens and belt plane. Its tables take 6 bytes a px.

    Args:
        plane: the section `plane` of calibration.yaml.
    """

    def __init__(self, plane: PlaneCalibration) -> None:
        self._size_px = width, height = plane.size_px
        v, u = np.mgrid[0:height, 0:width].astype(np.float64)
        raw = raw_px(plane, np.stack([u.ravel(), v.ravel()], axis=1)).astype(np.float32)
        self._tables = cv2.convertMaps(raw[:, 0].reshape(height, width), raw[:, 1].reshape(height, width), cv2.CV_16SC2)

    def picture(self, image_bgr: ImageBgr) -> ImageBgr:
        """The straight picture of a raw one (H, W, 3), of the same size; its edge goes on where the camera saw nothing.

        Raises:
            InputError: the picture is not of the size that was calibrated.
        """
        height, width = image_bgr.shape[:2]
        if (width, height) != self._size_px:
            raise InputError(
                f"the picture is {width}×{height} px, but the plane was calibrated for {self._size_px[0]}×"
                f"{self._size_px[1]}: brickgate-calibrate plane"
            )
        return np.asarray(
            cv2.remap(image_bgr, *self._tables, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8
        )

    def frame(self, frame: Frame) -> Frame:
        """The same frame with its picture straightened."""
        return replace(frame, image_bgr=self.picture(frame.image_bgr))


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
