"""What becomes of parts that touch, and how many single parts are taken for two, by the whole machine.

    python tests/benchmarks/touching.py --takes 1000 --seed 11 --sheet pairs.png
    python tests/benchmarks/touching.py --takes 1000 --seed 11 --single

Each take is a pair that lies together, or with `--single` one part alone. A pair is *binned as one* when the machine
followed fewer than two parts there and let them into a named bin.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

import cv2
import numpy as np

from edge.config import example
from edge.machine import Devices, Machine, Plans, assemble, open_accelerator, read_plans
from edge.part_state import PartState
from edge.records import ImageBgr
from edge.sim.build import SimMachine, build_world
from edge.sim.parts import SimPart
from edge.simulate import couple

APART_MM = 60.0
"""Free belt between two takes, so that no pair meets the next."""
SLACK_MM = 4.0
CELL_PX = 160
COLUMNS = 8


class PairFate(StrEnum):
    """What became of two parts that touch. Exactly one holds."""

    NOTICED = "noticed"
    """In the default bin, because they were taken for two in one."""
    DOUBTED = "doubted"
    """There, for another doubt, or because no bin asks for what they were taken for, or the gates had no time."""
    APART = "told apart"
    """Followed as two, and neither is in a wrong bin."""
    APART_WRONG = "told apart, one of them wrong"
    AS_ONE = "binned as one"
    AS_ONE_SPARED = "binned as one, in a bin that suits both"
    UNSEEN = "never seen"


@dataclass(slots=True)
class Take:
    """What fell together, and the tracks that were followed there."""

    parts: list[SimPart]
    tracks: list[PartState] = field(default_factory=list)

    @property
    def extent_mm(self) -> tuple[float, float]:
        """As the machine reads the belt, the leading edge first."""
        shift_mm = (self.parts[0].seen_belt_mm or 0.0) - self.parts[0].x_belt_mm
        lead_mm = min(part.lead_belt_mm for part in self.parts) + shift_mm
        return lead_mm, max(part.trail_belt_mm for part in self.parts) + shift_mm


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run: what fell, and the best picture of each track."""

    takes: list[Take]
    pictures: Mapping[int, ImageBgr]
    machine: Machine


def main() -> None:
    options = _options()
    plans = _plans(options.config)
    run = feed(plans, options.takes, options.seed, single=options.single)
    fates = Counter[str]()
    shown: list[ImageBgr] = []
    for take in run.takes:
        fate = single_fate(take) if options.single else pair_fate(take, run.machine)
        fates[fate] += 1
        if fate in options.show:
            shown.extend(_cell(run.pictures[track.track.track_id], _caption(take)) for track in take.tracks)
    print(json.dumps({"seed": options.seed, "takes": len(run.takes), **dict(sorted(fates.items()))}))
    if options.sheet and shown:
        cv2.imwrite(str(options.sheet), _sheet(shown))


def feed(plans: Plans, takes: int, seed: int, *, single: bool) -> Run:
    """Feeds pairs that touch, or single parts, one after the other through the machine."""
    parts = takes if single else 2 * takes
    sim = build_world(
        plans.config, plans.bins, plans.colours, seed=seed, parts=parts, parts_per_min=60,
        touching_share=0.0 if single else 1.0, least_gap_mm=APART_MM,
    )  # fmt: skip
    decided: dict[int, PartState] = {}
    pictures: dict[int, ImageBgr] = {}
    with open_accelerator(plans, print) as accelerator:
        world = sim.world
        devices = Devices(accelerator, world.gates, world.feeder, world.belt_motor, world.encoder, world.clock)

        def observe(part: PartState) -> None:
            decided[part.track.track_id] = part

        machine = assemble(plans, devices, None, world.clock.now_s, print, observe)
        couple(world, machine)
        for state in _drive(sim, machine):
            if state.best_look is not None:
                pictures[state.track.track_id] = state.best_look.crop_bgr
        machine.pipeline.close()
    return Run(_takes(world.truth, list(decided.values())), pictures, machine)


def pair_fate(take: Take, machine: Machine) -> PairFate:
    """What became of a pair."""
    default = machine.plans.bins.default_bin
    named = [part for part in take.parts if part.bin not in (default, None)]
    wrong = [part for part in named if part.bin not in _belongs(part, machine)]
    if len(take.tracks) >= 2:
        return PairFate.APART_WRONG if wrong else PairFate.APART
    if named:
        return PairFate.AS_ONE if wrong else PairFate.AS_ONE_SPARED
    if not take.tracks:
        return PairFate.UNSEEN
    return PairFate.NOTICED if _is_touching(take.tracks[0]) else PairFate.DOUBTED


def single_fate(take: Take) -> str:
    """Whether a single part was taken for two."""
    return "taken for two" if any(_is_touching(track) for track in take.tracks) else "taken for one"


def _is_touching(track: PartState) -> bool:
    return track.verdict is not None and track.verdict.reason == "touching parts"


def _belongs(part: SimPart, machine: Machine) -> tuple[str, ...]:
    colour_of = {colour.code: k for k, colour in enumerate(machine.plans.colours)}
    index = machine.plans.catalogue.index(part.family)
    return () if index is None else machine.router.table.wanted_by(index, colour_of[part.colour.code])


def _plans(name: str) -> Plans:
    folder = example(name)
    plans = read_plans(str(folder / "machine.yaml"), str(folder / "bins.yaml"))
    feeder = plans.config.feeder.model_copy(update={"closed_loop": False})
    return replace(plans, config=plans.config.model_copy(update={"feeder": feeder}))


def _drive(sim: SimMachine, machine: Machine) -> Iterator[PartState]:
    """Runs the machine to the end of the parts; gives the parts in view after each frame."""
    sim.camera.start()
    sim.world.encoder.start()
    sim.world.belt_motor.start()
    machine.feeding.start(60.0)
    while (frame := sim.camera.next_frame(timeout_s=2.0)) is not None:
        yield from machine.pipeline.process(frame).parts


def _takes(truth: Sequence[SimPart], tracks: Sequence[PartState]) -> list[Take]:
    takes: dict[int, Take] = {}
    for part in truth:
        if part.against is None:
            takes[part.part_id] = Take([part])
        else:
            takes[part.against].parts.append(part)
    places = sorted(takes.values(), key=lambda take: take.extent_mm)
    for state in tracks:
        middle_mm = (state.track.lead_belt_mm + state.track.trail_belt_mm) / 2
        for take in places:
            lead_mm, trail_mm = take.extent_mm
            if lead_mm - SLACK_MM <= middle_mm <= trail_mm + SLACK_MM:
                take.tracks.append(state)
                break
    return places


def _caption(take: Take) -> str:
    return " ".join(f"{part.family}:{part.colour.name[:9]}" for part in take.parts)


def _cell(picture: ImageBgr, caption: str) -> ImageBgr:
    scale = (CELL_PX - 16) / max(picture.shape[:2])
    cell = np.zeros((CELL_PX, CELL_PX, 3), np.uint8)
    shown = cv2.resize(picture, None, fx=scale, fy=scale)[:, :CELL_PX]
    cell[: shown.shape[0], : shown.shape[1]] = shown
    cv2.putText(cell, caption, (2, CELL_PX - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.3, (255, 255, 255))
    return cell


def _sheet(cells: list[ImageBgr]) -> ImageBgr:
    blank = np.zeros_like(cells[0])
    rows = [cells[k : k + COLUMNS] for k in range(0, len(cells), COLUMNS)]
    return np.vstack([np.hstack(row + [blank] * (COLUMNS - len(row))) for row in rows])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--takes", type=int, default=500, help="pairs, or single parts")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--config", default="west-18", help="an example")
    parser.add_argument("--single", action="store_true", help="single parts: how many are taken for two")
    parser.add_argument("--sheet", type=Path, help="a picture of the cases in --show")
    parser.add_argument(
        "--show",
        type=lambda text: text.split(","),
        default=[PairFate.AS_ONE, PairFate.AS_ONE_SPARED, "taken for two"],
        help="fates to show in the sheet",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
