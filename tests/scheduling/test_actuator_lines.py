"""Lines of pushers, jets, a chute, and all of them together: simulated parts end in the bins that they were sent to.

Gates, belt and parts are the simulated machine's, planner and dispatcher the real ones; recognition is perfect.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edge.catalogue.colours import load_colours
from edge.config import example
from edge.config.bins import BinsConfig, LayoutNode
from edge.config.load import load_bins, load_machine
from edge.config.schema import MachineConfig
from edge.records import BinDecision, CommandStatus, DecisionReason, GateReport, Plan
from edge.scheduling.belt import BeltCoordinate
from edge.scheduling.bookings import PlannerSettings
from edge.scheduling.dispatcher import Dispatcher
from edge.scheduling.gates import gate_settings
from edge.scheduling.lane import DispatcherSettings
from edge.scheduling.planner import Planner
from edge.scheduling.topology import Fork, Topology
from edge.sim.build import sim_settings
from edge.sim.gates import GateFault
from edge.sim.parts import PartMaker, PartShape, PoseShape, SimPart
from edge.sim.settings import Arrivals
from edge.sim.world import SimWorld

PARTS = 40
KNOWN_AT_MM, DECIDED_AT_MM = 60.0, 220.0
NOISE_MM = 0.5

COMBINED_MACHINE = {
    "camera": {"driver": "sim", "px_per_mm": 5.0, "belt_region_px": [0, 60, 1280, 660]},
    "belt": {"belt_mm_per_s": 100.0, "motor": {"driver": "sim"}, "encoder": {"driver": "sim"}},
    "gates": [
        {"name": "top", "driver": "sim", "x_mm": 320.0, "positions": ["branch", "pass"]},
        {"name": "jet", "kind": "jet", "driver": "sim", "x_mm": 400.0},
        {"name": "side", "driver": "sim", "x_mm": 420.0, "positions": ["left", "pass", "right"]},
        {"name": "pusher", "kind": "pusher", "driver": "sim", "x_mm": 480.0},
        {
            "name": "chute", "kind": "chute", "driver": "sim", "x_mm": 600.0, "rest": "b", "travel_s": 0.3,
            "angle_deg": {"a": 0.0, "b": 40.0, "c": 80.0}, "fall_s": 0.2,
        },
    ],
}  # fmt: skip
COMBINED_BINS = {
    "default_bin": "box",
    "layout": {
        "gate": "top",
        "branch": {"gate": "side", "left": "one", "right": "two", "pass": "three"},
        "pass": {
            "gate": "jet",
            "blow": "four",
            "pass": {"gate": "pusher", "push": "five", "pass": {"gate": "chute", "a": "six", "b": "box", "c": "seven"}},
        },
    },
    "bins": [{"name": ["one", "two", "three", "four", "five", "six", "seven"], "accept": [{"category": "Brick"}]}],
}


def shape(name: str, length_mm: float, width_mm: float) -> PartShape:
    x, y = length_mm / 2, width_mm / 2
    return PartShape(
        name, name, name, (PoseShape(1.0, 9.6, np.array([[-x, -y], [x, -y], [x, y], [-x, y]], np.float32)),)
    )


SHAPES = [shape("3005", 8, 8), shape("3003", 16, 16), shape("3001", 32, 16), shape("3008", 64, 8)]


def fork(node: LayoutNode) -> Fork:
    return Fork(node.gate, {at: fork(on) if isinstance(on, LayoutNode) else on for at, on in node.exits.items()})


class Line:
    """A machine that knows every part once its leading edge is at `KNOWN_AT_MM`, and its bin at `DECIDED_AT_MM`."""

    def __init__(
        self, machine: MachineConfig, bins: BinsConfig, parts_per_min: float, seed: int, arrivals: Arrivals = "regular"
    ) -> None:
        mm_per_s = machine.belt.belt_mm_per_s
        settings = sim_settings(
            machine, bins, parts=PARTS, parts_per_min=parts_per_min, touching_share=0.0, arrivals=arrivals
        )
        self.world = SimWorld(
            settings, PartMaker(SHAPES, load_colours(), 0.05, 30.0, np.random.default_rng(seed)), seed
        )
        own = [gate_settings(gate, mm_per_s) for gate in machine.gates]
        self.topology = Topology(fork(bins.layout), own, bins.default_bin)
        self.planner = Planner(self.topology, PlannerSettings(mm_per_s))
        self.belt = BeltCoordinate(self.world.encoder, mm_per_s)
        self.failures: list[str] = []
        self.dispatcher = Dispatcher(
            [(self.world.gates[gate.name], gate) for gate in own], self.belt, DispatcherSettings(), self.failures.append
        )
        self.plans: dict[int, Plan] = {}
        self.wanted: dict[int, str] = {}
        self.late = 0
        self._rng = random.Random(seed)
        self._extents: dict[int, tuple[float, float]] = {}
        self.world.on_tick(self._tick)
        self.world.encoder.start()
        self.world.belt_motor.start()
        self.world.feeder.set_rate(parts_per_min)

    def run(self) -> None:
        self.world.run()

    def _tick(self, now_s: float) -> None:
        belt_mm = self.belt.sample(now_s)
        for part in self.world.on_way:
            at_mm = belt_mm - part.lead_belt_mm
            if at_mm >= KNOWN_AT_MM and part.part_id not in self._extents:
                self._know(part, belt_mm)
            if at_mm >= DECIDED_AT_MM and part.part_id not in self.wanted:
                self._decide(part, belt_mm)
        for report in self.dispatcher.step(now_s):
            if report.status is CommandStatus.LATE:
                self._divert(report, belt_mm)

    def _know(self, part: SimPart, belt_mm: float) -> None:
        off_mm = belt_mm - self.world.belt.travel_mm
        lead_mm, trail_mm = (mm + off_mm + self._rng.uniform(-NOISE_MM, NOISE_MM) for mm in _ends(part))
        self._extents[part.part_id] = lead_mm, trail_mm
        self._take(self.planner.plan_default(part.part_id, lead_mm, trail_mm, belt_mm, self.belt.mm_per_s()))

    def _decide(self, part: SimPart, belt_mm: float) -> None:
        bin_name = self._rng.choice(self.topology.bins)
        self.wanted[part.part_id] = bin_name
        decision = BinDecision(part.part_id, bin_name, DecisionReason.CERTAIN, 0.99)
        self._take(self.planner.plan(decision, *self._extents[part.part_id], belt_mm, self.belt.mm_per_s()))

    def _divert(self, report: GateReport, belt_mm: float) -> None:
        self.late += 1
        command = report.command
        plan = self.planner.divert(command.track_id, command.gate, report.held, belt_mm, self.belt.mm_per_s())
        if plan is not None:
            self._take(plan)

    def _take(self, plan: Plan) -> None:
        self.dispatcher.submit(plan)
        for each in (plan, *plan.revised):
            self.plans[each.track_id] = each


def _ends(part: SimPart) -> tuple[float, float]:
    return part.lead_belt_mm, part.trail_belt_mm


def from_example(name: str) -> Callable[[], tuple[MachineConfig, BinsConfig]]:
    folder = example(name)
    return lambda: (load_machine(folder / "machine.yaml"), load_bins(folder / "bins.yaml"))


def combined() -> tuple[MachineConfig, BinsConfig]:
    return MachineConfig.model_validate(COMBINED_MACHINE), BinsConfig.model_validate(COMBINED_BINS)


KINDS: list[Any] = [
    pytest.param(from_example("west-18"), 60, id="gates"),
    pytest.param(from_example("pushers-4"), 30, id="pushers"),
    pytest.param(from_example("jets-6"), 60, id="jets"),
    pytest.param(from_example("chute-9"), 15, id="chute"),
    pytest.param(combined, 30, id="all together in a tree"),
]


@pytest.mark.parametrize(("machine", "parts_per_min"), KINDS)
def test_every_part_gets_its_bin(machine: Callable[[], tuple[MachineConfig, BinsConfig]], parts_per_min: float) -> None:
    line = Line(*machine(), parts_per_min, seed=5)
    line.run()
    assert {part.part_id: part.bin for part in line.world.truth} == line.wanted
    assert len(line.wanted) == PARTS
    assert [part.part_id for part in line.world.truth if part.struck] == []
    assert (line.late, line.failures) == (0, [])


@pytest.mark.parametrize(("machine", "parts_per_min"), KINDS)
def test_in_a_crowd_every_part_ends_where_it_was_sent(
    machine: Callable[[], tuple[MachineConfig, BinsConfig]], parts_per_min: float
) -> None:
    line = Line(*machine(), 2 * parts_per_min, seed=6, arrivals="poisson")
    line.run()
    astray = [(part.bin, line.plans[part.part_id].bin, part.why) for part in line.world.truth]
    assert [found for found in astray if found[0] != found[1]] == []
    assert [part.part_id for part in line.world.truth if part.struck] == []
    refused = [plan for plan in line.plans.values() if plan.bin != line.wanted[plan.track_id]]
    assert 0 < len(refused) < PARTS
    assert {plan.bin for plan in refused} == {line.topology.default_bin}
    assert all(plan.refused and plan.why for plan in refused)
    assert (line.late, line.failures) == (0, [])


@pytest.mark.parametrize("machine", [pytest.param(param.values[0], id=param.id) for param in KINDS])
def test_gates_are_at_rest_in_the_end(machine: Callable[[], tuple[MachineConfig, BinsConfig]]) -> None:
    line = Line(*machine(), 60, seed=6)
    line.run()
    now_s = line.world.clock.now_s()
    line.world.advance_to(now_s + 5)
    assert {name: gate.nearest(now_s + 5) for name, gate in line.world.gates.items()} == {
        name: gate.rest for name, gate in line.topology.gates.items()
    }


@pytest.mark.parametrize("fault", [GateFault.STUCK, GateFault.DEAD])
@pytest.mark.parametrize("machine", ["pushers-4", "jets-6"])
def test_a_pusher_or_jet_that_fails_at_rest_lets_its_parts_ride_to_the_end(machine: str, fault: GateFault) -> None:
    line = Line(*from_example(machine)(), 30, seed=7)
    for gate in line.world.gates.values():
        gate.break_down(fault)
    line.run()
    assert {part.bin for part in line.world.truth} == {"box"}


def test_a_slow_pusher_is_seen_to_strike_its_parts_badly() -> None:
    line = Line(*from_example("pushers-4")(), 30, seed=7)
    for gate in line.world.gates.values():
        gate.break_down(GateFault.SLOW, 6.0)
    line.run()
    assert any(part.struck for part in line.world.truth)


@pytest.mark.parametrize(("machine", "position"), [("pushers-4", "push"), ("jets-6", "blow")])
def test_what_must_not_stay_on_goes_off_though_the_belt_stops(machine: str, position: str) -> None:
    line = Line(*from_example(machine)(), 30, seed=8)
    gates = line.world.gates.values()
    while not any(gate.commands and gate.commands[-1][1] == position for gate in gates):
        line.world.advance_to(line.world.clock.now_s() + 0.005)
    line.world.belt_motor.stop()
    stopped_s = line.world.clock.now_s()
    line.world.advance_to(stopped_s + 2.2)
    assert [gate.name for gate in gates if gate.nearest(stopped_s + 2.2) != gate.rest] == []
    assert line.failures == []
