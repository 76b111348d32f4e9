"""A sorting line without pictures: the simulated belt, gates and beams, the real planner, dispatcher and confirmation,
and a recogniser that is always right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from edge.catalogue.colours import load_colours
from edge.config.bins import BinsConfig, LayoutNode
from edge.config.schema import MachineConfig
from edge.confirmation.confirmation import Confirmation, Consequences, Finding
from edge.confirmation.places import Places
from edge.hardware.interfaces import PartSensor
from edge.records import BinDecision, Confirmed, DecisionReason, GateReport, Plan
from edge.scheduling.belt import BeltCoordinate
from edge.scheduling.bookings import PlannerSettings
from edge.scheduling.dispatcher import Dispatcher
from edge.scheduling.lane import DispatcherSettings
from edge.scheduling.planner import Planner
from edge.scheduling.topology import Fork, GateSettings, Topology
from edge.sim.build import sim_settings
from edge.sim.parts import PartMaker, PartShape, PoseShape, SimPart
from edge.sim.sensors import SimSensor, sim_sensors
from edge.sim.world import SimWorld

GATES, SPEED_MM_PER_S, FRAME_S, END_MM = 4, 150.0, 1 / 12, 900
BINS = tuple(f"{side}{number}" for number in range(1, GATES + 1) for side in ("left", "right"))


def machine_config(watched: Sequence[str] = BINS, *, end: bool = True) -> MachineConfig:
    """Four gates, a beam in each of the bins `watched`, and one at the belt's end."""
    sensors = [{"name": f"s-{bin_name}", "driver": "sim", "at": {"bin": bin_name}} for bin_name in watched]
    if end:
        sensors.append({"name": "s-end", "driver": "sim", "at": {"x_mm": END_MM}})
    gates = [
        {"name": f"g{number}", "driver": "sim", "x_mm": 280 + 120 * number, "positions": ["left", "pass", "right"]}
        for number in range(1, GATES + 1)
    ]
    return MachineConfig.model_validate(
        {
            "camera": {"driver": "sim", "px_per_mm": 5, "belt_region_px": [0, 60, 1280, 660]},
            "belt": {"belt_mm_per_s": SPEED_MM_PER_S, "motor": {"driver": "sim"}, "encoder": {"driver": "sim"}},
            "gates": gates,
            "sensors": sensors,
        }
    )


def bins_config() -> BinsConfig:
    """A bin on either side of each gate, and a box at the belt's end."""
    layout: object = "box"
    for number in range(GATES, 0, -1):
        layout = {"gate": f"g{number}", "left": f"left{number}", "right": f"right{number}", "pass": layout}
    bins = [{"name": bin_name, "accept": [{"parts": [bin_name]}]} for bin_name in BINS]
    return BinsConfig.model_validate({"default_bin": "box", "layout": layout, "bins": bins})


def fork(node: LayoutNode) -> Fork:
    ways = {position: way if isinstance(way, str) else fork(way) for position, way in node.exits.items()}
    return Fork(node.gate, ways)


@dataclass
class SortingLine:
    """The line; `run` feeds and sorts. `wanted` tells which bins parts go to, as often as they are named there."""

    config: MachineConfig = field(default_factory=machine_config)
    seed: int = 1
    wanted: Sequence[str] = (*BINS, "box")
    parts: int = 10_000
    said: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    reports: list[GateReport] = field(default_factory=list)
    planned: dict[int, str] = field(default_factory=dict)
    """Where each part was really planned to, by its number."""

    def __post_init__(self) -> None:
        bins = bins_config()
        settings = sim_settings(self.config, bins, parts=self.parts, parts_per_min=60, touching_share=0.0)
        square = np.array([[-8, -8], [8, -8], [8, 8], [-8, 8]], np.float32)
        shape = PartShape("3003", "3003", "Brick 2 x 2", (PoseShape(1.0, 11.0, square),))
        maker = PartMaker([shape], load_colours(), 0.05, 38.0, np.random.default_rng(self.seed))
        self.world = world = SimWorld(settings, maker, self.seed)
        self.beams: dict[str, SimSensor] = sim_sensors(self.config.sensors, world, self.seed)
        belt = BeltCoordinate(world.encoder, SPEED_MM_PER_S)
        gates = [
            GateSettings(gate.name, gate.x_mm, gate.positions, gate.rest, gate.latency_s, gate.travel_s)
            for gate in self.config.gates
        ]
        self.dispatcher = Dispatcher(
            [(world.gates[gate.name], gate) for gate in gates], belt, DispatcherSettings(), self.stopped.append
        )
        self.planner = Planner(Topology(fork(bins.layout), gates, "box"), PlannerSettings(SPEED_MM_PER_S))
        sensors: dict[str, PartSensor] = dict(self.beams)
        self.confirmation = Confirmation(
            Places(self.config, bins, sensors),
            sensors,
            self.config.confirmation,
            Consequences(self.said.append, self.planner.out_of_service, self.stopped.append),
        )
        self._belt = belt
        self._choose = np.random.default_rng(self.seed + 1)
        self._decided = 0
        self._extents: dict[int, tuple[float, float]] = {}
        world.on_tick(lambda now_s: self.reports.extend(self.dispatcher.step(now_s)))
        for device in (world.encoder, world.belt_motor, *self.beams.values()):
            device.start()
        world.feeder.set_rate(60)

    def run(self, duration_s: float) -> None:
        """Lets the line sort until so much time has passed, or the machine is stopped."""
        end_s = self.world.clock.now_s() + duration_s
        while self.world.clock.now_s() < end_s and not self.stopped:
            self.world.advance_to(self.world.clock.now_s() + FRAME_S)
            now_mm = self._belt.sample(self.world.clock.now_s())
            for plan in self.planner.keep_up(now_mm, self._belt.mm_per_s()):
                self._follow(plan)
            for part in self.world.truth[self._decided :]:
                if now_mm - part.trail_belt_mm < self.config.camera.seen_mm:
                    break
                self._decide(part, now_mm)
            self.findings += self.confirmation.update(self.world.clock.now_s(), now_mm)

    def found(self, confirmed: Confirmed) -> list[Finding]:
        return [finding for finding in self.findings if finding.confirmed is confirmed]

    def wrong(self, since_s: float = 0.0) -> list[SimPart]:
        """The parts that ended in another bin than planned, the box aside."""
        return [
            part
            for part in self.world.truth
            if part.bin not in (None, "box", self.planned.get(part.part_id)) and (part.fed_s or 0.0) >= since_s
        ]

    def _decide(self, part: SimPart, now_mm: float) -> None:
        self._decided += 1
        bin_name = self.wanted[int(self._choose.integers(len(self.wanted)))]
        decision = BinDecision(part.part_id, bin_name, DecisionReason.CERTAIN, 1.0)
        offset_mm = now_mm - self.world.belt.travel_mm
        self._extents[part.part_id] = extent = part.lead_belt_mm + offset_mm, part.trail_belt_mm + offset_mm
        self._follow(self.planner.plan(decision, *extent, now_mm, self._belt.mm_per_s()))

    def _follow(self, plan: Plan) -> None:
        self.dispatcher.submit(plan)
        for each in (plan, *plan.revised):
            self.planned[each.track_id] = each.bin
            self.confirmation.expect(each, *self._extents[each.track_id])
