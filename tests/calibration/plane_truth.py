"""How far a plane calibration is from what a simulated machine hides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.lens import straight_px
from calibration.rig import Rig
from calibration.simulated import SimOperator
from edge.config.calibration import PlaneCalibration
from edge.sim.settings import CameraSettings
from edge.sim.view import View


@dataclass(frozen=True, slots=True)
class Errors:
    """Of the scale as a share; of places on the seen belt in mm, once moved, turned and sized to fit best; of the way
    in degrees; and of places as they are, in mm."""

    scale: float
    perspective_mm: float
    yaw_deg: float
    place_mm: float


def errors_of(plane: PlaneCalibration, rig: Rig) -> Errors:
    """Over the belt region of the raw picture."""
    assert isinstance(rig.operator, SimOperator)
    settings: CameraSettings = rig.operator.sim.world.settings.camera
    assert settings.hidden
    u0, v0, u1, v1 = settings.region_px
    u, v = np.meshgrid(np.linspace(u0 + 5, u1 - 6, 17), np.linspace(v0 + 20, v1 - 21, 9))
    raw = np.stack([u.ravel(), v.ravel()], axis=1)
    middle = np.array([settings.width_px - 1, settings.height_px - 1]) / 2
    true_mm = (View(settings, settings.hidden).straight(raw) - middle) / settings.px_per_mm
    seen_mm = (straight_px(plane, raw) - middle) / plane.px_per_mm
    true, seen = true_mm - true_mm.mean(axis=0), seen_mm - seen_mm.mean(axis=0)
    a, spread, b = np.linalg.svd(seen.T @ true)
    turn = (a @ b).T
    size = spread.sum() / (seen**2).sum()
    off = np.linalg.norm(size * seen @ turn.T - true, axis=1)
    yaw_deg = float(np.degrees(np.arctan2(turn[1, 0], turn[0, 0])))
    return Errors(abs(1 / size - 1), float(off.max()), yaw_deg, float(np.linalg.norm(seen_mm - true_mm, axis=1).max()))
