"""The simulated camera looks through OpenCV's own camera model, and shows in the raw picture what lies on the belt."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from edge.sim.settings import CameraSettings, HiddenCamera
from edge.sim.view import View

SMALL = CameraSettings(width_px=640, height_px=360, px_per_mm=2.5, region_px=(0, 30, 640, 330))
ASLANT = HiddenCamera(pitch_deg=2.5, roll_deg=-1.5, yaw_deg=2.0, k1=-0.1, k2=0.02)
MIDDLE = np.array([319.5, 179.5])


def _project(view: View, straight_px: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """By OpenCV: px of the straight picture as points of a plane, seen by a camera that is turned so."""
    focal = view.focal_px
    lens = -focal * turn[:, 2]
    points = np.column_stack([straight_px - MIDDLE, np.zeros(len(straight_px))])
    matrix = np.array([[focal, 0, MIDDLE[0]], [0, focal, MIDDLE[1]], [0, 0, 1]])
    into_camera = turn.T
    seen, _ = cv2.projectPoints(
        points, cv2.Rodrigues(into_camera)[0], -into_camera @ lens, matrix, np.array([ASLANT.k1, ASLANT.k2, 0, 0])
    )
    return seen.reshape(-1, 2)


def test_raw_pixels_are_where_opencvs_camera_model_puts_them():
    view = View(SMALL, ASLANT)
    lean = (
        cv2.Rodrigues(np.array([0, math.radians(2.5), 0]))[0] @ cv2.Rodrigues(np.array([math.radians(-1.5), 0, 0]))[0]
    )
    turn = lean @ cv2.Rodrigues(np.array([0, 0, math.radians(2.0)]))[0]
    straight = np.array([[20.0, 40.0], [600.0, 50.0], [320.0, 180.0], [100.0, 300.0], [620.0, 320.0]])
    raw = _project(view, straight, turn)
    assert np.allclose(view.straight(raw), straight, atol=1e-6)
    assert np.abs(raw - straight).max() > 10


@pytest.mark.parametrize("direction", ["right", "down", "left", "up"])
def test_a_camera_that_leans_along_the_belts_way_sees_what_is_downstream_smaller(direction):
    region = (170, 0, 470, 360) if direction in ("up", "down") else SMALL.region_px
    camera = replace(SMALL, direction=direction, region_px=region)
    view = View(camera, HiddenCamera(pitch_deg=3.0))
    ahead = {"right": (1, 0), "down": (0, 1), "left": (-1, 0), "up": (0, -1)}[direction]
    downstream, upstream = (view.straight(MIDDLE + np.outer([100, 110], ahead) * side) for side in (1, -1))
    assert np.linalg.norm(np.diff(downstream, axis=0)) > 1.01 * np.linalg.norm(np.diff(upstream, axis=0))


def test_the_middle_of_the_picture_stays_and_a_camera_turned_clockwise_sees_the_belt_counterclockwise():
    view = View(SMALL, HiddenCamera(yaw_deg=3.0))
    assert np.allclose(view.straight(MIDDLE[None]), MIDDLE)
    right = view.straight(MIDDLE[None] + (100, 0))[0] - MIDDLE
    assert math.degrees(math.atan2(right[1], right[0])) == pytest.approx(3.0)


def test_barrel_distortion_shows_more_of_the_belt():
    view = View(SMALL, HiddenCamera(k1=-0.1))
    corner = view.straight(np.array([[0.0, 0.0]]))[0]
    assert (corner < -1).all()


def test_the_canvas_covers_all_that_the_raw_picture_shows_and_its_stations_are_those_of_the_straight_one():
    view = View(SMALL, ASLANT)
    corners = np.array([[0, 0], [639, 0], [0, 359], [639, 359], [320, 0], [320, 359]], float)
    margin = (np.array([view.canvas.width_px, view.canvas.height_px]) - (640, 360)) / 2
    on_canvas = view.straight(corners) + margin
    assert (on_canvas >= 0).all()
    assert (on_canvas <= np.array([view.canvas.width_px, view.canvas.height_px]) - 1).all()
    left = view.canvas.region_px[0] - margin[0]
    assert view.canvas.station_mm == pytest.approx(left / SMALL.px_per_mm)


def test_the_raw_picture_shows_a_mark_where_the_view_says():
    view = View(SMALL, ASLANT)
    raw_px = np.array([[500.0, 90.0]])
    margin = (np.array([view.canvas.width_px, view.canvas.height_px]) - (640, 360)) / 2
    canvas = np.zeros((view.canvas.height_px, view.canvas.width_px, 3), np.uint8)
    u, v = (view.straight(raw_px) + margin)[0]
    cv2.circle(canvas, (round(u * 16), round(v * 16)), 6 * 16, (255, 255, 255), cv2.FILLED, cv2.LINE_AA, 4)
    seen = cv2.moments(view.raw(canvas)[..., 0])
    assert (seen["m10"] / seen["m00"], seen["m01"] / seen["m00"]) == pytest.approx((500, 90), abs=0.2)
