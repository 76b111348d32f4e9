"""The gates: where each really stands, how long after its command it moves, and how long it takes.

Parts ride past the gates in batches while the machine varies the moments of its commands from part to part; how many
parts lie in each gate's bins afterwards is the measurement (`gate_model` tells what separates distance, latency and
travel). Beams in the bins count by themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from calibration.gate_belief import GateUnderTrial
from calibration.gate_counts import Counts
from calibration.gate_design import LIMIT_LATENCY_S, LIMIT_MM, LIMIT_TRAVEL_S, is_slow
from calibration.gate_picture import draw_gates
from calibration.gate_trials import try_gates
from calibration.gate_ways import own_bins, runs
from calibration.positions import servos_of
from calibration.rig import Rig
from calibration.step import Fit, RefusedError, Step
from edge.config.calibration import GateCalibration, GatesCalibration, Residual
from edge.config.gates import GateConfig

LIMIT_MISFIT = 15.0
SURE = 2.0
"""Standard deviations that the residuals stand for."""
ODD = 3.0
"""A count that is further from what the fit expects, in standard deviations, does not fit."""
AT_EDGE = 0.02
"""A fit so near to the end of what was held possible, as a share of it, may lie beyond."""


@dataclass(frozen=True, slots=True)
class GatesData:
    """Every gate with its batches, and whether the belt could be stopped under the parts: without, places are those of
    machine.yaml."""

    unders: tuple[GateUnderTrial, ...]
    stood: bool


def collect(rig: Rig) -> GatesData:
    """Tries every gate of the layout.

    Raises:
        RefusedError: no parts come, or a gate does not answer.
        HardwareError: a device fails.
    """
    if rig.machine.camera.driver == "frames":
        raise RefusedError("gates: a recording has no gates to be moved: measure them on the machine")
    stood = rig.machine.belt.motor.driver != "none" and rig.machine.belt.encoder.driver not in ("constant", "tracker")
    unders = {gate.name: _under(rig, gate, stood) for gate in rig.machine.gates}
    _tell_of_positions(rig)
    counts = Counts(rig)
    try:
        for run in runs(rig.bins, {gate.name: gate.rest for gate in rig.machine.gates}):
            try_gates(rig, run, unders, counts)
    finally:
        rig.feeder.set_rate(0)
        rig.belt_motor.stop()
        for gate in rig.gates.values():
            gate.move_to(gate.rest)
    return GatesData(tuple(under for under in unders.values() if under.batches), stood)


def _tell_of_positions(rig: Rig) -> None:
    """An arm that stands elsewhere than machine.yaml says has another way to go, and another time for it."""
    servos = servos_of(rig)
    if servos and rig.calibration.positions is None:
        rig.operator.say(
            f"gates: nobody has nudged the positions of {', '.join(servos)}: if an arm is off, so will its times be; do"
            " 'brickgate-calibrate positions' before"
        )


def _under(rig: Rig, gate: GateConfig, stood: bool) -> GateUnderTrial:
    counted = frozenset(gate.positions.index(position) for position in own_bins(rig.bins, gate.name))
    return GateUnderTrial(gate, rig.config.belt.belt_mm_per_s, stood, counted)


def fit(rig: Rig, data: GatesData) -> Fit[GatesCalibration]:
    """Each gate by itself.

    Raises:
        RefusedError: a gate that is far from what machine.yaml says.
    """
    if not data.unders:
        raise RefusedError("gates: no bin of bins.yaml tells of any gate: give its positions bins of their own")
    for under in data.unders:
        _check_within(under)
    section = GatesCalibration(
        made_at=rig.now(),
        measured_from=f"{rig.source}, {_parts(data.unders)} parts tried",
        residuals=_residuals(data),
        gates={under.gate.name: _section(under, data.stood) for under in data.unders},
    )
    return Fit(section, draw_gates(data.unders), _notes(data))


def _section(under: GateUnderTrial, stood: bool) -> GateCalibration:
    return GateCalibration(
        x_mm=round(under.gate.x_mm + under.off_mm, 2) if stood else None,
        latency_s=round(max(under.latency_s, 0.0), 4),
        travel_s=round(under.travel_s, 4) if under.shape.tells_travel else None,
    )


def _parts(unders: Sequence[GateUnderTrial]) -> int:
    return sum(len(batch.trials) for under in unders for batch in under.batches)


def _check_within(under: GateUnderTrial) -> None:
    ranges, gate = under.ranges, under.gate
    for key, value, (least, most), unit in (
        ("x_mm", under.off_mm + gate.x_mm, [gate.x_mm + off_mm for off_mm in ranges.off_mm], "mm"),
        ("latency_s", under.latency_s, ranges.latency_s, "s"),
        ("travel_s", under.travel_s, ranges.travel_s, "s"),
    ):
        edge = AT_EDGE * (most - least)
        low = value < least + edge and least > 0 and key == "x_mm"
        told = key != "travel_s" or under.shape.tells_travel
        if told and most > least and (low or value > most - edge):
            raise RefusedError(
                f"gates: {gate.name}'s {key} is about {value:.3g} {unit} or {'less' if low else 'more'}, machine.yaml"
                f" says {getattr(gate, key):g}: put a better guess there, then measure again"
            )


def _residuals(data: GatesData) -> dict[str, Residual]:
    def worst(values: list[float], limit: float, unit: str, scale: float = 1.0) -> Residual:
        return Residual(value=round(SURE * scale * max(values), 3), limit=scale * limit, unit=unit)

    unders = data.unders
    slow = [under.travel_std_s for under in unders if is_slow(under)]
    counted, odd = 0, 0
    for under in unders:
        for batch in under.batches:
            for met, count in batch.counts.items():
                mean, variance = under.expected(batch, met)
                counted, odd = counted + 1, odd + (abs(count - mean) > ODD * (variance + 0.25) ** 0.5)
    residuals = {"latency": worst([under.latency_std_s for under in unders], LIMIT_LATENCY_S, "ms", 1e3)}
    if slow:
        residuals["travel"] = worst(slow, LIMIT_TRAVEL_S, "ms", 1e3)
    if data.stood:
        residuals["place"] = worst([under.off_std_mm for under in unders], LIMIT_MM, "mm")
    misfit = round(100 * odd / counted, 1)
    return residuals | {"counts that contradict the others": Residual(value=misfit, limit=LIMIT_MISFIT, unit="%")}


def _notes(data: GatesData) -> tuple[str, ...]:
    notes = [
        f"{one.gate.name}: at {one.gate.x_mm + one.off_mm:.1f} mm (±{SURE * one.off_std_mm:.1f}), moves after"
        f" {1e3 * one.latency_s:.0f} ms (±{SURE * 1e3 * one.latency_std_s:.0f}){_for(one)}"
        for one in data.unders
    ]
    if pushers := [one.gate.name for one in data.unders if not one.shape.tells_travel]:
        notes.append(
            f"how long a pusher moves, no bin tells: travel_s of {', '.join(pushers)} stays as machine.yaml says;"
            " measure it with a phone's slow motion"
        )
    if not data.stood:
        notes.append(
            "the belt cannot be stopped under a part and its place be told: x_mm stays as machine.yaml says, and the"
            " latencies hold together with it"
        )
    return tuple(notes)


def _for(under: GateUnderTrial) -> str:
    if not under.shape.tells_travel:
        return ""
    return f", for {1e3 * under.travel_s:.0f} ms (±{SURE * 1e3 * under.travel_std_s:.0f})"


TITLE = "measures each gate's place, latency and travel on parts that ride past it"
STEP = Step("gates", TITLE, collect, fit, needs=("plane", "belt"))
