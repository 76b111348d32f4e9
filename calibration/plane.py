"""Step `plane`: scale, turn, lean and lens of the camera above the belt, from the printed sheet or from bricks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from calibration.lens import straight_px
from calibration.plane_bricks import BRICKS_MM, BrickFit, fit_bricks
from calibration.plane_sheet import SheetFit, fit_sheet
from calibration.rig import Rig, Task
from calibration.sheet import SQUARE_MM, cells
from calibration.step import Fit, RefusedError, Step
from calibration.view_fit import yaw_of
from edge.capture.straighten import Straightener
from edge.config.calibration import PlaneCalibration, Residual
from edge.records import ImageBgr

SHEET = "sheet"
STOPS, STOP_MM = 5, 22.0
"""Pictures are taken of a belt that stands, so many times, with so much way between two: a rolling shutter would shear
what moves."""
CALM_S, DRAINED, AVERAGED = 0.8, 2, 3
"""A stop until the belt stands; frames that may be from before; frames that make one picture."""
RAN_FRAMES = 12
"""Of a belt that no motor here can stop."""
MOST_OFF_MM, MOST_SCALE_PERCENT, MOST_WANDER_MM = 0.3, 0.5, 1.0
NOTABLE_SCALE = 0.03
BRICKS_LAID = (("3001", 4), ("3001", 1), ("3001", 2), ("3001", 0), ("3001", 4), ("3001", 1))
PRINT_PX_PER_MM = 10.0
ENLARGED = 40
"""Errors are drawn so many times larger."""
GOOD_BGR, WAY_BGR = (60, 200, 60), (200, 80, 20)


@dataclass(frozen=True, slots=True, eq=False)
class PlaneData:
    """Attributes:
    pictures: raw (H, W, 3) of the belt, at several places of its way.
    measured_with: `SHEET`, or one of `BRICKS_MM`.
    moved: whether the belt was made to move between them.
    """

    pictures: tuple[ImageBgr, ...]
    measured_with: str
    moved: bool


def collect(rig: Rig) -> PlaneData:
    """Has the sheet or the bricks laid down, and takes pictures while they ride past."""
    words = "What will you measure with: the printed sheet (brickgate-calibrate sheet), or six bricks, and which?"
    chosen = rig.operator.do(Task(words, "measure-with", {}, 5.0, (SHEET, *BRICKS_MM)))
    _have_laid(rig, chosen)
    if rig.machine.belt.motor.driver == "none":
        rig.operator.do(Task("Switch the belt on", "switch-belt", {"on": True}, 5.0))
        pictures = [np.asarray(frame.image_bgr) for frame in rig.frames(RAN_FRAMES)]
        rig.operator.do(Task("Switch the belt off", "switch-belt", {"on": False}, 5.0))
        return PlaneData(tuple(pictures), chosen, False)
    pictures = [_picture(rig)]
    for _ in range(STOPS - 1):
        _move(rig, STOP_MM)
        pictures.append(_picture(rig))
    _move(rig, 1.5 * rig.config.camera.seen_mm)
    return PlaneData(tuple(pictures), chosen, True)


def fit(rig: Rig, data: PlaneData) -> Fit[PlaneCalibration]:
    """Fits the view to the pictures.

    Raises:
        RefusedError: they cannot be used, and why.
    """
    camera = rig.machine.camera
    if not data.pictures:
        raise RefusedError("plane: the camera gave no picture: record longer")
    pictures, along_v = list(data.pictures), camera.belt_direction in {"up", "down"}
    if data.measured_with == SHEET:
        found: SheetFit | BrickFit = fit_sheet(pictures, camera.belt_region_px, camera.px_per_mm, along_v)
    else:
        found = fit_bricks(pictures, camera.belt_region_px, camera.px_per_mm, BRICKS_MM[data.measured_with], along_v)
    yaw, wander_mm, notes = _way(found, data, camera.belt_direction)
    residuals = {
        "95 % of the points lie off by": Residual(
            value=float(np.percentile(found.errors_mm, 95)), limit=MOST_OFF_MM, unit="mm"
        ),
        "error of the scale": Residual(value=200 * found.scale_error, limit=MOST_SCALE_PERCENT, unit="%"),
        "wander of the belt": Residual(value=wander_mm, limit=MOST_WANDER_MM, unit="mm"),
    }
    what = "the printed sheet" if data.measured_with == SHEET else f"{found.count} bricks {data.measured_with}"
    section = PlaneCalibration(
        made_at=rig.now(),
        measured_from=f"{rig.source}, {what} in {len(pictures)} pictures",
        residuals=residuals,
        **found.view.lens.section(found.view.px_per_mm, yaw),  # type: ignore[arg-type]
    )
    px_per_mm = section.px_per_mm
    notes.append(f"{px_per_mm:.3f} px are 1 mm; the belt is turned by {math.degrees(yaw):.1f}° in the picture")
    if abs(px_per_mm / camera.px_per_mm - 1) > NOTABLE_SCALE:
        notes.append(f"machine.yaml's camera.px_per_mm {camera.px_per_mm:g} was a little off; what was measured holds")
    return Fit(section, _draw(section, found, pictures[0]), tuple(notes))


STEP: Step[PlaneData, PlaneCalibration] = Step("plane", "scale and lens of the camera above the belt", collect, fit)


def _have_laid(rig: Rig, chosen: str) -> None:
    if chosen == SHEET:
        words = (
            "Lay the sheet flat in the middle of the seen belt, its long side along the belt, cut so that it fits"
            " between the rails. Is its ruler 100 mm long?"
        )
        print_ = np.kron(cells(), np.ones((int(PRINT_PX_PER_MM * 2),) * 2, np.uint8))
        what = {"print": print_, "px_per_mm": PRINT_PX_PER_MM, "square_mm": SQUARE_MM}
        if rig.operator.do(Task(words, "lay-sheet", what, 45.0, ("yes", "no"))) == "no":
            raise RefusedError("plane: a sheet whose ruler is not 100 mm long misleads: print it at 100 %, not fitted")
        return
    words = (
        f"Lay six {chosen} bricks on their tubes all over the seen belt, 10 mm and more apart and from the rails, no"
        " two turned alike; take colours that stand out from the belt"
    )
    number = {"2x4": "3001", "2x3": "3002", "2x2": "3003"}[chosen]
    rig.operator.do(Task(words, "lay-bricks", {"bricks": [(number, code) for _, code in BRICKS_LAID]}, 45.0))


def _picture(rig: Rig) -> ImageBgr:
    """The mean of a few frames of a belt that stands: less noise."""
    frames = [np.asarray(frame.image_bgr, np.float32) for frame in rig.frames(DRAINED + AVERAGED)][DRAINED:]
    if not frames:
        raise RefusedError("plane: the camera gave no picture: record longer")
    return np.rint(np.mean(frames, axis=0)).astype(np.uint8)


def _move(rig: Rig, way_mm: float) -> None:
    """Lets the belt run for about so far, and waits until it stands."""
    rig.belt_motor.start()
    rig.wait_until(rig.clock.now_s() + way_mm / rig.config.belt.belt_mm_per_s)
    rig.belt_motor.stop()
    rig.wait_until(rig.clock.now_s() + CALM_S)


def _way(found: SheetFit | BrickFit, data: PlaneData, direction: str) -> tuple[float, float, list[str]]:
    """The belt's turn, its wander, and what is to be said of it."""
    way = yaw_of(found.ways_mm, direction)
    if way is not None:
        return *way, []
    if data.moved:
        raise RefusedError("plane: the belt did not move though its motor was on: look at its switch, pin and fuse")
    if not isinstance(found, SheetFit):
        raise RefusedError("plane: the belt did not move: bricks alone do not show its way, so let it run")
    yaw = math.remainder(float(np.median(found.turns)), math.pi / 2)
    return yaw, 0.0, ["the belt did not move: it is taken to run along the sheet"]


def _draw(section: PlaneCalibration, found: SheetFit | BrickFit, picture: ImageBgr) -> ImageBgr:
    """The straightened picture, with each measured point and its error enlarged."""
    image = Straightener(section).picture(picture)
    points, errors_mm = found.first_points
    for point, error in zip(straight_px(section, points), errors_mm * section.px_per_mm * ENLARGED, strict=True):
        at = (round(float(point[0])), round(float(point[1])))
        cv2.circle(image, at, 3, GOOD_BGR, 1, cv2.LINE_AA)
        cv2.line(
            image, at, (round(float(point[0] + error[0])), round(float(point[1] + error[1]))), WAY_BGR, 1, cv2.LINE_AA
        )
    worst = section.residuals["95 % of the points lie off by"].value
    words = f"{section.px_per_mm:.3f} px/mm, 95 % within {worst:.2f} mm; errors x {ENLARGED}"
    cv2.putText(image, words, (12, image.shape[0] - 14), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (255, 255, 255), 2, cv2.LINE_AA)
    return image
