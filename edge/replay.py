"""`brickgate replay`: the machine's whole path on recorded frames, with simulated gates and virtual time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from edge.clock import VirtualClock
from edge.hardware.constant_encoder import ConstantEncoder
from edge.hardware.frames import FramesCamera
from edge.hardware.idle import IdleBeltMotor, IdleFeeder, IdleGate
from edge.hardware.interfaces import Accelerator
from edge.machine import Devices, Machine, Plans, assemble
from edge.overlay import VideoWriter, draw
from edge.part_state import Outcome, PartState
from edge.parts_record import best
from edge.tracking.settings import tracking_settings


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What a recording showed: `frames`, `fps` reached, and the parts in the order in which they left the view."""

    frames: int
    fps: float
    parts: list[dict[str, Any]]

    def to_json(self) -> dict[str, Any]:
        return {"frames": self.frames, "fps": round(self.fps, 1), "parts": self.parts}


def replay(
    plans: Plans,
    accelerator: Accelerator,
    recording: Path,
    video: Path | None = None,
) -> ReplayResult:
    """Runs a recording through the machine, as fast as it goes.

    Args:
        recording: a folder of pictures or a video.
        video: where to write what the camera saw, with tracks and verdicts drawn.

    Raises:
        InputError: the recording cannot be read, or does not fit the configured regions.
    """
    config = plans.config
    clock = VirtualClock()
    camera = FramesCamera(recording, config.camera.frames_per_s, config.belt.belt_mm_per_s)
    gates = {gate.name: IdleGate(gate.name, gate.positions, gate.rest) for gate in config.gates}
    # The only witness of the belt's travel is the recording: its time × the configured speed.
    encoder = ConstantEncoder(config.belt.belt_mm_per_s, clock.now_s)
    encoder.start()
    devices = Devices(accelerator, gates, IdleFeeder(), IdleBeltMotor(), encoder, clock)
    parts: list[PartState] = []
    machine = assemble(plans, devices, None, clock.now_s, observe=parts.append)
    writer = VideoWriter(video, config.camera.frames_per_s) if video else None
    start_s, frames = time.perf_counter(), 0
    camera.start()
    try:
        while (frame := camera.next_frame(timeout_s=10.0)) is not None:
            _move_gates(machine, clock, frame.time_s)
            outcome = machine.pipeline.process(machine.straight(frame))
            if writer:
                writer.write(_drawn(outcome, plans))
            frames += 1
        machine.pipeline.close(decide_rest=True)
    finally:
        camera.close()
        if writer:
            writer.close()
    if writer:
        writer.check()
    seconds = time.perf_counter() - start_s
    unique = {part.track.track_id: part for part in parts}
    return ReplayResult(frames, frames / seconds if seconds else 0.0, [_entry(p, machine) for p in unique.values()])


def _move_gates(machine: Machine, clock: VirtualClock, until_s: float) -> None:
    """Lets the belt run on to the next frame, the gates moving when they are due."""
    while clock.now_s() < until_s:
        clock.sleep_until(min(machine.dispatcher.next_due_s(clock.now_s()), until_s))
        machine.act(clock.now_s())


def _drawn(outcome: Outcome, plans: Plans) -> Any:
    return draw(outcome, tracking_settings(plans.config), plans.bundle.parts, plans.bins.default_bin)


def _entry(part: PartState, machine: Machine) -> dict[str, Any]:
    assert part.verdict is not None
    assert part.plan is not None
    plans = machine.plans
    names = {entry.number: entry.name for entry in plans.bundle.parts}
    codes = {colour.name: colour.code for colour in plans.colours}
    top = best(part.verdict.part_posterior, list(names), 5)
    colours = best(part.verdict.colour_posterior, list(codes), 3)
    return {
        "track": part.track.track_id,
        "first_frame": part.track.first_frame,
        "last_frame": part.track.last_frame,
        "looks": part.verdict.looks,
        "top": [{"part": number, "name": names[number], "score": score} for number, score in top],
        "colour": [{"name": name, "ldraw_code": codes[name], "score": score} for name, score in colours],
        "bin": part.plan.bin,
    }


def print_parts(result: ReplayResult, console: Console) -> None:
    """A row for each part, in the order in which they left the view."""
    table = Table(title=f"{len(result.parts)} parts in {result.frames} frames", title_justify="left")
    for heading in ("track", "frames", "looks", "part", "next best", "colour", "bin"):
        table.add_column(heading)
    for part in result.parts:
        (best_part, *others), colours = part["top"], part["colour"]
        table.add_row(
            str(part["track"]),
            f"{part['first_frame']}–{part['last_frame']}",
            str(part["looks"]),
            f"[bold]{best_part['part']}[/] {best_part['name']} {best_part['score']:.0%}",
            ", ".join(f"{other['part']} {other['score']:.0%}" for other in others[:2]),
            f"{colours[0]['name']} {colours[0]['score']:.0%}" if colours else "–",
            part["bin"],
        )
    console.print(table)
    console.print(f"{result.fps:.0f} frames/s")
