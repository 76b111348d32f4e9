"""How well counts of parts tell what gates are like: place, latency and travel, with the spreads that are claimed.

`python tests/benchmarks/fit_gates.py --machines 3 --gates 9 --speed 150`: machines of gates one after the other.
The gates move as the simulated machine's do, each hiding another place, latency and travel; there is no belt and no
camera, so that many can be tried: where a part is, is known to `gate_model.PLACE_MM`, and one in a hundred lies
elsewhere. A part is tried at one gate after the other as on the machine, where one in five comes too near to another.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from calibration.gate_batch import REACHES
from calibration.gate_belief import Batch, GateUnderTrial
from calibration.gate_chain import update_chain
from calibration.gate_counts import COUNT_S, EACH_S
from calibration.gate_design import LIMIT_LATENCY_S, LIMIT_MM, LIMIT_TRAVEL_S, is_worth_a_batch, next_batch
from calibration.gate_model import PLACE_MM, Trial
from calibration.gate_supply import FILL_S, MOST_PARTS, TIP_S
from calibration.gate_trials import MOST_BATCHES
from calibration.gate_wanted import Wanted, next_gate
from edge.clock import VirtualClock
from edge.config.gates import SimGateConfig
from edge.sim.gates import SimGate
from edge.sim.settings import GateSettings

GATE = SimGateConfig(name="g", driver="sim", x_mm=400, positions=("left", "pass", "right"))
APART_MM = 120.0
ELSEWHERE, ELSEWHERE_MM = 0.01, 3.0
STOPS_MM = 0.6
"""A belt that is stopped stands so far from where it should, as a standard deviation."""
TOO_NEAR = 0.2


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


@dataclass(slots=True)
class Machine:
    """Gates one after the other, and what trying them took."""

    number: int
    gates: int
    mm_per_s: float
    rng: np.random.Generator = field(init=False)
    unders: list[GateUnderTrial] = field(init=False)
    moving: dict[str, Moving] = field(default_factory=dict)
    parts: int = 0
    stops: int = 0
    trials: int = 0
    counts: int = 0
    hands_s: float = FILL_S
    left: int = MOST_PARTS
    """Parts in the feeder."""
    passed: int = 0
    """Parts in the last bin."""

    def __post_init__(self) -> None:
        self.rng, self.unders = np.random.default_rng([self.number, 9]), []
        for index in range(self.gates):
            config = GATE.model_copy(update={"name": f"g{index}", "x_mm": GATE.x_mm + APART_MM * index})
            under = GateUnderTrial(config, self.mm_per_s)
            off_mm, latency_s = self._within(-8, 8), GATE.latency_s + self._within(-0.01, 0.04)
            travel_s, jitter_s = GATE.travel_s * self._within(0.7, 1.3), under.shape.jitter_s
            settings = GateSettings("g", 0.0, GATE.positions, GATE.rest, latency_s, travel_s, jitter_s)
            self.unders.append(under)
            self.moving[config.name] = Moving(off_mm, settings, self.mm_per_s, self.rng)

    def _within(self, least: float, most: float) -> float:
        return float(self.rng.uniform(least, most))

    def measure(self) -> int:
        """Tries the gates; the batches that it took."""
        for number in range(MOST_BATCHES):
            sweeps = {under.gate.name: next_batch(under) for under in self.unders}
            trials = {gate: [trial for sweep in own for trial in sweep.trials()] for gate, own in sweeps.items() if own}
            if not is_worth_a_batch(under for under in self.unders if under.gate.name in trials):
                return number
            update_chain(self.unders, self._batch(trials))
        return MOST_BATCHES

    def _batch(self, wanted: Mapping[str, list[Trial]]) -> dict[str, Batch]:
        done: dict[str, list[Trial]] = {gate: [] for gate in wanted}
        met = {gate: dict.fromkeys([trial.went for trial in trials], 0) for gate, trials in wanted.items()}
        for kind in ("stand", "swing"):
            todo = {gate: Wanted([trial for trial in own if trial.kind == kind]) for gate, own in wanted.items()}
            for own in todo.values():
                self.rng.shuffle(own.todo)  # type: ignore[arg-type]
            while any(own.todo for own in todo.values()):
                self.parts += 1
                self._feed()
                self._ride(todo, met)
            for gate, own in todo.items():
                done[gate] += own.done
        self.trials += sum(map(len, done.values()))
        for own in met.values():
            self.counts += len(own)
            self.hands_s += sum(COUNT_S + EACH_S * count for count in own.values())
            self.left += sum(own.values())
        return {gate: Batch(tuple(trials), met[gate]) for gate, trials in done.items()}

    def _feed(self) -> None:
        """The feeder is filled once; what went past all gates is tipped back when it is empty."""
        if not self.left:
            self.hands_s += TIP_S
            self.left, self.passed = self.passed, 0
        self.left -= 1

    def _ride(self, todo: Mapping[str, Wanted], met: Mapping[str, dict[int, int]]) -> None:
        """One part, past all gates."""
        stations_mm = {under.gate.name: under.gate.x_mm for under in self.unders}
        past_mm, reach, rides = -np.inf, 1.0, True
        while reach > REACHES and (name := next_gate(todo, stations_mm, past_mm)) is not None:
            past_mm = stations_mm[name]
            if self.rng.random() < TOO_NEAR:
                continue
            trial = todo[name].todo.pop(0)
            self.stops += trial.kind == "stand"
            at = trial.at + (float(self.rng.normal(0, STOPS_MM)) if trial.kind == "stand" else 0.0)
            done = replace(trial, at=at, part=self.parts)
            under = next(under for under in self.unders if under.gate.name == name)
            todo[name].note(trial, done, reach)
            reach *= under.chance(done, under.rest)
            if rides and (position := self.moving[name].meets(done)) != under.rest:
                met[name][position] += 1
                rides = False
        self.passed += rides

    def errors(self) -> list[tuple[float, float, float]]:
        """(mm, ms, ms) of each gate."""
        return [
            (
                under.off_mm - moving.off_mm,
                1e3 * (under.latency_s - moving.settings.latency_s),
                1e3 * (under.travel_s - moving.settings.travel_s),
            )
            for under, moving in zip(self.unders, self.moving.values(), strict=True)
        ]

    def claimed(self) -> list[tuple[float, float, float]]:
        return [(under.off_std_mm, 1e3 * under.latency_std_s, 1e3 * under.travel_std_s) for under in self.unders]


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--machines", type=int, default=3)
    parser.add_argument("--gates", type=int, default=9, help="of each machine")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--speed", type=float, default=150.0, help="of the belt, in mm/s")
    options = parser.parse_args()
    machines = [Machine(options.first + number, options.gates, options.speed) for number in range(options.machines)]
    batches = [machine.measure() for machine in machines]
    errors = np.array([row for machine in machines for row in machine.errors()])
    claimed = np.array([row for machine in machines for row in machine.claimed()])
    limits = LIMIT_MM, 1e3 * LIMIT_LATENCY_S, 1e3 * LIMIT_TRAVEL_S
    for what, own, spread, limit in zip(
        ("place, mm", "latency, ms", "travel, ms"), errors.T, claimed.T, limits, strict=True
    ):
        print(
            f"{what}: mean {own.mean():.2f} ± {own.std() / len(own) ** 0.5:.2f}, spread {own.std():.2f} (claimed"
            f" {spread.mean():.2f}), median {np.median(abs(own)):.2f}, worst {abs(own).max():.2f},"
            f" {np.mean(abs(own) <= limit):.1%} within {limit:g}"
        )
    means = [np.mean([getattr(machine, key) for machine in machines]) for key in ("parts", "stops", "trials", "counts")]
    print(
        f"a machine: batches {np.mean(batches):.1f}, parts {means[0]:.0f}, stops {means[1]:.0f}, trials {means[2]:.0f},"
        f" counts {means[3]:.0f}, hands {np.mean([machine.hands_s for machine in machines]):.0f} s"
    )


if __name__ == "__main__":
    main()
