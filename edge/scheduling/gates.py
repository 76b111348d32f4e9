"""From a gate of machine.yaml, whatever its kind, to what the schedule reckons with."""

from __future__ import annotations

from edge.config.gates import GateBase
from edge.scheduling.topology import Action, GateSettings

_ACTIONS = {"jet": Action.PULSE, "pusher": Action.STROKE}


def gate_settings(gate: GateBase, belt_mm_per_s: float) -> GateSettings:
    """What the planner and the dispatcher know of a gate.

    Args:
        gate: its section of machine.yaml.
        belt_mm_per_s: the belt's nominal speed, by which a stroke and a fall become lengths of belt.
    """
    action = _ACTIONS.get(gate.kind, Action.HOLD)
    return GateSettings(
        name=gate.name,
        x_mm=gate.x_mm,
        positions=gate.positions,
        rest=gate.rest,
        latency_s=gate.latency_s,
        travel_s=gate.travel_s,
        settle_s=gate.settle_s,
        margin_mm=gate.margin_mm,
        repeatability_s=gate.repeatability_s,
        reach_mm=gate.reach_mm,
        beyond_mm=gate.fall_mm(belt_mm_per_s),
        action=action,
        strike_mm=gate.stroke_mm(belt_mm_per_s) / 2 if action is Action.STROKE else 0.0,
        max_on_s=gate.max_on_s or float("inf"),
        angles_deg=tuple(gate.angle_deg[position] for position in gate.positions) if gate.angle_deg else (),
    )
