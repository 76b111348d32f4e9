"""What hands lay on the simulated machine's belt and take away again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from calibration.rig import Task
from edge.catalogue.colours import load_colours
from edge.sim.laid import Brick, Place, Sheet

if TYPE_CHECKING:
    from calibration.simulated import SimOperator

SLOPPY_MM, SLOPPY_DEG = 4.0, 5.0
"""How well a person lays something in the middle."""
BRICKS = {"3001": (4, 2), "3002": (3, 2), "3003": (2, 2), "3004": (2, 1), "3010": (4, 1), "3005": (1, 1)}
"""Studs of the bricks that can be laid, by their numbers."""


def clear(operator: SimOperator, task: Task) -> str:
    """Takes everything off the belt."""
    operator.sim.camera.laid.clear()
    return ""


def lay_sheet(operator: SimOperator, task: Task) -> str:
    """Lays the printed sheet, cut to the belt, in the middle of the view: `task.what` has "print" (H, W) of uint8 and
    "px_per_mm"."""
    print_, px_per_mm = np.asarray(task.what["print"], np.uint8), float(str(task.what["px_per_mm"]))
    rng = operator.rng
    settings = operator.sim.world.settings.camera
    place = _place(operator, settings.seen_mm / 2, float(rng.uniform(-SLOPPY_MM, SLOPPY_MM)), SLOPPY_DEG)
    operator.sim.camera.laid.append(Sheet(print_, px_per_mm, place))
    return ""


def lay_bricks(operator: SimOperator, task: Task) -> str:
    """Lays bricks all over the seen belt, apart from each other: `task.what` has "bricks", a list of (part number,
    colour code)."""
    wanted: list[tuple[str, int]] = list(task.what["bricks"])  # type: ignore[call-overload]
    colours = {colour.code: colour for colour in load_colours()}
    settings = operator.sim.world.settings.camera
    columns = -(-len(wanted) // 2)
    for number, (part, code) in enumerate(wanted):
        along_mm = settings.seen_mm * (number // 2 + 0.5) / columns + float(operator.rng.uniform(-3, 3))
        row_mm = settings.across_mm / 4 * (1 if number % 2 else -1)
        place = _place(operator, along_mm, row_mm + float(operator.rng.uniform(-3, 3)), 90.0)
        operator.sim.camera.laid.append(Brick(BRICKS[part], colours[code], place))
    return ""


def _place(operator: SimOperator, along_mm: float, y_mm: float, turn_deg: float) -> Place:
    """A place so far from the upstream edge of the seen belt, somehow turned."""
    world = operator.sim.world
    x_belt_mm = world.belt.travel_mm - world.settings.camera.station_mm - along_mm
    return Place(x_belt_mm=x_belt_mm, y_mm=y_mm, yaw_deg=float(operator.rng.uniform(-turn_deg, turn_deg)))
