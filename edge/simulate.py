"""`brickgate simulate`: the real pipeline on the simulated machine, in virtual time, scored against the truth."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from edge.captures import capturing
from edge.clock import MonotonicClock
from edge.journal.journal import Journal
from edge.machine import Devices, Machine, Plans, assemble, open_accelerator, tracking_settings
from edge.overlay import VideoWriter, draw
from edge.part_state import Outcome, PartState
from edge.parts_record import open_journal
from edge.records import CommandStatus, GateReport
from edge.signals import StopRequest
from edge.sim.build import SimMachine, build_world
from edge.sim.parts import SimPart
from edge.sim.score import Decided, Fate, Score, score
from edge.sim.sensors import sim_sensors
from edge.sim.world import SimWorld

EPOCH_S = 1_767_225_600.0
"""2026-01-01: virtual time starts there in the journal, so that the same seed writes the same journal."""


@dataclass(frozen=True, slots=True)
class SimulateOptions:
    """How long and how a simulation runs."""

    parts: int
    parts_per_min: float
    seed: int
    realtime: bool = False
    journal: Path | None = None
    video: Path | None = None
    capture: Path | None = None


@dataclass(frozen=True, slots=True)
class SimulateResult:
    """What a simulation came to."""

    score: Score
    looks: int
    frames: int
    latencies_s: list[float]
    late_commands: int
    virtual_s: float
    wall_s: float
    stopped: str | None
    confirmed: dict[str, int]
    """What the sensors found of the parts, by its name; empty without sensors."""
    sensors: str | None
    """The same in words, and what broke."""
    unrecorded: int = 0
    """Parts that the journal could not save."""

    def to_json(self) -> dict[str, Any]:
        """The figures of the run, in plain values."""
        s = self.score
        latency = np.percentile(self.latencies_s, [50, 99]) if self.latencies_s else (0.0, 0.0)
        return {
            "parts_fed": s.parts_fed,
            **{str(fate): s.fates[fate] for fate in Fate},
            "purity": round(s.purity, 5),
            "recovery": round(s.recovery, 5),
            "ppm": round(60 * s.parts_fed / self.virtual_s, 2) if self.virtual_s else 0.0,
            "part_top1": round(s.part_top1, 5),
            "bin_accuracy": round(s.bin_accuracy, 5),
            "looks_per_part": round(self.looks / s.parts_fed, 3) if s.parts_fed else 0.0,
            "frames": self.frames,
            "decision_latency_s": {"p50": round(float(latency[0]), 5), "p99": round(float(latency[1]), 5)},
            "late_commands": self.late_commands,
            "confirmed": self.confirmed,
            "virtual_s": round(self.virtual_s, 3),
            "wall_s": round(self.wall_s, 3),
            "stopped": self.stopped,
            "bins": {
                name: {"right": tally.right, "wrong": tally.wrong, "belong": tally.wanted}
                for name, tally in s.bins.items()
            },
        }


def run_simulation(
    plans: Plans,
    options: SimulateOptions,
    warn: Callable[[str], None],
    progress: Callable[[int], None],
    stop: StopRequest | None = None,
) -> SimulateResult:
    """Feeds the parts, lets the machine sort them, and compares where each ended with where it belongs.

    Args:
        warn: told in one line of what the user should know.
        progress: told the number of parts that have been fed.
        stop: looked at between two frames; what was decided until then is recorded.

    Raises:
        BrickgateError: the journal, the video or the model cannot be used.
    """
    sim = build_world(
        plans.config, plans.bins, plans.colours,
        seed=options.seed, parts=options.parts, parts_per_min=options.parts_per_min,
    )  # fmt: skip
    with ExitStack() as stack:
        accelerator = stack.enter_context(open_accelerator(plans, warn))
        world = sim.world
        sensors = sim.faults.sensors = sim_sensors(plans.config.sensors, world, options.seed)
        devices = Devices(accelerator, world.gates, world.feeder, world.belt_motor, world.encoder, world.clock, sensors)
        journal = None
        if options.journal:
            journal = open_journal(plans.config.journal, options.journal, warn, threaded=False)
            stack.callback(journal.close)
        decided: dict[int, PartState] = {}
        machine = assemble(
            plans, devices, journal, lambda: EPOCH_S + world.clock.now_s(), warn,
            lambda part: decided.update({part.track.track_id: part}),
        )  # fmt: skip
        observe = stack.enter_context(capturing(options.capture, plans, warn, threaded=False))
        result = _drive(sim, machine, options, journal, decided, progress, observe, stop or StopRequest())
    return replace(result, unrecorded=journal.unsaved + journal.lost) if journal else result


def _drive(
    sim: SimMachine,
    machine: Machine,
    options: SimulateOptions,
    journal: Journal | None,
    decided: dict[int, PartState],
    progress: Callable[[int], None],
    observe: Callable[[Outcome], None],
    stop: StopRequest,
) -> SimulateResult:
    world, camera, plans = sim.world, sim.camera, machine.plans
    late: list[GateReport] = []
    couple(world, machine, lambda report: late.append(report) if report.status is CommandStatus.LATE else None)
    writer = VideoWriter(options.video, plans.config.camera.frames_per_s) if options.video else None
    pace = MonotonicClock()
    start_s, frames = pace.now_s(), 0
    camera.start()
    for device in (world.encoder, *machine.devices.sensors.values()):
        device.start()
    machine.safety.start_belt()
    machine.feeding.start(options.parts_per_min)
    try:
        while machine.safety.reason is None and stop.signal is None:
            frame = camera.next_frame(timeout_s=2.0)
            if frame is None:
                break
            outcome = machine.see(frame)
            frames += 1
            observe(outcome)
            progress(len(world.truth))
            if writer:
                writer.write(draw(outcome, tracking_settings(plans.config), plans.bundle.parts, plans.bins.default_bin))
            if journal:
                journal.save_when_due()
            if options.realtime:
                pace.sleep_until(start_s + world.clock.now_s())
    finally:
        machine.pipeline.close()
        machine.safety.stop(machine.safety.reason or "the run has ended")
        camera.close()
        if writer:
            writer.close()
    return _result(sim, machine, decided, frames, len(late), pace.now_s() - start_s)


def couple(world: SimWorld, machine: Machine, observe: Callable[[GateReport], None] = lambda report: None) -> None:
    """Lets the machine act at every tick of the world, and the world know where the machine takes the belt to be.

    Args:
        observe: told of each command that was carried out or dropped.
    """

    def tick(now_s: float) -> None:
        for report in machine.act(now_s):
            observe(report)

    world.on_tick(tick)
    world.read_belt_mm = lambda: machine.belt.sample(world.clock.now_s())


def _result(
    sim: SimMachine, machine: Machine, decided: dict[int, PartState], frames: int, late: int, wall_s: float
) -> SimulateResult:
    reason = machine.safety.reason
    return SimulateResult(
        score=_score(sim.world.truth, decided.values(), machine),
        looks=machine.pipeline.looks,
        frames=frames,
        latencies_s=[part.decision_latency_s for part in decided.values()],
        late_commands=late,
        virtual_s=sim.world.clock.now_s(),
        wall_s=wall_s,
        stopped=None if reason == "the run has ended" else reason,
        confirmed={str(confirmed): count for confirmed, count in sorted(machine.confirmation.counts.items())},
        sensors=machine.confirmation.in_words(),
    )


def _score(truth: list[SimPart], parts: Any, machine: Machine) -> Score:
    plans, table = machine.plans, machine.router.table
    colour_of = {colour.code: k for k, colour in enumerate(plans.colours)}

    def belongs(part: SimPart) -> tuple[str, ...]:
        index = plans.catalogue.index(part.family)
        return () if index is None else table.wanted_by(index, colour_of[part.colour.code])

    return score(truth, [_decided(part, machine) for part in parts], belongs, table.bins, plans.bins.default_bin)


def _decided(part: PartState, machine: Machine) -> Decided:
    assert part.verdict is not None
    assert part.plan is not None
    verdict, track, router = part.verdict, part.track, machine.router
    masses = router.group_masses(verdict.part_posterior, verdict.colour_posterior)
    by_bin = masses @ router.table.members
    best = int(by_bin.argmax())
    default = machine.plans.bins.default_bin
    return Decided(
        x_belt_mm=(track.lead_belt_mm + track.trail_belt_mm) / 2,
        y_mm=track.y_mm,
        part=machine.plans.bundle.parts[int(verdict.part_posterior.argmax())].number,
        refused=part.plan.refused,
        best_bin=router.table.bins[best] if by_bin[best] >= masses[0] else default,
    )


def print_result(result: SimulateResult, plans: Plans, console: Console) -> None:
    """The bins at a glance, then the sum of the run."""
    s = result.score
    table = Table(title=f"{s.parts_fed} parts in {len(s.bins) - 1} bins", title_justify="left")
    for heading, right in (("bin", False), ("parts", True), ("wrong", True), ("of those that belong there", False)):
        table.add_column(heading, justify="right" if right else "left")
    for name, tally in s.bins.items():
        if name == plans.bins.default_bin:
            continue
        share = tally.right / tally.wanted if tally.wanted else 1.0
        bar = "█" * round(24 * share) if tally.wanted else ""
        wrong = f"[bold red]{tally.wrong}[/]" if tally.wrong else "·"
        table.add_row(name, str(tally.right + tally.wrong), wrong, f"[green]{bar:<24}[/] {tally.right}/{tally.wanted}")
    table.add_section()
    doubts = s.fates[Fate.UNSURE] + s.fates[Fate.REFUSED]
    default = s.bins[plans.bins.default_bin]
    table.add_row(f"{plans.bins.default_bin} (belt's end)", str(default.right + doubts), "·", f"{doubts} not sorted")
    console.print(table)
    console.print(
        f"[bold]right {s.fates[Fate.RIGHT]}[/]  wrong {s.fates[Fate.WRONG]}  unsure {s.fates[Fate.UNSURE]}"
        f"  refused {s.fates[Fate.REFUSED]}  lost {s.fates[Fate.LOST]}"
    )
    rate = 60 * s.parts_fed / result.virtual_s if result.virtual_s else 0.0
    speed = result.virtual_s / result.wall_s if result.wall_s else 0.0
    console.print(
        f"purity {s.purity:.2%}  recovery {s.recovery:.2%}  {rate:.0f} parts/min"
        f"  {result.looks / max(s.parts_fed, 1):.1f} looks a part  {speed:.1f}× real time"
    )
    if result.late_commands:
        console.print(f"{result.late_commands} commands came late and were dropped")
    if result.sensors:
        console.print(result.sensors)
    if result.stopped:
        console.print(f"[bold red]the machine stopped itself:[/] {result.stopped}")
