"""How well counts of parts tell what a gate is like: place, latency and travel, with the spreads that are claimed.

`python tests/benchmarks/fit_gates.py --gates 30 --speed 150`. The gates move as the simulated machine's do, each hiding
another place, latency and travel; there is no belt and no camera, so that many can be tried: where a part is, is known
to `gate_model.PLACE_MM`, and one in a hundred lies elsewhere.
"""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import dataclass

import numpy as np

from calibration.gate_belief import Batch, GateUnderTrial
from calibration.gate_design import LIMIT_LATENCY_S, LIMIT_MM, LIMIT_TRAVEL_S, next_batch
from calibration.gate_model import PLACE_MM, Trial
from edge.clock import VirtualClock
from edge.config.gates import SimGateConfig
from edge.sim.gates import SimGate
from edge.sim.settings import GateSettings

GATE = SimGateConfig(name="g", driver="sim", x_mm=400, positions=("left", "pass", "right"))
ELSEWHERE, ELSEWHERE_MM = 0.01, 3.0
MOST_BATCHES = 9


@dataclass(frozen=True, slots=True)
class Moving:
    """A gate that hides what it is like, `off_mm` from where machine.yaml says."""

    off_mm: float
    settings: GateSettings
    mm_per_s: float
    rng: np.random.Generator

    def meets(self, trial: Trial) -> int:
        """The position in which the gate meets the trial's part."""
        far = self.rng.random() < ELSEWHERE
        before_mm = self.off_mm + float(self.rng.normal(0, ELSEWHERE_MM if far else PLACE_MM))
        if trial.kind == "stand":
            return trial.went if before_mm > trial.at else trial.came
        clock = VirtualClock()
        clock.sleep_until(1.0)
        gate = SimGate(self.settings, clock, self.rng)
        gate.move_to(GATE.positions[trial.went])
        if trial.back_s is not None:
            clock.sleep_until(1.0 + trial.back_s)
            gate.move_to(GATE.positions[trial.came])
        return GATE.positions.index(gate.nearest(1.0 + trial.at + before_mm / self.mm_per_s))


def measure(number: int, mm_per_s: float) -> tuple[tuple[float, ...], tuple[float, ...], int, int]:
    """Errors, spreads that are claimed (mm, ms, ms), batches and trials."""
    rng = np.random.default_rng([number, 9])
    off_mm, latency_s = float(rng.uniform(-8, 8)), GATE.latency_s + float(rng.uniform(-0.01, 0.04))
    travel_s = GATE.travel_s * float(rng.uniform(0.7, 1.3))
    under = GateUnderTrial(GATE, mm_per_s)
    jitter_s = under.shape.jitter_s
    settings = GateSettings("g", GATE.x_mm + off_mm, GATE.positions, GATE.rest, latency_s, travel_s, jitter_s)
    gate = Moving(off_mm, settings, mm_per_s, rng)
    while len(under.batches) < MOST_BATCHES and (sweeps := next_batch(under)):
        trials = tuple(trial for sweep in sweeps for trial in sweep.trials())
        met = [gate.meets(trial) for trial in trials]
        under.batches.append(Batch(trials, {position: met.count(position) for position in under.working}))
        under.update()
    errors = under.off_mm - off_mm, 1e3 * (under.latency_s - latency_s), 1e3 * (under.travel_s - travel_s)
    claimed = under.off_std_mm, 1e3 * under.latency_std_s, 1e3 * under.travel_std_s
    return errors, claimed, len(under.batches), sum(len(batch.trials) for batch in under.batches)


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--gates", type=int, default=30)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--speed", type=float, default=150.0, help="of the belt, in mm/s")
    options = parser.parse_args()
    runs = [measure(number, options.speed) for number in range(options.first, options.first + options.gates)]
    errors, claimed = (np.array([run[index] for run in runs]) for index in (0, 1))
    limits = LIMIT_MM, 1e3 * LIMIT_LATENCY_S, 1e3 * LIMIT_TRAVEL_S
    for what, own, spread, limit in zip(
        ("place, mm", "latency, ms", "travel, ms"), errors.T, claimed.T, limits, strict=True
    ):
        print(
            f"{what}: mean {own.mean():.2f} ± {own.std() / len(own) ** 0.5:.2f}, spread {own.std():.2f} (claimed"
            f" {spread.mean():.2f}), median {np.median(abs(own)):.2f}, worst {abs(own).max():.2f},"
            f" {np.mean(abs(own) <= limit):.1%} within {limit:g}"
        )
    print(f"batches {np.mean([run[2] for run in runs]):.1f}, trials a gate {np.mean([run[3] for run in runs]):.0f}")


if __name__ == "__main__":
    main()
