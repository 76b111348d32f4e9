"""Sorts on simulated machines that hide what they are like, calibrated, and told the truth: what is left lying.

`python tests/benchmarks/sort_hidden.py --machines 3 --parts 300`. Each machine goes through the steps of calibration by
the simulated hands, then sorts by what was found. A machine whose YAML is the truth, with a camera that is straight and
a lamp as built, sorts the same parts at the same threshold. `--gates` measures the gates too, which takes minutes a
machine; without, they are told in both.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from calibration.file import save_section
from calibration.rig import Rig
from calibration.simulated import SimOperator, simulated_rig
from calibration.step import RefusedError, run_step
from calibration.steps import step
from edge.config import example
from edge.config.calibrated import load_calibration
from edge.config.calibration import STEPS, GateCalibration, GatesCalibration
from edge.config.schema import MachineConfig, SimEncoderConfig
from edge.machine import Plans, read_plans
from edge.sim.hidden import HiddenTruth
from edge.simulate import SimulateOptions, run_simulation


@dataclass(frozen=True, slots=True)
class Sorted:
    """What became of the parts of one machine."""

    seed: int
    how: str
    right: int
    wrong: int
    belong: int
    purity: float
    recovery: float
    sure_above: float


def calibrate(rig: Rig, file: Path, steps: Sequence[str]) -> None:
    """The steps that the file does not have yet; one that is refused is left out, and said."""
    for name in steps:
        if getattr(rig.calibration, name) is None:
            try:
                run_step(step(name), rig, file)
            except RefusedError as error:
                print(f"refused: {error}", flush=True)
    if rig.calibration.gates is None:
        truth = _truth(rig)
        section = GatesCalibration(
            made_at=rig.now(),
            measured_from="the truth",
            residuals={},
            gates={
                name: GateCalibration(x_mm=own.x_mm, latency_s=own.latency_s, travel_s=own.travel_s)
                for name, own in truth.gates.items()
            },
        )
        rig.calibrate(save_section(file, "gates", section))


def _truth(rig: Rig) -> HiddenTruth:
    assert isinstance(rig.operator, SimOperator)
    return rig.operator.truth


def told_the_truth(plans: Plans, truth: HiddenTruth) -> Plans:
    """The same machine, its YAML being right."""
    written, found = plans.written or plans.config, plans.config
    encoder = written.belt.encoder
    if isinstance(encoder, SimEncoderConfig):
        encoder = encoder.model_copy(update={"mm_per_tick": truth.mm_per_tick})
    gates = tuple(
        gate.model_copy(update={"x_mm": own.x_mm, "latency_s": own.latency_s, "travel_s": own.travel_s})
        for gate in written.gates
        for own in (truth.gates[gate.name],)
    )
    config: MachineConfig = written.model_copy(
        update={
            "camera": written.camera.model_copy(update={"px_per_mm": truth.px_per_mm}),
            "belt": written.belt.model_copy(update={"belt_mm_per_s": truth.belt_mm_per_s, "encoder": encoder}),
            "gates": gates,
            "fusion": written.fusion.model_copy(update={"sure_above": found.fusion.sure_above}),
        }
    )
    return Plans(config, plans.bins, plans.bundle, plans.catalogue, plans.colours)


def sort(plans: Plans, seed: int, how: str, options: SimulateOptions) -> Sorted:
    """One run."""
    score = run_simulation(plans, options, lambda line: print(f"  {how}: {line}", flush=True), lambda fed: None).score
    wrong = score.in_named - score.right_in_named
    return Sorted(
        seed, how, score.right_in_named, wrong, score.belong_in_named, round(score.purity, 4), round(score.recovery, 4),
        plans.config.fusion.sure_above,
    )  # fmt: skip


def report(runs: Sequence[Sorted]) -> None:
    """The sums over all machines, by how they knew what they are."""
    for how in dict.fromkeys(run.how for run in runs):
        own = [run for run in runs if run.how == how]
        right, wrong, belong = (sum(getattr(run, key) for run in own) for key in ("right", "wrong", "belong"))
        sums = f"purity {right / max(right + wrong, 1):.2%}, recovery {right / max(belong, 1):.2%}"
        print(f"{how}: {len(own)} machines, {belong} parts: {sums}", flush=True)


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--machines", type=int, default=3)
    parser.add_argument("--first", type=int, default=1, help="the first machine's number")
    parser.add_argument("--parts", type=int, default=300)
    parser.add_argument("--config", default="west-18", help="a shipped example")
    parser.add_argument("--keep", type=Path, default=Path("build/hidden"), help="folder of the calibrations")
    parser.add_argument("--gates", action="store_true", help="measure the gates too, in a file of their own")
    parser.add_argument("--as-written", action="store_true", help="sort without the calibration too")
    options = parser.parse_args()
    folder, runs = example(options.config), []
    files = str(folder / "machine.yaml"), str(folder / "bins.yaml")
    written = read_plans(*files, measured=False)
    options.keep.mkdir(parents=True, exist_ok=True)
    for seed in range(options.first, options.first + options.machines):
        file = options.keep / f"{options.config}-{seed}{'-gates' if options.gates else ''}.yaml"
        rig = simulated_rig(written.config, written.bins, seed, calibration=load_calibration(file))
        calibrate(rig, file, (*STEPS, "gates") if options.gates else STEPS)
        plans, truth = read_plans(*files, measured=file), _truth(rig)
        simulated = SimulateOptions(options.parts, 60.0, 1000 + seed, hidden=seed)
        runs.append(sort(plans, seed, "calibrated", simulated))
        print(json.dumps({name: getattr(runs[-1], name) for name in Sorted.__slots__}), flush=True)
        plain = told_the_truth(plans, truth)
        plain = replace(plain, bundle=written.bundle)
        runs.append(sort(plain, seed, "told the truth", replace(simulated, hidden=None)))
        print(json.dumps({name: getattr(runs[-1], name) for name in Sorted.__slots__}), flush=True)
        if options.as_written:
            runs.append(sort(written, seed, "as written", simulated))
    report(runs)


if __name__ == "__main__":
    main()
