"""Sorts a world in which half of what comes is common and half is not, as nobody's shipped sprites show it.

    python tests/evaluation/mixed_world.py --work FOLDER [--bundle universal] [--prior common] [--parts 600] [--seed 1]

The simulated machine ships sprites of the starter's 102 families only, which are those that the prior `common` favours.
This one renders as many others as are asked for (about 6 s of a core each, once, into FOLDER), drawn at random from the
universal model's, and lets common and other parts come equally often. LDRAWDIR names LDraw's library.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from pathlib import Path

from edge.bundle.manifest import BundlePart, load_bundle
from edge.catalogue.parts import StarterPart, load_starter_parts
from edge.catalogue.prior import read_prior
from edge.config import example
from edge.machine import Plans, read_plans
from edge.sim.sprites import ASSETS, SpriteAtlas
from edge.simulate import SimulateOptions, SimulateResult, run_simulation
from quantization.sprites import make_sprites

DRAW_SEED = 7
LONGEST_MM = 64.0
"""Longer parts are hardly on such a machine."""


def others(count: int) -> list[StarterPart]:
    """Part types that the universal model knows and the starter's list does not hold, drawn at random."""
    common = {part.number for part in load_starter_parts()}
    known = [p for p in load_bundle("universal").parts if p.number not in common and 0 < p.length_mm <= LONGEST_MM]
    return [_to_render(part) for part in sorted(random.Random(DRAW_SEED).sample(known, count), key=lambda p: p.number)]


def _to_render(part: BundlePart) -> StarterPart:
    return StarterPart(part.number, part.name, (part.moulds[0] if part.moulds else part.number,), ())


def mixed_sprites(work: Path, count: int) -> Path:
    """The folder of sprites of both halves; made where it is missing."""
    mixed, rare = work / f"mixed-{count}", work / f"others-{count}"
    if (mixed / "sprites.json").is_file():
        return mixed
    if not (rare / "sprites.json").is_file():
        make_sprites(others(count), rare, DRAW_SEED, work / "meshes", lambda *told: print(*told, file=sys.stderr))
    mixed.mkdir(parents=True, exist_ok=True)
    shipped = (ASSETS / "sprites.bin").read_bytes()
    (mixed / "sprites.bin").write_bytes(shipped + (rare / "sprites.bin").read_bytes())
    index, added = (json.loads((folder / "sprites.json").read_text("utf-8")) for folder in (ASSETS, rare))
    for part in added["parts"]:
        for pose in part["poses"]:
            for row in (*pose["sprites"], *pose["clear"]):
                row[0] += len(shipped)
    index["parts"] += added["parts"]
    (mixed / "sprites.json").write_text(json.dumps(index), encoding="utf-8")
    return mixed


def half_and_half(folder: Path) -> SpriteAtlas:
    """An atlas whose common and other shapes are equally often drawn: of the fewer, each stands there several times."""
    atlas = SpriteAtlas(folder)
    common = {part.number for part in load_starter_parts()}
    often = [shape for shape in atlas.shapes if shape.family in common]
    rare = [shape for shape in atlas.shapes if shape.family not in common]
    atlas.shapes = tuple(often * len(rare) + rare * len(often))
    return atlas


def run(plans: Plans, atlas: SpriteAtlas, parts: int, seed: int) -> SimulateResult:
    options = SimulateOptions(parts, 60.0, seed)
    return run_simulation(plans, options, lambda line: print(line, file=sys.stderr), lambda done: None, atlas=atlas)


def main() -> None:
    """Prints the figures of one run as JSON."""
    parser = argparse.ArgumentParser(description="Sort a world in which half of what comes is not common.")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--bundle", default="universal")
    parser.add_argument("--prior", default="common")
    parser.add_argument("--others", type=int, default=51)
    parser.add_argument("--parts", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    atlas = half_and_half(mixed_sprites(args.work, args.others))
    folder = example("west-18")
    plans = read_plans(str(folder / "machine.yaml"), str(folder / "bins.yaml"), args.bundle, measured=False)
    fusion = plans.config.fusion.model_copy(update={"prior": read_prior(args.prior)})
    config = plans.config.model_copy(update={"fusion": fusion})
    result = run(Plans(config, plans.bins, plans.bundle, plans.catalogue, plans.colours), atlas, args.parts, args.seed)
    print(json.dumps(result.to_json()))


if __name__ == "__main__":
    main()
