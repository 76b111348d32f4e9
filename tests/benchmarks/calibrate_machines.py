"""Calibrates simulated machines whose truths are hidden, and compares: `python tests/benchmarks/calibrate_machines.py`.

Each machine goes through the steps camera, plane, belt and colour by the simulated hands. Then 30 parts of 30 colours
ride by, and the machine's own colour meter names them among those 30, with and without what was calibrated. `--gates`
measures the gates instead of the colours, which takes minutes a machine.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "calibration"))

from gates_account import GatesAccount
from plane_truth import errors_of

from calibration.measured_belt import told_scale
from calibration.parts_run import PartsRun
from calibration.positions import servos_of
from calibration.rig import Rig
from calibration.simulated import SimOperator, simulated_rig
from calibration.step import RefusedError, run_step
from calibration.steps import step
from edge.catalogue.colours import Colour, load_colours
from edge.config import example
from edge.config.bins import BinsConfig
from edge.config.load import load_bins, load_machine
from edge.config.schema import MachineConfig
from edge.inference.colour import ColourMeter, Sample, sample_body
from edge.records import TOP_VIEW, Frame, Track
from edge.sim.parts import SimPart, Wanted

STEPS, STEPS_TO_GATES = ("camera", "plane", "belt", "colour"), ("camera", "plane", "belt", "gates")
CODES = (
    15, 71, 72, 0, 4, 320, 25, 191, 14, 226, 27, 10, 2, 288, 378, 330, 3, 322, 321, 73, 1, 272, 379, 31, 85, 26, 5, 29,
    19, 70,
)  # fmt: skip
"""LDraw codes of 30 solid colours."""
EVERY_S, RIDE_S = 0.7, 4.0
NEAR_MM = 12.0


@dataclass(slots=True)
class Outcome:
    """How far off one machine was, with its sign; None: the step was refused."""

    seed: int
    refused: list[str] = field(default_factory=list)
    scale: float | None = None
    perspective_mm: float | None = None
    speed: float | None = None
    tick: float | None = None
    named: int = 0
    right_before: int = 0
    right_after: int = 0
    gates_mm: list[float] = field(default_factory=list)
    gates_latency_ms: list[float] = field(default_factory=list)
    gates_travel_ms: list[float] = field(default_factory=list)
    machine_s: float = 0.0
    """What the last step took the machine."""
    hands_s: float = 0.0
    tasks: int = 0
    last_hands_s: float = 0.0
    """Of the last step alone."""


def calibrate(name: str, seed: int, steps: Sequence[str] = STEPS, plane_with: str = "sheet") -> Outcome:
    """One machine through the steps."""
    folder, outcome = example(name), Outcome(seed)
    machine, bins = load_machine(folder / "machine.yaml"), load_bins(folder / "bins.yaml")
    with TemporaryDirectory() as file:
        rig = started(machine, bins, seed, Path(file) / "calibration.yaml" if "gates" in steps else None)
        operator = rig.operator
        assert isinstance(operator, SimOperator)
        operator.measures_with = plane_with
        for name_ in steps:
            begun_s, hands_s = rig.clock.now_s(), operator.took_s
            account = GatesAccount(rig) if name_ == "gates" else None
            try:
                run_step(step(name_), rig, Path(file) / "calibration.yaml")
            except RefusedError as error:
                outcome.refused.append(f"{error}")
            if account is not None:
                print(f"  gates: {account}", flush=True)
            outcome.machine_s = round(rig.clock.now_s() - begun_s)
            outcome.last_hands_s = operator.took_s - hands_s
    outcome.hands_s, outcome.tasks = operator.took_s, len(operator.tasks)
    truth, found = operator.truth, rig.calibration
    if found.plane:
        errors = errors_of(found.plane, rig)
        outcome.scale, outcome.perspective_mm = errors.scale, errors.perspective_mm
    if found.belt and found.belt.mm_per_tick:
        outcome.speed = found.belt.belt_mm_per_s / truth.belt_mm_per_s - 1
        outcome.tick = found.belt.mm_per_tick / truth.mm_per_tick - 1
    for gate, own in found.gates.gates.items() if found.gates else ():
        hidden = truth.gates[gate]
        outcome.gates_mm.append(round((own.x_mm or 0.0) - hidden.x_mm, 3))
        outcome.gates_latency_ms.append(round(1e3 * ((own.latency_s or 0.0) - hidden.latency_s), 2))
        if own.travel_s is not None:  # a pusher's is not measured
            outcome.gates_travel_ms.append(round(1e3 * (own.travel_s - hidden.travel_s), 2))
    if found.colour:
        name_colours(rig, operator, outcome)
    return outcome


def started(machine: MachineConfig, bins: BinsConfig, seed: int, nudged_into: Path | None) -> Rig:
    """A machine as it is before its first step; its servos, if it has some, are nudged where `nudged_into` is given."""

    def say(line: str) -> None:
        print(f"  {line}", flush=True)

    rig = simulated_rig(machine, bins, seed, say=say)
    if nudged_into is None or not servos_of(rig):
        return rig
    calibration = run_step(step("positions"), rig, nudged_into)
    return simulated_rig(machine, bins, seed, calibration=calibration, say=say)


@dataclass(slots=True)
class _Seen:
    lead_mm: float = 0.0
    y_mm: float = 0.0
    samples: list[tuple[Sample, float]] = field(default_factory=list)


def name_colours(rig: Rig, operator: SimOperator, outcome: Outcome) -> None:
    """Lets 30 colours ride by and counts those that are named right."""
    world, measured = operator.sim.world, rig.calibration.colour
    assert measured is not None
    by_code = {colour.code: colour for colour in load_colours()}
    colours = tuple(by_code[code] for code in CODES)
    first = len(world.truth)
    order = np.random.default_rng([outcome.seed, 5]).permutation(CODES).tolist()
    world.drop([Wanted(None, code) for code in order], EVERY_S)
    seen: dict[int, _Seen] = {}

    def see(frame: Frame, tracks: list[Track]) -> None:
        for track in tracks:
            own = seen.setdefault(track.track_id, _Seen())
            own.lead_mm, own.y_mm = track.lead_belt_mm, track.y_mm
            for look in track.looks:
                sample = sample_body(look) if look.view == TOP_VIEW else None
                if sample is not None:
                    own.samples.append((sample, look.quality))

    run = PartsRun(rig, see)
    run.start()
    until_s = rig.clock.now_s() + len(order) * EVERY_S + RIDE_S
    while rig.clock.now_s() < until_s:
        run.look()
    ahead_mm = world.read_belt_mm() * told_scale(rig) - world.belt.travel_mm
    before, after = ColourMeter(colours), ColourMeter(colours, measured.belt_rgb, measured.matrix)
    for part in world.truth[first:]:
        if (own := _of(part, ahead_mm, list(seen.values()))) is not None:
            outcome.named += 1
            outcome.right_before += _named(own, before, colours) == part.colour.code
            outcome.right_after += _named(own, after, colours) == part.colour.code


def _of(part: SimPart, ahead_mm: float, seen: Sequence[_Seen]) -> _Seen | None:
    """What was seen of a part; None where nothing lies so near."""

    def away_mm(own: _Seen) -> float:
        return abs(own.lead_mm - ahead_mm - part.lead_belt_mm) + abs(own.y_mm - part.y_mm)

    with_samples = [own for own in seen if own.samples]
    nearest = min(with_samples, key=away_mm, default=None)
    return nearest if nearest is not None and away_mm(nearest) <= NEAR_MM else None


def _named(own: _Seen, meter: ColourMeter, colours: Sequence[Colour]) -> int:
    scores = np.sum([quality * meter.score(sample) for sample, quality in own.samples], axis=0)
    return colours[int(scores.argmax())].code


def report(outcomes: Sequence[Outcome]) -> None:
    """Medians and worst over all machines."""
    rows = (
        ("scale, %", [100 * o.scale for o in outcomes if o.scale is not None], 0.5),
        ("perspective residual, mm", [o.perspective_mm for o in outcomes if o.perspective_mm is not None], 0.3),
        ("belt speed, %", [100 * o.speed for o in outcomes if o.speed is not None], 0.5),
        ("encoder mm per tick, %", [100 * o.tick for o in outcomes if o.tick is not None], 0.3),
        ("gate distance, mm", [value for o in outcomes for value in o.gates_mm], 2.0),
        ("gate latency, ms", [value for o in outcomes for value in o.gates_latency_ms], 5.0),
        ("gate travel, ms", [value for o in outcomes for value in o.gates_travel_ms], 10.0),
    )
    for what, values, limit in rows:
        if values:
            off = np.abs(values)
            within = np.mean(off <= limit)
            print(
                f"{what}: median {np.median(off):.4f}, worst {max(off):.4f} (at most {limit}; {within:.1%} of"
                f" {len(off)} within), mean with its sign {np.mean(values):.4f}"
            )
    named = sum(outcome.named for outcome in outcomes)
    if named:
        before, after = (sum(getattr(o, key) for o in outcomes) / named for key in ("right_before", "right_after"))
        print(f"30 colours, {named} parts: {before:.1%} right before, {after:.1%} after (95 % asked)")
    tasks, hands_s = max(o.tasks for o in outcomes), max(o.hands_s for o in outcomes)
    machine_s, last_s = max(o.machine_s for o in outcomes), max(o.last_hands_s for o in outcomes)
    print(f"the last step: at most {machine_s:.0f} s of the machine, {last_s:.0f} s of the hands")
    print(f"hands: at most {tasks} tasks, {hands_s:.0f} s; refused: {sum(bool(o.refused) for o in outcomes)} machines")


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--machines", type=int, default=50)
    parser.add_argument("--first", type=int, default=1, help="the first machine's number")
    parser.add_argument("--config", default="west-18", help="a shipped example")
    parser.add_argument("--gates", action="store_true", help="the gates instead of the colours")
    parser.add_argument("--plane-with", default="sheet", help="the sheet, or bricks: 2x4")
    options = parser.parse_args()
    outcomes: list[Outcome] = []
    for seed in range(options.first, options.first + options.machines):
        steps = STEPS_TO_GATES if options.gates else STEPS
        outcomes.append(calibrate(options.config, seed, steps, options.plane_with))
        print(outcomes[-1], flush=True)
    report(outcomes)


if __name__ == "__main__":
    main()
