"""What hands drop on the simulated machine's belt, where its feeder does, and the belt's own switch."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from calibration.gate_counts import COUNT_S, EACH_S
from calibration.rig import Task
from edge.catalogue.colours import load_colours
from edge.sim.parts import ANY, Wanted

if TYPE_CHECKING:
    from calibration.simulated import SimOperator


def drop_any(operator: SimOperator, task: Task) -> str:
    """Drops parts at random: `task.what` has "count" and "every_s"."""
    count, every_s = int(str(task.what["count"])), float(str(task.what["every_s"]))
    operator.sim.world.drop([ANY] * count, every_s)
    return ""


def switch_belt(operator: SimOperator, task: Task) -> str:
    """Turns the switch of a belt that has one of its own: `task.what` has "on"."""
    operator.sim.world.belt.running = bool(task.what["on"])
    return ""


SMALL, PLAIN = ("3022", "3021", "3023"), (1, 2, 4, 5, 25, 28)
"""Families and LDraw colours that somebody takes who is asked for small parts that stand out."""


def drop_small(operator: SimOperator, task: Task) -> str:
    """Drops small parts: `task.what` has "count" and "every_s"."""
    count, every_s = int(str(task.what["count"])), float(str(task.what["every_s"]))
    operator.sim.world.drop(_small(operator, count), every_s)
    return ""


def fill_small(operator: SimOperator, task: Task) -> str:
    """Puts small parts into the feeder: `task.what` has "count", or the "bin" whose parts are tipped back."""
    if "bin" in task.what:
        _tip_back(operator, str(task.what["bin"]))
    else:
        operator.sim.world.hopper = deque(_small(operator, int(str(task.what["count"]))))
    return ""


def count_parts(operator: SimOperator, task: Task) -> str:
    """Counts what lies in a bin, and tips it back into the feeder: `task.what` has "bin". It takes as long as there are
    parts to count; the task could only be reckoned with as many as were expected."""
    count = _tip_back(operator, str(task.what["bin"]))
    operator.tasks[-1] = replace(task, takes_s=COUNT_S + EACH_S * count)
    return str(count)


def _tip_back(operator: SimOperator, bin_: str) -> int:
    """The parts that came into a bin since it was emptied last."""
    ended = sum(part.bin == bin_ for part in operator.sim.world.truth if part.ended_s is not None)
    count = ended - operator.emptied.get(bin_, 0)
    operator.emptied[bin_] = ended
    if operator.sim.world.hopper is not None:
        operator.sim.world.hopper.extend(_small(operator, count))
    return count


def _small(operator: SimOperator, count: int) -> list[Wanted]:
    rng = operator.rng
    return [Wanted(SMALL[rng.integers(len(SMALL))], PLAIN[rng.integers(len(PLAIN))]) for _ in range(count)]


def drop_bricks(operator: SimOperator, task: Task) -> str:
    """Drops what is asked for, one after the other: `task.what` has "bricks", a list of (part number, colour code), and
    "every_s"."""
    wanted: list[tuple[str, int]] = list(task.what["bricks"])  # type: ignore[call-overload]
    operator.dropped = [Wanted(family, code) for family, code in wanted]
    operator.sim.world.drop(operator.dropped, float(str(task.what["every_s"])))
    return ""


def name_colour(operator: SimOperator, task: Task) -> str:
    """Names the colour of one of the bricks that were dropped last: `task.what` has its "place"."""
    code = operator.dropped[int(str(task.what["place"]))].colour
    return next(colour.name for colour in load_colours() if colour.code == code)
