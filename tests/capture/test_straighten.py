"""The straightened picture shows the belt in its place and size, whatever lens and lean the raw one has."""

from __future__ import annotations

from datetime import UTC, datetime

import cv2
import numpy as np
import pytest

from edge.capture.straighten import Straightener, raw_px
from edge.config.calibration import LensCalibration, PlaneCalibration
from edge.errors import InputError
from edge.records import Frame
from edge.sim.settings import CameraSettings, HiddenCamera
from edge.sim.view import View

CAMERA = CameraSettings(width_px=640, height_px=360, px_per_mm=2.5, region_px=(0, 30, 640, 330))
ASLANT = HiddenCamera(pitch_deg=2.5, roll_deg=-1.5, yaw_deg=2.0, k1=-0.1, k2=0.02)


def _plane(view: View, hidden: HiddenCamera) -> PlaneCalibration:
    return PlaneCalibration(
        made_at=datetime(2026, 1, 1, tzinfo=UTC),
        measured_from="a test",
        residuals={},
        size_px=(640, 360),
        px_per_mm=2.5,
        lens=LensCalibration(focal_px=view.focal_px, centre_px=(319.5, 179.5), k1=hidden.k1, k2=hidden.k2),
        homography=tuple(tuple(row) for row in view.homography.tolist()),  # type: ignore[arg-type]
    )


def test_the_way_there_is_the_way_back_of_the_cameras_view():
    view = View(CAMERA, ASLANT)
    straight = np.array([[20.0, 40.0], [320.0, 100.0], [600.0, 320.0]])
    assert np.allclose(view.straight(raw_px(_plane(view, ASLANT), straight)), straight, atol=1e-6)


def test_marks_on_the_belt_come_to_lie_where_they_are():
    view = View(CAMERA, ASLANT)
    margin = (np.array([view.canvas.width_px, view.canvas.height_px]) - (640, 360)) // 2
    canvas = np.zeros((view.canvas.height_px, view.canvas.width_px, 3), np.uint8)
    marks = np.array([[60, 60], [320, 180], [580, 300]])
    for mark in marks:
        cv2.circle(canvas, tuple((mark + margin).tolist()), 5, (255, 255, 255), cv2.FILLED)
    straight = Straightener(_plane(view, ASLANT)).picture(view.raw(canvas))
    for u, v in marks.tolist():
        spot = cv2.moments(straight[v - 9 : v + 10, u - 9 : u + 10, 0])
        assert (spot["m10"] / spot["m00"] - 9, spot["m01"] / spot["m00"] - 9) == pytest.approx((0, 0), abs=0.1)


def test_where_the_camera_saw_nothing_the_picture_goes_on_as_at_its_edge():
    hidden = HiddenCamera(yaw_deg=3.0)
    straight = Straightener(_plane(View(CAMERA, hidden), hidden)).picture(np.full((360, 640, 3), 90, np.uint8))
    assert (straight == 90).all()


def test_a_frame_keeps_all_but_its_picture():
    hidden = HiddenCamera(yaw_deg=3.0)
    frame = Frame(7, 1.5, 33.0, np.zeros((360, 640, 3), np.uint8))
    done = Straightener(_plane(View(CAMERA, hidden), hidden)).frame(frame)
    assert (done.index, done.time_s, done.belt_mm) == (7, 1.5, 33.0)
    assert done.image_bgr is not frame.image_bgr


def test_a_picture_of_another_size_is_refused():
    hidden = HiddenCamera()
    with pytest.raises(InputError, match="1280×720 px, but the plane was calibrated for 640×360"):
        Straightener(_plane(View(CAMERA, hidden), hidden)).picture(np.zeros((720, 1280, 3), np.uint8))
