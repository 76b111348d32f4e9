"""`brickgate bench --schedule`: how near the planner comes to the best plan known in hindsight, and what it costs.

Parts come at random onto the belt of a machine like the west-18 example: 9 gates with 18 bins, of which two pairs share
a kind of part each. As on the machine, the planner learns of a part when it has come into view, of its bin some way on,
and of what follows it nothing. The optimum (`edge.scheduling.hindsight`) knows all of it from the start, and is exact.
"""

from __future__ import annotations

import heapq
import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import TextIO

from rich.console import Console
from rich.table import Table

from edge.records import BinDecision, DecisionReason, Plan
from edge.scheduling.bookings import PlannerSettings
from edge.scheduling.hindsight import Hindsight, Rider
from edge.scheduling.planner import Planner
from edge.scheduling.topology import Fork, GateSettings, Topology

BELT_MM_PER_S = 150.0
TRAVEL_S, LATENCY_S = 0.15, 0.02
FIRST_GATE_MM, PITCH_MM = 400.0, 120.0
SEEN_MM = 256.0
"""A part is decided at the latest when its leading edge has come so far."""
CONFIRMED_MM = 12.0
"""Travel from a part's last edge coming into view until the tracker has confirmed it."""
DECIDED_MM = (25.0, 90.0)
"""And until its bin is certain."""
LENGTH_MM = (8.0, 45.0)
APART_MM = 1.0
"""Parts that would fall onto each other come to lie so far apart."""
NO_BIN_SHARE = 0.05
"""Of the parts that no bin asks for."""
RATES_PPM = (60, 120, 180)
GATES = (9, 255)
DEFAULT_BIN = "rest"
SETTINGS = PlannerSettings(BELT_MM_PER_S, known_by_mm=LENGTH_MM[1] + CONFIRMED_MM)


@dataclass(frozen=True, slots=True)
class ServedShare:
    """Of `parts` that a bin asks for, the planner served `served`; the best of all plans serves `optimum` when it keeps
    to the same worst-case gaps as the planner, and `optimum_exact` when it may trust the belt's speed to be just so."""

    parts_per_min: float
    parts: int
    served: int
    optimum: int
    optimum_exact: int
    moved_bins: int
    """Parts that the planner sent to another of their bins than the emptiest."""

    @property
    def share(self) -> float:
        return self.served / self.optimum if self.optimum else 1.0

    @property
    def share_exact(self) -> float:
        return self.served / self.optimum_exact if self.optimum_exact else 1.0


@dataclass(frozen=True, slots=True)
class DecisionTime:
    """Milliseconds of the planner's thread for one decision."""

    gates: int
    decisions: int
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class ScheduleReport:
    """What `brickgate bench --schedule` measures."""

    shares: tuple[ServedShare, ...]
    times: tuple[DecisionTime, ...]


@dataclass(frozen=True, slots=True)
class _Event:
    at_mm: float
    track_id: int
    decided: bool


def west_like(gates: int) -> Topology:
    """A line of gates that each send a part left, right or let it pass."""
    settings = [
        GateSettings(f"g{i}", FIRST_GATE_MM + PITCH_MM * i, ("left", "pass", "right"), "pass", LATENCY_S, TRAVEL_S)
        for i in range(gates)
    ]
    node: Fork | str = DEFAULT_BIN
    for i in reversed(range(gates)):
        node = Fork(f"g{i}", {"left": f"l{i}", "right": f"r{i}", "pass": node})
    return Topology(node, settings, DEFAULT_BIN)


def run_bench(
    parts: int, seed: int, stopwatch: Callable[[], float] = time.thread_time, timed_parts: int = 500
) -> ScheduleReport:
    """Measures the share served at each rate, and the time of a decision with few and with many gates.

    Args:
        parts: parts at each rate.
        seed: of the arrivals.
        stopwatch: seconds; the thread's own processor time by default.
        timed_parts: parts that are planned for the times.
    """
    shares = tuple(measure_share(west_like(GATES[0]), rate, parts, seed) for rate in RATES_PPM)
    times = tuple(measure_time(west_like(gates), timed_parts, seed, stopwatch) for gates in GATES)
    return ScheduleReport(shares, times)


def measure_share(topology: Topology, parts_per_min: float, parts: int, seed: int) -> ServedShare:
    """The share that the planner serves of arrivals at one rate."""
    rng = random.Random(seed)
    riders = list(arrivals(topology, parts_per_min, parts, rng))
    ride = _Ride(topology, riders)
    for event in ride.events(rng):
        ride.plan(event)
    reckoned_mm_per_s = BELT_MM_PER_S * (1 + SETTINGS.headroom)
    return ServedShare(
        parts_per_min=parts_per_min,
        parts=sum(bool(rider.wanted) for rider in riders),
        served=sum(ride.bins[i] in rider.wanted for i, rider in enumerate(riders)),
        optimum=Hindsight(topology, reckoned_mm_per_s).most_served(riders),
        optimum_exact=Hindsight(topology, BELT_MM_PER_S).most_served(riders),
        moved_bins=sum(
            ride.bins[i] in rider.wanted and ride.bins[i] != ride.first[i] for i, rider in enumerate(riders)
        ),
    )


def measure_time(topology: Topology, parts: int, seed: int, stopwatch: Callable[[], float]) -> DecisionTime:
    """The time of one decision, at the highest rate; the first parts, who find the belt empty, do not count."""
    rng = random.Random(seed)
    ride = _Ride(topology, list(arrivals(topology, RATES_PPM[-1], parts, rng)))
    times_s = []
    for event in ride.events(rng):
        start_s = stopwatch()
        ride.plan(event)
        if event.track_id >= parts // 5:
            times_s.append(stopwatch() - start_s)
    times_s.sort()
    p50_s, p99_s = (times_s[int(share * (len(times_s) - 1))] for share in (0.50, 0.99))
    return DecisionTime(len(topology.gates), len(times_s), 1000 * p50_s, 1000 * p99_s)


def arrivals(topology: Topology, parts_per_min: float, parts: int, rng: random.Random) -> Iterator[Rider]:
    """Parts whose leading edges come as a Poisson process, by their place; the last bins are two for a kind."""
    bins = [name for name in topology.bins if name != DEFAULT_BIN]
    kinds = [*((name,) for name in bins[:-4]), tuple(bins[-4:-2]), tuple(bins[-2:])]
    arrival_mm = trail_mm = 0.0
    for _ in range(parts):
        arrival_mm += rng.expovariate(parts_per_min / 60 / BELT_MM_PER_S)
        lead_mm = max(arrival_mm, trail_mm + APART_MM)
        trail_mm = lead_mm + rng.uniform(*LENGTH_MM)
        yield Rider(lead_mm, trail_mm, () if rng.random() < NO_BIN_SHARE else rng.choice(kinds))


class _Ride:
    """The planner is told of the riders as the belt brings them."""

    def __init__(self, topology: Topology, riders: list[Rider]) -> None:
        self._planner = Planner(topology, SETTINGS)
        self._riders = riders
        self._filled = dict.fromkeys(topology.bins, 0)
        self.bins: dict[int, str] = {}
        """Where each part goes, by the newest plan."""
        self.first: dict[int, str] = {}
        """The bin that was asked for first."""

    def events(self, rng: random.Random) -> Iterator[_Event]:
        """Each part coming into view and being decided, in the order of time."""
        later: list[tuple[float, int]] = []
        for track_id, rider in enumerate(self._riders):
            seen_mm = rider.trail_mm + CONFIRMED_MM
            while later and later[0][0] <= seen_mm:
                at_mm, decided_id = heapq.heappop(later)
                yield _Event(at_mm, decided_id, True)
            yield _Event(seen_mm, track_id, False)
            decided_mm = min(rider.trail_mm + rng.uniform(*DECIDED_MM), rider.lead_mm + SEEN_MM)
            heapq.heappush(later, (decided_mm, track_id))
        while later:
            at_mm, decided_id = heapq.heappop(later)
            yield _Event(at_mm, decided_id, True)

    def plan(self, event: _Event) -> None:
        rider = self._riders[event.track_id]
        now = (rider.lead_mm, rider.trail_mm, event.at_mm, BELT_MM_PER_S)
        if not event.decided:
            self._note(self._planner.plan_default(event.track_id, *now))
            return
        bins = sorted(rider.wanted, key=self._filled.__getitem__) or [DEFAULT_BIN]
        self.first[event.track_id] = bins[0]
        decision = BinDecision(event.track_id, bins[0], DecisionReason.CERTAIN, 1.0, candidates=tuple(bins[1:]))
        self._note(self._planner.plan(decision, *now))

    def _note(self, plan: Plan) -> None:
        for each in (*plan.revised, plan):
            before = self.bins.get(each.track_id)
            if before is not None:
                self._filled[before] -= 1
            self._filled[each.bin] += 1
            self.bins[each.track_id] = each.bin


def print_report(report: ScheduleReport, out: TextIO, *, as_json: bool) -> None:
    """The report as one JSON object, or as tables for people."""
    if as_json:
        shares = [{**asdict(one), "share": one.share, "share_exact": one.share_exact} for one in report.shares]
        print(json.dumps({"shares": shares, "times": [asdict(one) for one in report.times]}), file=out)
        return
    console = Console(file=out)
    title = f"{GATES[0]} gates, {2 * GATES[0]} bins, {TRAVEL_S} s travel, belt {BELT_MM_PER_S:g} mm/s, random arrivals"
    table = Table("parts/min", "parts", "served", "best plan", "share", "at exact speed", "share", title=title)
    for one in report.shares:
        cells = (one.parts, one.served, one.optimum, f"{one.share:.3f}", one.optimum_exact, f"{one.share_exact:.3f}")
        table.add_row(f"{one.parts_per_min:g}", *map(str, cells))
    console.print(table)
    for one in report.times:
        console.print(f"one decision, {one.gates:>3} gates   p50 {one.p50_ms:.2f} ms   p99 {one.p99_ms:.2f} ms")
