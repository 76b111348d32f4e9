"""A day of sorting in virtual time: the memory stays flat, the belt coordinate does not drift, nothing lands wrong.

The whole machine but its eyes: tracks and verdicts come straight from the truth (tests/benchmarks/sharp_eyes.py), no
picture is drawn, and the dispatcher is stepped when it has something to do. Feeding, planning, dispatching, the belt's
guard and the physics are the real ones. Every few minutes the belt is held and released, or runs slower for a while.

    python tests/soak/day.py --hours 24
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from sharp_eyes import PICTURE, SharpEyes

from edge.config import example
from edge.hardware.interfaces import Accelerator
from edge.machine import Devices, Machine, assemble, open_accelerator, read_plans
from edge.records import CommandStatus, Frame, SeenMotion
from edge.sim.build import build_world
from edge.sim.parts import SimPart
from edge.sim.world import SimWorld

SAMPLE_S = 600.0
MOST_PARTS = 10_000_000
LONGEST_NAP_S = 0.04
"""The belt's guard wants a reading that often."""


class Recent(list[SimPart]):
    """The parts fed, of which only the latest are kept: what is measured is the machine's memory."""

    fed = 0
    kept = 64

    def append(self, part: SimPart) -> None:
        super().append(part)
        self.fed += 1
        if super().__len__() > self.kept:
            del self[0]

    def __len__(self) -> int:
        return self.fed


class WatchfulEyes(SharpEyes):
    """Sharp eyes that also see the belt move, and forget the parts that have ended."""

    seen_motion = SeenMotion()
    standing_mm = None
    _last_mm: float | None = None

    def update(self, frame: Frame) -> Any:
        tracks = super().update(frame)
        travel_mm = self.world.belt.travel_mm
        if self._last_mm is not None and tracks:
            ids = frozenset(track.track_id for track in tracks)
            self.seen_motion = SeenMotion(travel_mm - self._last_mm, ids)
        else:
            self.seen_motion = SeenMotion()
        self._last_mm = travel_mm
        return tracks

    def set_touching(self, *_told: object) -> None: ...

    def is_touching(self, _track_id: int) -> bool:
        return False

    def forget_ended(self) -> None:
        riding = {part.part_id + 1 for part in self.world.on_way}
        for table in (self.known, self._frames):
            for track_id in [key for key in table if key not in riding]:
                del table[track_id]
        self._ended &= riding


class Day:
    """One machine, its belt and what came of its parts."""

    def __init__(self, options: argparse.Namespace, accelerator: Accelerator) -> None:
        folder = example("west-18")
        self.plans = read_plans(str(folder / "machine.yaml"), str(folder / "bins.yaml"))
        sim = build_world(
            self.plans.config, self.plans.bins, self.plans.colours,
            seed=options.seed, parts=MOST_PARTS, parts_per_min=options.ppm, touching_share=0.0,
        )  # fmt: skip
        self.world: SimWorld = sim.world
        self.world.truth = Recent()
        self.said: list[str] = []
        world = self.world
        devices = Devices(accelerator, world.gates, world.feeder, world.belt_motor, world.encoder, world.clock)
        self.machine: Machine = assemble(self.plans, devices, None, world.clock.now_s, self.said.append)
        self.eyes = WatchfulEyes(world, self.plans)
        pipeline: Any = self.machine.pipeline
        pipeline._stages = replace(pipeline._stages, tracker=self.eyes, fusion=self.eyes)
        self.watch = replace(self.machine.belt_watch, tracker=self.eyes)
        world.read_belt_mm = lambda: self.machine.belt.sample(world.clock.now_s())
        world.on_tick(self._tick)
        self.ends: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._ending: dict[int, SimPart] = {}
        self._due_s = 0.0
        self._colour_of = {colour.code: k for k, colour in enumerate(self.plans.colours)}

    def start(self, ppm: float) -> None:
        self.world.encoder.start()
        self.machine.safety.start_belt()
        self.machine.feeding.start(ppm)

    def frame(self, index: int) -> None:
        """Lets the world come to a frame, and the machine see it."""
        world, machine = self.world, self.machine
        world.advance_to(index / self.plans.config.camera.frames_per_s)
        frame = Frame(index, world.clock.now_s(), world.read_belt_mm(), PICTURE)
        machine.pipeline.process(frame)
        self.watch.after(frame)
        self._due_s = 0.0
        if index % 20 == 0:
            self._count_ends()
            self.eyes.forget_ended()

    def off_mm(self) -> float:
        """How far the coordinate is from the way that the encoder's roller has turned."""
        encoder: Any = self.world.encoder
        return self.machine.belt.sample(self.world.clock.now_s()) - self.world.belt.motor_mm * encoder._scale

    def _tick(self, now_s: float) -> None:
        if now_s < self._due_s:
            return
        self.machine.act(now_s)
        self._due_s = min(self.machine.dispatcher.next_due_s(now_s), now_s + LONGEST_NAP_S) - 0.005

    def _count_ends(self) -> None:
        riding = {part.part_id: part for part in self.world.on_way}
        for part_id in [part_id for part_id in self._ending if part_id not in riding]:
            self._judge(self._ending.pop(part_id))
        self._ending.update(riding)

    def _judge(self, part: SimPart) -> None:
        table, index = self.machine.router.table, self.plans.catalogue.index(part.family)
        wanted = () if index is None else table.wanted_by(index, self._colour_of[part.colour.code])
        if part.bin in wanted:
            self.ends["right"] += 1
        elif part.bin == self.plans.bins.default_bin:
            self.ends["default bin"] += 1
        else:
            self.ends["wrong"] += 1
            self.wrong.append(f"part {part.part_id}: {part.bin}, wanted {wanted}, {part.why}")


def main() -> int:
    options = _options()
    folder = example("west-18")
    with open_accelerator(read_plans(str(folder / "machine.yaml"), str(folder / "bins.yaml")), print) as accelerator:
        report = ride(Day(options, accelerator), options)
    print(json.dumps(report, indent=2))
    return 0 if not report["faults"] else 1


def ride(day: Day, options: argparse.Namespace) -> dict[str, Any]:
    """Lets the hours pass."""
    fps, chance = day.plans.config.camera.frames_per_s, random.Random(options.seed)
    samples: list[tuple[float, float]] = []
    started_s, next_sample_s, next_change_s, stops = time.monotonic(), 0.0, 60.0, 0
    day.start(options.ppm)
    for index in range(round(options.hours * 3600 * fps)):
        now_s = index / fps
        if now_s >= next_change_s:
            stops += _change(day, chance)
            next_change_s += chance.uniform(2, 8) if day.machine.safety.held else chance.uniform(60, 400)
        day.frame(index)
        if day.machine.safety.reason:
            break
        if now_s >= next_sample_s:
            samples.append((_rss_mb(), day.off_mm()))
            next_sample_s += min(SAMPLE_S, options.hours * 360)
    return _report(day, options, samples, stops, time.monotonic() - started_s)


def _change(day: Day, chance: random.Random) -> int:
    """Holds the belt, lets it go on, or changes its speed; 1 for a stop."""
    safety, belt = day.machine.safety, day.world.belt
    if safety.held:
        safety.release("a pause")
        return 0
    if chance.random() < 0.5:
        safety.hold("a pause")
        return 1
    belt.speed_factor = chance.choice([0.6, 0.8, 0.95, 1.0])
    return 0


def _report(
    day: Day, options: argparse.Namespace, samples: list[tuple[float, float]], stops: int, wall_s: float
) -> dict[str, Any]:
    # The first samples are of a machine that is still filling its queues.
    steady = samples[max(len(samples) // 12, 1) :]
    quarter = max(len(steady) // 4, 1)
    first, last = (statistics.median(mb for mb, _ in part) for part in (steady[:quarter], steady[-quarter:]))
    worst_mm = max(abs(off_mm) for _, off_mm in samples)
    tick_mm = day.world.belt.settings.mm_per_tick
    faults = []
    if day.machine.safety.reason:
        faults.append(f"the machine stopped: {day.machine.safety.reason}")
    if last > 1.05 * first:
        faults.append(f"the memory grew from {first:.1f} to {last:.1f} MB")
    if worst_mm > tick_mm + 0.01:
        faults.append(f"the belt coordinate was off by {worst_mm:.3f} mm, a tick is {tick_mm} mm")
    faults += day.wrong[:5]
    return {
        "hours": round(day.world.clock.now_s() / 3600, 3),
        "parts": len(day.world.truth),
        "ends": dict(day.ends),
        "belt_m": round(day.world.belt.travel_mm / 1000, 1),
        "stops": stops,
        "worst_off_mm": round(worst_mm, 4),
        "off_at_the_end_mm": round(samples[-1][1], 4),
        "rss_mb": {"first_quarter": round(first, 1), "last_quarter": round(last, 1)},
        "commands": {str(status): count for status, count in day.machine.dispatcher.counts.items()},
        "late": day.machine.dispatcher.counts[CommandStatus.LATE],
        "said": day.said[:10],
        "wall_s": round(wall_s, 1),
        "seed": options.seed,
        "faults": faults,
    }


def _rss_mb() -> float:
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return int(text.split("VmRSS:")[1].split()[0]) / 1024


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--ppm", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
