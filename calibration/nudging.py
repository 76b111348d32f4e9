"""Eyes that look at the simulated machine's gates: how somebody nudges them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from calibration.positions import NUDGES_US, RIGHT
from calibration.rig import Task

if TYPE_CHECKING:
    from calibration.simulated import SimOperator

SEEN = 0.02
"""Of the way to the next position: what is this near looks right. It is some 10 µs, or a degree."""
EYE = 0.008
"""Standard deviation of how far off something seems, as a share of that way."""


def nudge(operator: SimOperator, task: Task) -> str:
    """Says which way a gate is to be turned: `task.what` has "gate" and "position"."""
    gate = operator.sim.world.gates[str(task.what["gate"])]
    index = gate.positions.index(str(task.what["position"]))
    off = gate.coordinate(operator.sim.world.clock.now_s()) - index + float(operator.rng.normal(0, EYE))
    if abs(off) <= SEEN:
        return RIGHT
    true_us = operator.truth.gates[gate.name].pulses_us
    # Which way + turns it, everybody sees after the first one.
    per_us = (len(true_us) - 1) / (true_us[-1] - true_us[0])
    wanted_us = -off / per_us
    return min(NUDGES_US, key=lambda answer: abs(NUDGES_US[answer] - wanted_us))


def watch_gates(operator: SimOperator, task: Task) -> str:
    """Whether a gate stands at rest again: `task.what` has "gate"."""
    gate = operator.sim.world.gates[str(task.what["gate"])]
    off = abs(gate.coordinate(operator.sim.world.clock.now_s()) - gate.positions.index(gate.rest))
    return "yes" if off <= 4 * SEEN else "no"
