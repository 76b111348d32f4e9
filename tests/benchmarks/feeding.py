"""How many parts a minute the simulated machine sorts for good, with and without the closed loop of the feeder.

Perfect sight and recognition by default, in which thousands of parts take a minute; `--real` takes the camera, the
tracker and the shipped network. Both run the whole west-18: feeder, planner, dispatcher and physics are the real ones.

    python tests/benchmarks/feeding.py --parts 3000 --seeds 1,2,3
    python tests/benchmarks/feeding.py --real --parts 1000 --seeds 1,2 --only spaced
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sharp_eyes import PICTURE, SharpEyes

from edge.config import example
from edge.machine import Devices, Machine, Plans, assemble, open_accelerator, read_plans
from edge.part_state import PartState
from edge.records import Frame, GateReport
from edge.sim.build import SimMachine, build_world
from edge.sim.parts import SimPart
from edge.simulate import couple

CASES: dict[str, dict[str, Any]] = {
    "open": {"closed_loop": False},
    "closed": {"closed_loop": True},
    "spaced": {"closed_loop": True},
}
"""What of the loop is on: nothing, the rate, or the rate and the pause while the last part is too near."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One run; shares are of the parts fed, minutes those between the first part fed and the last."""

    case: str
    seed: int
    parts: int
    fed_per_min: float
    sorted_per_min: float
    purity: float
    recovery: float
    refused: float
    double: float
    late_commands: int
    mean_gap_mm: float
    last_parts_per_min: float


def main() -> None:
    options = _options()
    for seed in options.seeds:
        for case in options.only:
            figures = measure(case, seed, options)
            row = {name: getattr(figures, name) for name in Figures.__slots__}
            print(json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}), flush=True)


def measure(case: str, seed: int, options: argparse.Namespace) -> Figures:
    """One run of west-18."""
    plans = _plans(case, options)
    feed = {"feed_mm": -options.place, "touching_share": options.touching}
    feed |= {"arrivals": options.arrivals, "jitter": options.jitter}
    sim = build_world(
        plans.config, plans.bins, plans.colours, seed=seed, parts=options.parts, parts_per_min=options.ppm, **feed
    )
    world = sim.world
    parts: dict[int, PartState] = {}
    late = 0
    with open_accelerator(plans, print) as accelerator:
        devices = Devices(accelerator, world.gates, world.feeder, world.belt_motor, world.encoder, world.clock)

        def observe(part: PartState) -> None:
            parts[part.track.track_id] = part

        machine = assemble(plans, devices, None, world.clock.now_s, print, observe)

        def count(report: GateReport) -> None:
            nonlocal late
            late += report.lateness_s > 0

        couple(world, machine, count)
        for frame in _frames(sim, machine, options.real)():
            machine.pipeline.process(frame)
        state = machine.feeding.state
        return _figures(case, seed, world.truth, machine, parts, late, (state.mean_gap_mm or 0.0, state.parts_per_min))


def _plans(case: str, options: argparse.Namespace) -> Plans:
    folder = example("west-18")
    plans = read_plans(str(folder / "machine.yaml"), str(folder / "bins.yaml"))
    loop = {"parts_per_min": options.ppm, "target_lost": options.target, "x_mm": None, **CASES[case]}
    if case == "spaced":
        loop["x_mm"] = options.place
    config = plans.config
    camera = config.camera.model_copy(update={"frames_per_s": options.fps})
    gates = tuple(gate.model_copy(update={"margin_mm": options.margin}) for gate in config.gates)
    changed = {"camera": camera, "gates": gates, "feeder": config.feeder.model_copy(update=loop)}
    return replace(plans, config=config.model_copy(update=changed))


def _frames(sim: SimMachine, machine: Machine, real: bool) -> Callable[[], Iterator[Frame]]:
    """Starts the machine; the frames drive it."""
    world, fps = sim.world, machine.plans.config.camera.frames_per_s
    sim.camera.start()
    world.encoder.start()
    world.belt_motor.start()
    machine.feeding.start(machine.plans.config.feeder.parts_per_min)

    def pictures() -> Iterator[Frame]:
        while (frame := sim.camera.next_frame(timeout_s=2.0)) is not None:
            yield frame

    def bare() -> Iterator[Frame]:
        index = 0
        while not world.finished:
            world.advance_to(index / fps)
            yield Frame(index, world.clock.now_s(), world.read_belt_mm(), PICTURE)
            index += 1

    if real:
        return pictures
    eyes: Any = SharpEyes(world, machine.plans)
    pipeline: Any = machine.pipeline
    pipeline._stages = replace(pipeline._stages, tracker=eyes, fusion=eyes)
    return bare


def _figures(
    case: str,
    seed: int,
    truth: list[SimPart],
    machine: Machine,
    parts: dict[int, PartState],
    late: int,
    state: tuple[float, float],
) -> Figures:
    colour_of = {colour.code: k for k, colour in enumerate(machine.plans.colours)}
    default, table = machine.plans.bins.default_bin, machine.router.table
    tally: Counter[str] = Counter()
    for part in truth:
        index = machine.plans.catalogue.index(part.family)
        wanted = () if index is None else table.wanted_by(index, colour_of[part.colour.code])
        named = part.bin not in (default, None)
        tally["belong"] += bool(wanted)
        tally["named"] += named
        tally["right"] += named and part.bin in wanted
    minutes = (truth[-1].fed_s - truth[0].fed_s) / 60
    refused = sum(part.plan is not None and part.plan.refused for part in parts.values())
    return Figures(
        case=case,
        seed=seed,
        parts=len(truth),
        fed_per_min=(len(truth) - 1) / minutes,
        sorted_per_min=tally["right"] / minutes,
        purity=tally["right"] / max(tally["named"], 1),
        recovery=tally["right"] / max(tally["belong"], 1),
        refused=refused / len(truth),
        double=float(np.mean([part.touching for part in truth])),
        late_commands=late,
        mean_gap_mm=state[0],
        last_parts_per_min=state[1],
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", type=int, default=2000, help="parts fed in each run")
    parser.add_argument("--ppm", type=float, default=200.0, help="feeder.parts_per_min: the most")
    parser.add_argument("--seeds", type=lambda text: [int(seed) for seed in text.split(",")], default=[1])
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(CASES), help=", ".join(CASES))
    parser.add_argument("--target", type=float, default=0.1, help="feeder.target_lost")
    parser.add_argument("--place", type=float, default=-30.0, help="station where the leading edges land, mm")
    parser.add_argument("--fps", type=float, default=12.0, help="camera.frames_per_s")
    parser.add_argument("--margin", type=float, default=6.0, help="margin_mm of every gate")
    parser.add_argument("--touching", type=float, default=0.005, help="share of parts that fall with the next one")
    parser.add_argument("--arrivals", choices=["regular", "poisson"], default="regular")
    parser.add_argument("--jitter", type=float, default=0.25, help="of regular arrivals, as a share of the interval")
    parser.add_argument("--real", action="store_true", help="camera, tracker and network instead of perfect sight")
    return parser.parse_args()


if __name__ == "__main__":
    main()
