"""The gates: where each really stands, how long after its command it moves, and how long it takes.

Parts ride past the gates while the machine varies the moment of the command; where each part goes is the measurement
(`gate_model` tells what separates distance, latency and travel). A servo's positions are still found by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibration.gate_choice import GateUnderTrial
from calibration.gate_model import Belief, Trial, likelihood, places, times
from calibration.gate_picture import draw_gates
from calibration.gate_trials import GateTrials, check_answers
from calibration.gate_ways import runs
from calibration.rig import Rig
from calibration.step import Fit, RefusedError, Step
from edge.config.calibration import GateCalibration, GatesCalibration, Residual
from edge.config.gates import GateConfig

LIMIT_MM, LIMIT_LATENCY_MS, LIMIT_TRAVEL_MS, LIMIT_MISFIT = 2.0, 5.0, 10.0, 10.0
SURE = 2.0
"""Standard deviations that the residuals stand for."""
ODD = 0.05
"""An answer that the fit holds for less likely than this does not fit."""
AT_EDGE = 0.02
"""A fit so near to the end of what was held possible, as a share of it, may lie beyond."""
FINE = (181, 161)


@dataclass(frozen=True, slots=True)
class GatesData:
    """Every trial, and how many parts it took."""

    trials: tuple[Trial, ...]
    stood: bool
    """Whether the belt could be stopped under the parts: without, places are those of machine.yaml."""
    parts: int


@dataclass(frozen=True, slots=True)
class GateFit:
    """One gate as its trials show it; the spreads are standard deviations."""

    under: GateUnderTrial
    x_mm: float
    x_std_mm: float
    latency_s: float
    latency_std_s: float
    travel_s: float
    travel_std_s: float
    odd: int
    """Answers that do not fit."""


def collect(rig: Rig) -> GatesData:
    """Tries every gate of the layout.

    Raises:
        RefusedError: no parts come, or a gate does not answer.
        HardwareError: a device fails.
    """
    unders = {gate.name: GateUnderTrial(gate) for gate in rig.machine.gates}
    stood = rig.machine.belt.motor.driver != "none" and rig.machine.belt.encoder.driver not in ("constant", "tracker")
    trials = GateTrials(rig, unders, stood)
    rest = {gate.name: gate.rest for gate in rig.machine.gates}
    try:
        for run in runs(rig.bins, rest):
            trials.do(run)
    finally:
        rig.feeder.set_rate(0)
        rig.belt_motor.stop()
        for gate in rig.gates.values():
            gate.move_to(gate.rest)
    return GatesData(tuple(trial for under in unders.values() for trial in under.trials), stood, trials.parts)


def fit(rig: Rig, data: GatesData) -> Fit[GatesCalibration]:
    """Each gate by itself.

    Raises:
        RefusedError: a gate that does not answer, or that is far from what machine.yaml says.
    """
    found = [fit_gate(gate, data, rig.config.belt.belt_mm_per_s) for gate in rig.machine.gates]
    fits = [one for one in found if one is not None]
    if not fits:
        raise RefusedError("gates: no part came to any gate: look at the feeder, and at the layout of bins.yaml")
    section = GatesCalibration(
        made_at=rig.now(),
        measured_from=f"{rig.source}, {len(data.trials)} trials on {data.parts} parts",
        residuals=_residuals(fits, data.stood),
        gates={
            one.under.gate.name: GateCalibration(
                x_mm=round(one.x_mm, 2) if data.stood else None,
                latency_s=round(one.latency_s, 4),
                travel_s=round(one.travel_s, 4),
            )
            for one in fits
        },
    )
    return Fit(section, draw_gates(fits), _notes(fits, data))


def fit_gate(gate: GateConfig, data: GatesData, belt_mm_per_s: float) -> GateFit | None:
    """One gate; None for one that no part came to.

    Raises:
        RefusedError: it does not answer, or is far from what machine.yaml says.
    """
    under = GateUnderTrial(gate, [trial for trial in data.trials if trial.gate == gate.name])
    if not under.trials:
        return None
    check_answers(under)
    place = under.place() if data.stood else places(under.ranges, 1)
    x_mm = place.mean(place.x_mm) if data.stood else gate.x_mm
    x_std_mm = place.std(place.x_mm)
    timing = times(under.ranges, x_mm, FINE).after(under.shape, under.swings())
    travel_s, travel_std_s = _travel(under, timing)
    latency_s = timing.mean(timing.latency_s)
    _check_within(under, x_mm if data.stood else None, latency_s, timing.mean(timing.travel_s))
    return GateFit(
        under, x_mm, x_std_mm,
        latency_s, float(np.hypot(timing.std(timing.latency_s), x_std_mm / belt_mm_per_s)),
        travel_s, travel_std_s,
        _odd(under, x_mm, latency_s, timing.mean(timing.travel_s), travel_s),
    )  # fmt: skip


def _travel(under: GateUnderTrial, timing: Belief) -> tuple[float, float]:
    """Of its longest movement: where both take the same, as far as can be told, their mean."""
    travel_s, std_s = timing.mean(timing.travel_s), timing.std(timing.travel_s)
    if not under.wides():
        return travel_s, std_s
    wide = under.wide_timing(timing)
    wide_s, wide_std_s = wide.mean(wide.travel_s), wide.std(wide.travel_s)
    if abs(wide_s - travel_s) > SURE * np.hypot(std_s, wide_std_s):
        return (wide_s, wide_std_s) if wide_s > travel_s else (travel_s, std_s)
    weights = np.array([std_s, wide_std_s]) ** -2.0
    return float(np.average([travel_s, wide_s], weights=weights)), float(weights.sum() ** -0.5)


def _odd(under: GateUnderTrial, x_mm: float, latency_s: float, travel_s: float, wide_s: float) -> int:
    count, wides = 0, under.wides()
    for trial in under.trials:
        values = (np.array([value]) for value in (x_mm, latency_s, wide_s if trial in wides else travel_s))
        count += float(likelihood(under.shape, trial, *values)[0]) < ODD
    return count


def _check_within(under: GateUnderTrial, x_mm: float | None, latency_s: float, travel_s: float) -> None:
    ranges, gate = under.ranges, under.gate
    for key, value, (least, most), unit in (
        ("x_mm", x_mm, ranges.x_mm, "mm"),
        ("latency_s", latency_s, ranges.latency_s, "s"),
        ("travel_s", travel_s, ranges.travel_s, "s"),
    ):
        edge = AT_EDGE * (most - least)
        low = value is not None and value < least + edge and least > 0 and key != "travel_s"
        if value is not None and (low or value > most - edge):
            raise RefusedError(
                f"gates: {gate.name}'s {key} is about {value:.3g} {unit} or {'less' if low else 'more'}, machine.yaml"
                f" says {getattr(gate, key):g}: put a better guess there, then measure again"
            )


def _residuals(fits: Sequence[GateFit], stood: bool) -> dict[str, Residual]:
    trials = sum(len(one.under.trials) for one in fits)
    misfit = 100 * sum(one.odd for one in fits) / trials

    def worst(values: list[float]) -> float:
        return round(SURE * max(values), 3)

    residuals = {
        "latency": Residual(value=worst([1e3 * one.latency_std_s for one in fits]), limit=LIMIT_LATENCY_MS, unit="ms"),
        "travel": Residual(value=worst([1e3 * one.travel_std_s for one in fits]), limit=LIMIT_TRAVEL_MS, unit="ms"),
        "answers that do not fit": Residual(value=round(misfit, 2), limit=LIMIT_MISFIT, unit="%"),
    }
    if stood:
        residuals["place"] = Residual(value=worst([one.x_std_mm for one in fits]), limit=LIMIT_MM, unit="mm")
    return residuals


def _notes(fits: Sequence[GateFit], data: GatesData) -> tuple[str, ...]:
    notes = [
        f"{one.under.gate.name}: at {one.x_mm:.1f} mm (±{SURE * one.x_std_mm:.1f}), moves after"
        f" {1e3 * one.latency_s:.0f} ms (±{SURE * 1e3 * one.latency_std_s:.0f}), for {1e3 * one.travel_s:.0f} ms"
        f" (±{SURE * 1e3 * one.travel_std_s:.0f})"
        for one in fits
    ]
    if not data.stood:
        notes.append(
            "the belt cannot be stopped under a part and its place be told: x_mm stays as machine.yaml says, and the"
            " latencies hold together with it"
        )
    return tuple(notes)


STEP = Step("gates", "measures each gate's place, latency and travel on parts that ride past it", collect, fit)
