"""A machine without pictures: a belt with a true speed, gates that take time to move, parts that ride through."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import pytest

from edge.clock import VirtualClock
from edge.hardware.interfaces import Gate
from edge.records import BinDecision, DecisionReason, GateReport, Plan
from edge.scheduling.belt import BeltCoordinate
from edge.scheduling.bookings import PlannerSettings
from edge.scheduling.dispatcher import Dispatcher
from edge.scheduling.lane import DispatcherSettings
from edge.scheduling.planner import Planner
from edge.scheduling.topology import Fork, GateSettings, Topology

SPEED_MM_PER_S = 150.0


def line(gates: int, first_x_mm: float = 400.0, pitch_mm: float = 120.0) -> Topology:
    """West's layout: every gate sends left, right or lets pass; bins are `l1`, `r1`, `l2`, …"""
    settings = [
        GateSettings(f"g{i}", first_x_mm + pitch_mm * (i - 1), ("left", "pass", "right"), "pass", 0.02, 0.15)
        for i in range(1, gates + 1)
    ]
    node: Fork | str = "rest"
    for i in range(gates, 0, -1):
        node = Fork(f"g{i}", {"left": f"l{i}", "right": f"r{i}", "pass": node})
    return Topology(node, settings, "rest")


def tree() -> Topology:
    """A tree: the first gate parts the belt in two branches, only one of which ends in the default bin."""
    settings = [
        GateSettings(name, x_mm, ("a", "b"), "a", 0.02, 0.15)
        for name, x_mm in [("top", 400.0), ("left", 550.0), ("right", 560.0), ("last", 700.0)]
    ]
    right = Fork("right", {"a": Fork("last", {"a": "rest", "b": "r2"}), "b": "r1"})
    return Topology(Fork("top", {"a": right, "b": Fork("left", {"a": "l1", "b": "l2"})}), settings, "rest")


def decide(track_id: int, bin_name: str, *candidates: str) -> BinDecision:
    return BinDecision(track_id, bin_name, DecisionReason.CERTAIN, 0.99, candidates=candidates)


class TimedGate:
    """A gate that remembers when it moved, and says what it was doing at any time."""

    def __init__(self, settings: GateSettings, clock: VirtualClock) -> None:
        self._settings, self._clock = settings, clock
        self.moves: list[tuple[float, str]] = [(-1e9, settings.rest)]

    name = property(lambda self: self._settings.name)
    positions = property(lambda self: self._settings.positions)
    rest = property(lambda self: self._settings.rest)

    def move_to(self, position: str) -> None:
        if position not in self.positions:
            raise ValueError(position)
        self.moves.append((self._clock.now_s(), position))

    def close(self) -> None:
        self.move_to(self.rest)

    def during(self, from_s: float, to_s: float) -> str | None:
        """The position the gate stood in all the time, or None when it moved meanwhile."""
        position = None
        for instant_s, target in self.moves:
            if instant_s + self._settings.move_s <= from_s + 1e-9:
                position = target
            elif instant_s < to_s:
                return None
        return position


@dataclass
class Belt:
    """The true belt, which is its own perfect encoder. `rides` are the (from_s, mm_per_s) of its speed."""

    clock: VirtualClock
    mm_per_s: float = SPEED_MM_PER_S
    travel_mm: float = 0.0
    track: list[tuple[float, float]] = field(default_factory=lambda: [(0.0, 0.0)])

    def start(self) -> None: ...

    def close(self) -> None: ...

    def belt_mm(self) -> float:
        return self.travel_mm

    def advance(self, duration_s: float) -> None:
        self.clock.advance(duration_s)
        self.travel_mm += self.mm_per_s * duration_s
        self.track.append((self.clock.now_s(), self.travel_mm))

    def instant(self, travel_mm: float) -> float:
        """When the belt had come so far."""
        for (t0, mm0), (t1, mm1) in zip(self.track, self.track[1:], strict=False):
            if mm0 <= travel_mm <= mm1 and mm1 > mm0:
                return t0 + (t1 - t0) * (travel_mm - mm0) / (mm1 - mm0)
        raise ValueError(f"the belt never came to {travel_mm} mm")


class Bench:
    """Planner, dispatcher and belt together, in virtual time."""

    def __init__(self, topology: Topology, step_s: float = 0.004, broken: dict[str, Gate] | None = None) -> None:
        self.topology, self.step_s = topology, step_s
        self.clock = VirtualClock()
        self.belt = Belt(self.clock)
        self.coordinate = BeltCoordinate(self.belt, SPEED_MM_PER_S)
        self.gates = {name: TimedGate(own, self.clock) for name, own in topology.gates.items()}
        self.planner = Planner(topology, PlannerSettings(SPEED_MM_PER_S))
        self.failures: list[str] = []
        self.dispatcher = Dispatcher(
            [((broken or {}).get(name, gate), topology.gates[name]) for name, gate in self.gates.items()],
            self.coordinate,
            DispatcherSettings(),
            self.failures.append,
        )
        self.plans: dict[int, Plan] = {}
        self.reports: list[GateReport] = []

    def run(self, duration_s: float) -> None:
        end_s = self.clock.now_s() + duration_s
        while self.clock.now_s() < end_s - 1e-9:
            self.belt.advance(min(self.step_s, end_s - self.clock.now_s()))
            self.reports += self.dispatcher.step(self.clock.now_s())

    def plan(self, decision: BinDecision, lead_mm: float, trail_mm: float) -> Plan:
        return self.take(self.planner.plan(decision, lead_mm, trail_mm, *self.now()))

    def protect(self, track_id: int, lead_mm: float, trail_mm: float) -> Plan:
        return self.take(self.planner.plan_default(track_id, lead_mm, trail_mm, *self.now()))

    def now(self) -> tuple[float, float]:
        return self.coordinate.sample(self.clock.now_s()), self.coordinate.mm_per_s()

    def take(self, plan: Plan) -> Plan:
        self.dispatcher.submit(plan)
        for each in (*plan.revised, plan):
            self.plans[each.track_id] = each
        return plan

    def bin_reached(self, lead_mm: float, trail_mm: float) -> str:
        """Where the gates really sent a part; "crushed by g" when g moved under it."""
        node = self.topology.layout
        while isinstance(node, Fork):
            x_mm = self.topology.gates[node.gate].x_mm
            position = self.gates[node.gate].during(
                self.belt.instant(lead_mm + x_mm), self.belt.instant(trail_mm + x_mm)
            )
            if position is None:
                return f"crushed by {node.gate}"
            node = node.ways[position]
        return node


def check_promises(planner: Planner, topology: Topology) -> None:
    """No two reservations of a gate disagree: different positions never share belt."""
    for gate in topology.gates:
        promised = sorted(
            (r for part in planner.bookings.parts.values() for g, r in part.reservations.items() if g == gate),
            key=lambda r: r.from_mm,
        )
        for index, one in enumerate(promised):
            for other in promised[index + 1 :]:
                assert one.position == other.position or other.from_mm > one.to_mm, (gate, one, other)


@dataclass(frozen=True)
class Scheduling:
    """What the tests of this folder share."""

    line: Callable[..., Topology] = line
    tree: Callable[[], Topology] = tree
    bench: type[Bench] = Bench
    check_promises: Callable[[Planner, Topology], None] = check_promises
    decide: Callable[..., BinDecision] = decide
    speed_mm_per_s: float = SPEED_MM_PER_S

    def planner(self, topology: Topology) -> Planner:
        return Planner(topology, PlannerSettings(SPEED_MM_PER_S))

    def tracks(self, plans: Iterable[Plan]) -> dict[int, Plan]:
        return {plan.track_id: plan for plan in plans}


@pytest.fixture(scope="session")
def scheduling() -> Scheduling:
    return Scheduling()
