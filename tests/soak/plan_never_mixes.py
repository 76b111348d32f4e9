"""Rides parts through random machines and counts those that end in a wrong bin: by planning or timing, none may.

Planner, dispatcher and belt coordinate are the machine's own; belt and gates are true ones in virtual time, without
pictures. Every part is recognised rightly, though its edges are measured with noise, at first without its far end, and
its bin is known only some way on. Machines differ in gates (lines and trees of two or three ways, chutes, jets), times,
margins, belt, frame rate and spacing; the belt stops, restarts and changes its speed; gates fail, and are taken out of
service some time later.

    python tests/soak/plan_never_mixes.py --parts 100000

What a broken gate does to a part before anybody knows is counted apart (`broken gate`), and so is what happens when the
dispatcher gets no processor for longer than a movement's reserve (`starved`): these are faults of the hardware, and the
plan says where the part went. With --starved there are such times.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from edge.clock import VirtualClock
from edge.records import BinDecision, CommandStatus, DecisionReason, GateReport, Plan
from edge.scheduling.belt import BeltCoordinate
from edge.scheduling.bookings import Moment, PlannerSettings
from edge.scheduling.dispatcher import Dispatcher
from edge.scheduling.lane import DispatcherSettings
from edge.scheduling.planner import Planner
from edge.scheduling.topology import Action, Fork, GateSettings, Topology

TICK_MM = 0.2
NOISE_MM = 0.6
LONGEST_MM = 90.0
SEEN_BY_MM = 30.0
"""With the first frame after its leading edge has come so far, a part is known."""
MOST_FASTER_PER_S = 0.012
"""Share of its speed that the belt gains in a second above the nominal one; one that gains 15 % within ten seconds is
stopped by the belt's guard (docs/belt.md)."""
STEP_S = 0.02
"""The dispatcher wakes at least so often."""
LATENESS_S = 0.005
"""And at most so late."""


class TrueBelt:
    """The belt and its encoder: a speed that ramps and ripples, and when it was where."""

    def __init__(self, clock: VirtualClock, mm_per_s: float, rng: random.Random) -> None:
        self._clock, self._rng = clock, rng
        self.nominal_mm_per_s = self._wanted_mm_per_s = mm_per_s
        self._mm_per_s = mm_per_s
        self._until_s = rng.uniform(1, 8)
        self._times_s, self._travels_mm = [0.0], [0.0]

    def start(self) -> None: ...

    def close(self) -> None: ...

    @property
    def travel_mm(self) -> float:
        return self._travels_mm[-1]

    def belt_mm(self) -> float:
        return self.travel_mm // TICK_MM * TICK_MM

    def advance(self, duration_s: float) -> None:
        """Moves on; now and then the belt stops, or its speed changes: slowly where it grows beyond the nominal."""
        now_s = self._clock.now_s() + duration_s
        self._clock.advance(duration_s)
        if now_s > self._until_s:
            self._until_s = now_s + self._rng.uniform(0.2, 8)
            self._wanted_mm_per_s = self.nominal_mm_per_s * self._rng.choice([0, 0.5, 0.9, 1, 1, 1, 1.15, 1.3])
        quick = self._mm_per_s < self.nominal_mm_per_s or self._wanted_mm_per_s < self._mm_per_s
        most = (400.0 if quick else MOST_FASTER_PER_S * self.nominal_mm_per_s) * duration_s
        self._mm_per_s += min(max(self._wanted_mm_per_s - self._mm_per_s, -most), most)
        ripple = self._rng.uniform(0.985, 1.015)
        self._times_s.append(now_s)
        self._travels_mm.append(self.travel_mm + self._mm_per_s * ripple * duration_s)

    def instant_s(self, travel_mm: float) -> float:
        """When the belt had come so far."""
        index = bisect_left(self._travels_mm, travel_mm)
        (before_mm, after_mm), (before_s, after_s) = (
            series[index - 1 : index + 1] for series in (self._travels_mm, self._times_s)
        )
        return before_s + (after_s - before_s) * (travel_mm - before_mm) / (after_mm - before_mm)


class TrueGate:
    """A gate whose movements take no longer than it promises, unless it is broken: then it falls to rest, for good."""

    move_share = (0.6, 1.0)
    """Of the promised time that a movement takes, at least and at most."""

    def __init__(self, settings: GateSettings, clock: VirtualClock, rng: random.Random) -> None:
        self._settings, self._clock, self._rng = settings, clock, rng
        self._moves: list[tuple[float, float, str]] = [(-1e9, -1e9, settings.rest)]
        self.broken: list[list[float]] = []
        """Times, from and to, at which it was broken or, repaired, still stood where that had left it."""
        self._asked = settings.rest

    name = property(lambda self: self._settings.name)
    positions = property(lambda self: self._settings.positions)
    rest = property(lambda self: self._settings.rest)

    def move_to(self, position: str) -> None:
        if position not in self.positions:
            raise ValueError(position)
        now_s = self._clock.now_s()
        if not (self.broken and self.broken[-1][1] > now_s):
            if self._is_lost():
                self.broken[-1][1] = now_s
            self._move(position)
        self._asked = position

    def break_down(self, until_s: float) -> None:
        self.broken.append([self._clock.now_s(), until_s])
        self._move(self.rest)

    def close(self) -> None:
        self.move_to(self.rest)

    def during(self, from_s: float, to_s: float) -> str | None:
        """The position it stood in all the time, or None when it moved meanwhile."""
        position = None
        for start_s, end_s, target in self._moves:
            if end_s <= from_s + 1e-9:
                position = target
            elif start_s < to_s:
                return None
        return position

    def was_broken(self, from_s: float, to_s: float) -> bool:
        if self._is_lost() and self.broken[-1][0] < to_s:
            return True
        return any(start_s < to_s and from_s < end_s + self._settings.move_s for start_s, end_s in self.broken)

    def _is_lost(self) -> bool:
        """Whether a breakdown took it from where it was asked to be, and nobody has moved it since."""
        return self._asked != self._moves[-1][2]

    def _move(self, position: str) -> None:
        if position == self._moves[-1][2]:
            return
        now_s = self._clock.now_s()
        move_s = self._settings.change_s(self._moves[-1][2], position) * self._rng.uniform(*self.move_share)
        self._moves.append((now_s, now_s + move_s, position))


@dataclass
class RidingPart:
    """One part, where it truly lies and what is known of it."""

    track_id: int
    lead_mm: float
    trail_mm: float
    seen_mm: float
    decided_mm: float
    left_mm: float
    wanted: tuple[str, ...]
    complete: bool = False
    plan: Plan | None = None
    late: set[str] = field(default_factory=set)


@dataclass
class Ride:
    """One machine and the parts that it sorts."""

    topology: Topology
    mm_per_s: float
    frames_per_s: float
    seed: int
    starved: bool = False
    check_promises: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)
        self.clock = VirtualClock()
        self.belt = TrueBelt(self.clock, self.mm_per_s, self._rng)
        self._coordinate = BeltCoordinate(self.belt, self.mm_per_s)
        self.gates = {name: TrueGate(own, self.clock, self._rng) for name, own in self.topology.gates.items()}
        known_by_mm = SEEN_BY_MM + 1.4 * self.mm_per_s / self.frames_per_s
        self.planner = Planner(self.topology, PlannerSettings(self.mm_per_s, known_by_mm=known_by_mm))
        pairs = [(self.gates[name], own) for name, own in self.topology.gates.items()]
        self._dispatcher = Dispatcher(pairs, self._coordinate, DispatcherSettings(), self._fail)
        self._riding: dict[int, RidingPart] = {}
        self._reports: list[GateReport] = []
        self._tell_s: list[tuple[float, str, bool]] = []

    def sort(self, parts: list[RidingPart]) -> None:
        """Rides all parts through the machine, frame by frame, and judges where each ended."""
        parts, coming = list(parts), list(parts)
        last_mm = max(gate.x_mm for gate in self.topology.gates.values()) + LONGEST_MM + 100
        while parts:
            self._run_until(self.clock.now_s() + 1 / self.frames_per_s)
            self._faults()
            self._absorb()
            while coming and coming[0].seen_mm <= self.belt.travel_mm:
                part = coming.pop(0)
                self._riding[part.track_id] = part
            for part in self._riding.values():
                if not part.complete:
                    part.complete = part.trail_mm <= self.belt.travel_mm
                    self._take(self.planner.plan_default(part.track_id, *self._measured(part), *self._now()))
            for part in list(self._riding.values()):
                self._decide(part)
            while parts and parts[0].trail_mm + last_mm < self.belt.travel_mm:
                self._judge(parts.pop(0))

    def _run_until(self, until_s: float) -> None:
        while self.clock.now_s() < until_s:
            now_s = self.clock.now_s()
            late_s = min(self._rng.expovariate(2000), LATENESS_S)
            if self.starved and self._rng.random() < 0.0005:
                late_s = self._rng.uniform(0.02, 0.3)
            due_s = min(self._dispatcher.next_due_s(now_s), now_s + STEP_S, until_s)
            self.belt.advance(max(due_s - now_s, 0.0005) + late_s)
            self._reports += self._dispatcher.step(self.clock.now_s())

    def _decide(self, part: RidingPart) -> None:
        """Plans it when its bin is known, and again when it has left the view."""
        now_mm = self.belt.travel_mm
        decide, leave = now_mm >= part.decided_mm, now_mm >= part.left_mm
        if decide or leave:
            bins = part.wanted or (self.topology.default_bin,)
            decision = BinDecision(part.track_id, bins[0], DecisionReason.CERTAIN, 1.0, candidates=bins[1:])
            self._take(self.planner.plan(decision, *self._measured(part), *self._now()))
            part.decided_mm = float("inf")
        if leave:
            part.left_mm = float("inf")

    def _measured(self, part: RidingPart) -> tuple[float, float]:
        """Where its edges seem to be; of a part that comes in, no more is known than has come."""
        noise_mm = [min(max(self._rng.gauss(0, NOISE_MM), -2 * NOISE_MM), 2 * NOISE_MM) for _ in range(2)]
        lead_mm = part.lead_mm + noise_mm[0]
        return lead_mm, max(min(part.trail_mm + noise_mm[1], self.belt.travel_mm), lead_mm + 1)

    def _now(self) -> tuple[float, float]:
        return self._coordinate.sample(self.clock.now_s()), self._coordinate.mm_per_s()

    def _take(self, plan: Plan) -> None:
        self._dispatcher.submit(plan)
        for each in (*plan.revised, plan):
            self._riding[each.track_id].plan = each
            self.counts["refused without a reason"] += each.refused and not each.why
        if self.check_promises:
            broken = list(self.planner.bookings.too_close(Moment(self.belt.travel_mm, 0.0)))
            self.counts["promises broken"] += len(broken)

    def _absorb(self) -> None:
        for plan in self.planner.keep_up(*self._now()):
            self.counts["kept up"] += 1
            self._take(plan)
        reports, self._reports = self._reports, []
        for report in reports:
            self.counts[f"commands {report.status}"] += 1
            part = self._riding.get(report.command.track_id)
            if part is not None and report.status is CommandStatus.LATE and report.command.gate not in part.late:
                part.late.add(report.command.gate)
                plan = self.planner.divert(part.track_id, report.command.gate, report.held, *self._now())
                if plan is not None:
                    self._take(plan)

    def _faults(self) -> None:
        """Gates break down, are noticed, are repaired and come back."""
        now_s = self.clock.now_s()
        for due in [entry for entry in self._tell_s if entry[0] <= now_s]:
            self._tell_s.remove(due)
            (self.planner.in_service if due[2] else self.planner.out_of_service)(due[1])
        if self._rng.random() < 0.02 / self.frames_per_s and not self._tell_s:
            name = self._rng.choice(list(self.gates))
            repaired_s = now_s + self._rng.uniform(5, 40)
            self.gates[name].break_down(repaired_s)
            self._tell_s = [(now_s + self._rng.uniform(0, 4), name, False), (repaired_s + 1, name, True)]
            self.counts["gates broken"] += 1

    def _judge(self, part: RidingPart) -> None:
        """Where the part truly ended, against what the plan says and what would have been right."""
        node, faulty = self.topology.layout, False
        plan = part.plan
        assert plan is not None
        planned, passed = {command.gate: command.position for command in plan.commands}, list[str]()
        while isinstance(node, Fork):
            gate, x_mm = self.gates[node.gate], self.topology.gates[node.gate].x_mm
            passing_s = [self.belt.instant_s(edge_mm + x_mm) for edge_mm in (part.lead_mm, part.trail_mm)]
            position = gate.during(passing_s[0], passing_s[1])
            faulty |= gate.was_broken(passing_s[0], passing_s[1]) and planned.get(node.gate) != gate.rest
            if position is None:
                break
            passed.append(node.gate)
            node = node.ways[position]
        ended = node if isinstance(node, str) else f"under {node.gate}"
        self.counts["parts"] += 1
        self.counts["served"] += ended in part.wanted
        self.counts["refused"] += plan.refused
        del self._riding[part.track_id]
        if ended == plan.bin and ended in (*part.wanted, self.topology.default_bin):
            return
        # Past the fork of a branch without the default bin, a part has nowhere right to go when a gate there fails.
        # Nor has one that a gate was to take out, when a gate after it already moves for another part by the time the
        # failure is known: it may even come under that one, and the plan names both.
        too_late = "too late to undo" in plan.why and any(
            f"gate {name} is out of service" in plan.why for name in passed
        )
        faulty |= too_late or (ended == plan.bin and "is out of service" in plan.why)
        cause = "broken gate" if faulty else "starved" if part.late and self.starved else "planning or timing"
        self.counts[f"wrong bin: {cause}"] += 1
        if cause == "planning or timing":
            self.wrong.append(f"seed {self.seed}: track {part.track_id} wanted {part.wanted}, ended {ended}: {plan}")

    def _fail(self, line: str) -> None:
        raise AssertionError(line)


def random_ride(seed: int, *, starved: bool = False, check_promises: bool = False) -> Ride:
    """A machine that nobody has built yet."""
    rng = random.Random(seed)
    mm_per_s = rng.uniform(80, 250)
    gates: list[GateSettings] = []
    tree = rng.random() < 0.4
    first_mm, bins = 256 + rng.uniform(15, 200), iter(range(10_000))

    def grow(depth: int, x_mm: float, *, ends_default: bool) -> Fork | str:
        if depth == 0:
            return "rest" if ends_default else f"bin{next(bins)}"
        gate = _random_gate(f"g{len(gates)}", x_mm, rng)
        gates.append(gate)
        ways: dict[str, Fork | str] = {}
        for position in gate.positions:
            on = position == gate.rest
            deeper = depth - 1 if on or tree else 0
            ways[position] = grow(deeper, x_mm + rng.uniform(60, 200), ends_default=ends_default and on)
        return Fork(gate.name, ways)

    layout = grow(rng.randint(1, 3) if tree else rng.randint(1, 9), first_mm, ends_default=True)
    return Ride(Topology(layout, gates, "rest"), mm_per_s, rng.uniform(8, 40), seed, starved, check_promises)


def random_parts(ride: Ride, parts: int) -> list[RidingPart]:
    """Parts as a feeder drops them: in a stream, in bunches, or well spaced."""
    rng = random.Random(ride.seed + 1)
    bins = [name for name in ride.topology.bins if name != ride.topology.default_bin]
    few = rng.sample(bins, min(len(bins), rng.choice([1, 2, 4, 18])))
    mean_mm = rng.choice([15.0, 40.0, 80.0, 160.0])
    made, lead_mm = [], 0.0
    for track_id in range(parts):
        trail_mm = lead_mm + min(rng.uniform(5, 40) if rng.random() < 0.9 else rng.uniform(40, LONGEST_MM), LONGEST_MM)
        wanted = (
            tuple(dict.fromkeys(rng.choice(few) for _ in range(rng.choice([1, 1, 2])))) if rng.random() < 0.9 else ()
        )
        left_mm = lead_mm + 256
        decided_mm = min(trail_mm + rng.uniform(12, 150), left_mm)
        made.append(
            RidingPart(track_id, lead_mm, trail_mm, lead_mm + rng.uniform(10, SEEN_BY_MM), decided_mm, left_mm, wanted)
        )
        lead_mm = trail_mm + 1 + rng.expovariate(1 / mean_mm)
    return made


def _random_gate(name: str, x_mm: float, rng: random.Random) -> GateSettings:
    positions = rng.choice([("pass", "left"), ("left", "pass", "right"), ("pass", "a", "b")])
    kind = rng.choice(["diverter", "diverter", "jet", "chute"])
    return GateSettings(
        name=name,
        x_mm=x_mm,
        positions=positions,
        rest="pass",
        latency_s=rng.uniform(0, 0.05),
        travel_s=0.0 if kind == "jet" else rng.uniform(0.03, 0.4),
        settle_s=rng.uniform(0, 0.04),
        margin_mm=rng.uniform(4, 12),
        repeatability_s=rng.uniform(0, 0.02),
        action=Action.PULSE if kind == "jet" else Action.HOLD,
        angles_deg=tuple(40.0 * i for i in range(len(positions))) if kind == "chute" else (),
    )


def rides(parts: int, seed: int, each: int, *, starved: bool) -> Iterator[Ride]:
    """Machines that have sorted so many parts together."""
    while parts > 0:
        ride = random_ride(seed, starved=starved)
        ride.sort(random_parts(ride, min(each, parts)))
        yield ride
        parts, seed = parts - each, seed + 1


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1, help="of the first machine")
    parser.add_argument("--each", type=int, default=250, help="parts sorted by each machine")
    parser.add_argument("--starved", action="store_true", help="now and then the dispatcher gets no processor")
    options = parser.parse_args(arguments)
    counts: Counter[str] = Counter()
    for ride in rides(options.parts, options.seed, options.each, starved=options.starved):
        counts += ride.counts
        counts["machines"] += 1
        for line in ride.wrong:
            print(line, file=sys.stderr)
        print(f"\r{counts['parts']} parts", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    print(json.dumps(counts, indent=1, sort_keys=True))
    return 1 if counts["wrong bin: planning or timing"] or counts["refused without a reason"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
