"""Sorts worlds in which not every part is as likely, as `brickgate simulate` has it.

    python tests/evaluation/mixed_world.py --work FOLDER [--bundle universal] [--prior common] [--parts 600] [--seed 1]
    python tests/evaluation/mixed_world.py --counted [--bundle starter] [--prior uniform] [--parts 1000] [--seed 1]

Half of what comes is common and half is not: the simulated machine ships sprites of the starter's 102 families only,
which are among those that the prior `common` favours. This one renders as many others as are asked for (about 6 s of a
core each, once, into FOLDER), drawn at random from the universal model's, and lets common and other parts come equally
often. LDRAWDIR names LDraw's library.

--counted: the starter's families alone, each as often as the prior `common` says it is among them.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge.bundle.manifest import BundlePart, load_bundle
from edge.catalogue.parts import StarterPart, load_starter_parts
from edge.catalogue.prior import COMMON, read_prior
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
    render_once(others(count), rare, work / "meshes")
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


def render_once(parts: Sequence[StarterPart], out: Path, meshes: Path) -> None:
    """Renders sprites of parts into a folder, unless they are there."""
    if not (out / "sprites.json").is_file():
        make_sprites(parts, out, DRAW_SEED, meshes, lambda *told: print(*told, file=sys.stderr))


def half_and_half(folder: Path) -> SpriteAtlas:
    """An atlas whose common and other shapes are equally often drawn: of the fewer, each stands there several times."""
    atlas = SpriteAtlas(folder)
    common = {part.number for part in load_starter_parts()}
    often = [shape for shape in atlas.shapes if shape.family in common]
    rare = [shape for shape in atlas.shapes if shape.family not in common]
    atlas.shapes = tuple(often * len(rare) + rare * len(often))
    return atlas


def as_counted() -> SpriteAtlas:
    """An atlas of the shipped shapes, each drawn as often as the prior `common` says, to a tenth of the rarest."""
    atlas = SpriteAtlas(ASSETS)
    weights = read_prior(COMMON).weights
    moulds = Counter(shape.family for shape in atlas.shapes)
    often = [weights[shape.family] / moulds[shape.family] for shape in atlas.shapes]
    times = [max(1, round(weight / min(often) * 10)) for weight in often]
    atlas.shapes = tuple(s for shape, count in zip(atlas.shapes, times, strict=True) for s in [shape] * count)
    return atlas


def plans_with(bundle: str, **fusion: Any) -> Plans:
    """The plans of west-18 with another `fusion` than its machine.yaml has."""
    folder = example("west-18")
    plans = read_plans(str(folder / "machine.yaml"), str(folder / "bins.yaml"), bundle, measured=False)
    changed = plans.config.fusion.model_copy(update=fusion)
    return replace(plans, config=plans.config.model_copy(update={"fusion": changed}))


def run(plans: Plans, atlas: SpriteAtlas, parts: int, seed: int) -> SimulateResult:
    options = SimulateOptions(parts, 60.0, seed)
    return run_simulation(plans, options, lambda line: print(line, file=sys.stderr), lambda done: None, atlas=atlas)


def main() -> None:
    """Prints the figures of one run as JSON."""
    parser = argparse.ArgumentParser(description="Sort worlds in which not every part is as likely.")
    parser.add_argument("--work", type=Path)
    parser.add_argument("--counted", action="store_true")
    parser.add_argument("--bundle", default="universal")
    parser.add_argument("--prior", default="common")
    parser.add_argument("--others", type=int, default=51)
    parser.add_argument("--parts", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if not args.counted and args.work is None:
        parser.error("--work names the folder for the sprites of the other half")
    atlas = as_counted() if args.counted else half_and_half(mixed_sprites(args.work, args.others))
    result = run(plans_with(args.bundle, prior=read_prior(args.prior)), atlas, args.parts, args.seed)
    print(json.dumps(result.to_json()))


if __name__ == "__main__":
    main()
