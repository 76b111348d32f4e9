"""A recording of the simulated belt that can be played in a loop, and the machine.yaml that plays it fast."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import yaml

from edge.catalogue.colours import load_colours
from edge.config import example
from edge.config.load import load_bins, load_machine
from edge.errors import HardwareError
from edge.sim.build import build, sim_settings
from edge.sim.parts import SimPart

MACHINE = "west-18"
JPEG_QUALITY = 92
CLEAR_MM = 10.0
"""A part has left the view when it is so far behind it."""


@dataclass(frozen=True, slots=True)
class Loop:
    """A folder of JPEG frames that begins and ends with an empty belt; `step_mm` is the belt's way between two."""

    folder: Path
    frames: int
    parts: int
    step_mm: float


def record_loop(folder: Path, *, parts: int, parts_in_view: float, step_mm: float, seed: int) -> Loop:
    """Lets parts ride past the camera of the simulated machine until the belt is empty again, and keeps every frame.

    The lamp does not drift, so that the light does not jump where the loop is joined; no part touches another, so
    that the parts that pass are the parts to be found.

    Args:
        folder: where the frames go; made when it is not there.
        parts: how many parts pass.
        parts_in_view: how many are in view at once, on average.
        step_mm: the belt's way from frame to frame.
        seed: of the belt and its parts.
    """
    files = example(MACHINE)
    config, bins = load_machine(files / "machine.yaml"), load_bins(files / "bins.yaml")
    camera, speed = config.camera, config.belt.belt_mm_per_s
    camera = camera.model_copy(update={"frames_per_s": speed / step_mm})
    config = config.model_copy(update={"camera": camera})
    parts_per_min = 60 * speed * parts_in_view / camera.seen_mm
    settings = sim_settings(config, bins, parts=parts, parts_per_min=parts_per_min, touching_share=0.0)
    settings = replace(settings, camera=replace(settings.camera, drift=0.0))
    sim = build(settings, load_colours(), seed=seed)
    sim.camera.start()
    sim.world.encoder.start()
    sim.world.belt_motor.start()
    sim.world.feeder.set_rate(parts_per_min)
    folder.mkdir(parents=True, exist_ok=True)
    frames = 0
    while len(sim.world.truth) < parts or not _gone(sim.world.truth, sim.world.belt.travel_mm - camera.seen_mm):
        frame = sim.camera.next_frame(timeout_s=10.0)
        if frame is None:
            raise HardwareError("the simulated machine ended before every part had passed its camera")
        _write(folder / f"{frames:06d}.jpg", frame.image_bgr)
        frames += 1
    return Loop(folder, frames, parts, step_mm)


def _gone(parts: list[SimPart], view_end_belt_mm: float) -> bool:
    return all(part.trail_belt_mm < view_end_belt_mm - CLEAR_MM for part in parts)


def _write(file: Path, image_bgr: cv2.typing.MatLike) -> None:
    encoded, data = cv2.imencode(".jpg", image_bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not encoded:
        raise OSError(f"{file}: the frame could not be encoded")
    file.write_bytes(data.tobytes())


def repeat(loop: Loop, folder: Path, times: int) -> None:
    """Fills a folder with hard links, so that it reads as the loop played `times` times."""
    folder.mkdir(parents=True)
    pictures = sorted(loop.folder.iterdir())
    for turn in range(times):
        for picture in pictures:
            os.link(picture, folder / f"{turn:05d}-{picture.name}")


def write_machine(file: Path, loop: Loop, frames: Path, frames_per_s: float, bundle: str) -> None:
    """Writes a machine.yaml that plays the frames at another rate than they were taken at.

    The belt is quicker by as much as the frames are, and so are the gates: in belt millimetres, which is what the
    planner reckons in, it is the machine of the example.
    """
    machine = yaml.safe_load((example(MACHINE) / "machine.yaml").read_text(encoding="utf-8"))
    nominal_mm_per_s, played_mm_per_s = machine["belt"]["belt_mm_per_s"], loop.step_mm * frames_per_s
    machine["camera"] |= {"driver": "frames", "path": str(frames), "frames_per_s": frames_per_s}
    machine["belt"] = {"belt_mm_per_s": played_mm_per_s, "encoder": {"driver": "constant"}}
    machine["feeder"] = {"driver": "none"}
    machine["model"] = {"bundle": bundle}
    for gate in machine["gates"]:
        for name, default_s in (("latency_s", 0.02), ("travel_s", 0.15), ("settle_s", 0.02)):
            gate[name] = gate.get(name, default_s) * nominal_mm_per_s / played_mm_per_s
    file.write_text(yaml.safe_dump(machine, sort_keys=False), encoding="utf-8")
