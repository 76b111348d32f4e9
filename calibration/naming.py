"""The simulated hands' parts of known kind: they drop ten of one, tell its number, and say how pure they want it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from calibration.ended import END
from calibration.rig import Task
from edge.catalogue.parts import load_starter_parts
from edge.sim.parts import Wanted

if TYPE_CHECKING:
    from calibration.simulated import SimOperator


def drop_kind(operator: SimOperator, task: Task) -> str:
    """Drops parts of one kind that it has not dropped yet: `task.what` has "count" and "every_s"."""
    if operator.kinds:
        kind = operator.kinds.pop(0)
    else:
        known = [part.number for part in load_starter_parts()]
        kind = known[int(operator.rng.integers(len(known)))]
    operator.dropped = [Wanted(kind)] * int(str(task.what["count"]))
    operator.sim.world.drop(operator.dropped, float(str(task.what["every_s"])))
    return ""


def name_kind(operator: SimOperator, task: Task) -> str:
    """Says what it dropped last."""
    return operator.dropped[0].family or ""


def choose_purity(operator: SimOperator, task: Task) -> str:
    """The purity that it wants, or the purest that there is."""
    wanted = str(operator.one_in)
    return wanted if wanted in task.answers else task.answers[-1]


def again_kind(operator: SimOperator, task: Task) -> str:
    """Tries once more as often as it likes to."""
    operator.retries -= 1
    return "again" if operator.retries >= 0 else END
