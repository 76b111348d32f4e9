"""What hands lay on the simulated machine's belt and take away again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from calibration.rig import Task
from edge.catalogue.colours import load_colours
from edge.sim.laid import Brick, Place, Sheet

if TYPE_CHECKING:
    from calibration.simulated import SimOperator

SLOPPY_MM, SLOPPY_DEG = 1.5, 2.0
"""How well a person lays something in the middle."""
CLEAR_MM = 3.0
"""Room that a sheet leaves between the rails."""
BRICKS = {"3001": (4, 2), "3002": (3, 2), "3003": (2, 2), "3004": (2, 1), "3010": (4, 1), "3005": (1, 1)}
"""Studs of the bricks that can be laid, by their numbers."""


def clear(operator: SimOperator, task: Task) -> str:
    """Takes everything off the belt."""
    operator.sim.camera.laid.clear()
    return ""


def lay_sheet(operator: SimOperator, task: Task) -> str:
    """Lays the printed sheet, cut to the belt, in the middle of the view: `task.what` has "print" (H, W) of uint8,
    "px_per_mm" and "square_mm", by which it is cut."""
    print_, px_per_mm = np.asarray(task.what["print"], np.uint8), float(str(task.what["px_per_mm"]))
    square_mm = float(str(task.what["square_mm"]))
    rng = operator.rng
    settings = operator.sim.world.settings.camera
    squares = int((settings.across_mm - CLEAR_MM) / square_mm)
    print_ = print_[: round(squares * square_mm * px_per_mm)]
    place = _place(operator, settings.seen_mm / 2, float(rng.uniform(-SLOPPY_MM, SLOPPY_MM)), SLOPPY_DEG)
    operator.sim.camera.laid.append(Sheet(print_, px_per_mm, place))
    return "yes" if task.answers else ""


def measure_with(operator: SimOperator, task: Task) -> str:
    """Takes what it likes best to measure with."""
    return operator.measures_with


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
