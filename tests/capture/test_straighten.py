"""The straightened picture shows the belt in its place and size, whatever lens and lean the raw one has."""

from __future__ import annotations

from datetime import UTC, datetime

import cv2
import numpy as np
import pytest

from edge.capture.straighten import Straightener, StraightPicture, raw_px
from edge.config.calibration import LensCalibration, PlaneCalibration
from edge.errors import InputError
from edge.records import Frame
from edge.scaling import shrink_box
from edge.sim.settings import CameraSettings, HiddenCamera
from edge.sim.view import View
from edge.tracking.geometry import BeltGeometry
from edge.tracking.segment import Segmenter

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


# Where somebody looks


def textured(view: View) -> np.ndarray:
    """A raw picture of a belt full of marks."""
    rng = np.random.default_rng(3)
    canvas = rng.integers(60, 200, (view.canvas.height_px // 20, view.canvas.width_px // 20, 3)).astype(np.uint8)
    return view.raw(cv2.resize(canvas, (view.canvas.width_px, view.canvas.height_px), interpolation=cv2.INTER_CUBIC))


@pytest.fixture(scope="module")
def both() -> tuple[np.ndarray, StraightPicture]:
    """The whole straight picture, and one on sight."""
    view = View(CAMERA, ASLANT)
    raw, straightener = textured(view), Straightener(_plane(view, ASLANT))
    on_sight = straightener.frame_on_sight(Frame(7, 1.5, 33.0, raw)).image_bgr
    assert isinstance(on_sight, StraightPicture)
    return straightener.picture(raw), on_sight


@pytest.mark.parametrize(
    "place",
    [
        np.s_[40:90, 100:210],
        np.s_[30:330:4, 0:640:9],
        np.s_[::9, :, 1],
        np.s_[:, ::16, 1],
        np.s_[350:400, 630:700],
    ],
)
def test_a_part_of_the_picture_is_what_all_of_it_shows_there(both, place):
    whole, on_sight = both
    assert on_sight.shape == whole.shape
    assert np.array_equal(on_sight[place], whole[place])
    assert np.array_equal(np.asarray(on_sight), whole)


@pytest.mark.parametrize("factor", [1, 2, 3, 4])
@pytest.mark.parametrize("box", [CAMERA.region_px, (101, 33, 340, 202)])
def test_a_small_picture_lies_where_the_one_of_all_of_it_does(both, box, factor):
    """A fifth of its px to either side it fits worse."""
    whole, on_sight = both
    small, wanted = on_sight.shrunk(box, factor), shrink_box(whole, box, factor)
    assert small.shape == wanted.shape
    off = {(du, dv): unlike(moved(small, du, dv), wanted) for du in (-0.2, 0.0, 0.2) for dv in (-0.2, 0.0, 0.2)}
    assert min(off, key=lambda shift: off[shift]) == (0.0, 0.0)
    assert off[0.0, 0.0] < 1.0


def moved(picture: np.ndarray, du: float, dv: float) -> np.ndarray:
    by = np.array([[1, 0, du], [0, 1, dv]])
    return cv2.warpAffine(picture, by, picture.shape[1::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def unlike(one: np.ndarray, other: np.ndarray) -> float:
    """Mean difference in levels, without the rim."""
    return float(np.abs(one.astype(float) - other)[2:-2, 2:-2].mean())


def test_a_picture_on_sight_is_of_the_calibrated_size_and_the_rest_of_the_frame_stays():
    hidden = HiddenCamera(yaw_deg=3.0)
    straightener = Straightener(_plane(View(CAMERA, hidden), hidden))
    done = straightener.frame_on_sight(Frame(7, 1.5, 33.0, np.zeros((360, 640, 3), np.uint8)))
    assert (done.index, done.time_s, done.belt_mm) == (7, 1.5, 33.0)
    with pytest.raises(InputError, match="1280×720 px, but the plane was calibrated for 640×360"):
        straightener.frame_on_sight(Frame(7, 1.5, 33.0, np.zeros((720, 1280, 3), np.uint8)))


STEP_MM = 2 / CAMERA.px_per_mm + 1e-6


def test_parts_are_found_on_sight_as_in_the_whole_picture():
    """Two segmenters, one for each, see the same parts ride by, to a step of the half picture."""
    view = View(CAMERA, ASLANT)
    straightener = Straightener(_plane(view, ASLANT))
    geometry = BeltGeometry(CAMERA.region_px, "right", CAMERA.px_per_mm)
    whole, on_sight = (Segmenter("top", geometry, 20.0) for _ in range(2))
    found = 0
    for step in range(6):
        frame = Frame(step, 0.0, 0.0, view.raw(belt_with_parts(view, 40 * step)))
        wanted = whole.find(straightener.frame(frame).image_bgr, 16.0)
        seen = on_sight.find(straightener.frame_on_sight(frame).image_bgr, 16.0)
        assert len(seen) == len(wanted)
        found += len(seen)
        for one, other in zip(seen, wanted, strict=True):
            assert np.abs(np.subtract(one.detection.box_px, other.detection.box_px)).max() <= 2
            assert one.detection.length_mm == pytest.approx(other.detection.length_mm, abs=STEP_MM)
            assert one.detection.width_mm == pytest.approx(other.detection.width_mm, abs=STEP_MM)
    assert found >= 8


def belt_with_parts(view: View, shift_px: int) -> np.ndarray:
    """Two bricks on a belt with some noise."""
    rng = np.random.default_rng(shift_px)
    canvas = rng.normal(120, 2, (view.canvas.height_px, view.canvas.width_px, 3))
    for u, v in ((60, 130), (160, 260)):
        left = u + shift_px + (view.canvas.width_px - 640) // 2
        canvas[v : v + 40, left : left + 80] = (40, 60, 190)
    return np.clip(canvas, 0, 255).astype(np.uint8)
