"""Feeds the simulated machine with parts alone that its model was never shown: how many of them reach some bin.

    python tests/evaluation/unknown_world.py --bundle universal --work FOLDER [--families 20] [--parts 400] [--seed 1]

Sprites of some of the families that the recipe keeps out, or of unknown-parts.csv, are rendered into FOLDER once
(about 6 s of a core each). LDRAWDIR names LDraw's library. Each setting of `fusion.reject_unknown` sorts the same.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

from mixed_world import DRAW_SEED, LONGEST_MM, plans_with, render_once, run

from edge.catalogue.parts import StarterPart
from edge.sim.sprites import SpriteAtlas
from quantization.recipe import load_recipe, load_unknown_families
from quantization.sizes import upright_size_mm

SETTINGS = {"false": False, "true": True, "0.05": 0.05}


def unknown_sprites(recipe: str, work: Path, count: int) -> Path:
    """The folder of sprites of families that the recipe's model was never shown; made where it is missing."""
    out, meshes = work / f"unknown-{recipe}-{count}", work / "meshes"
    families = load_unknown_families(load_recipe(recipe))
    short = [family for family in families if upright_size_mm(family.moulds[0], meshes)[0] <= LONGEST_MM]
    drawn = sorted(random.Random(DRAW_SEED).sample(short, min(count, len(short))), key=lambda it: it.number)
    parts = [StarterPart(family.number, family.description, family.moulds[:1], ()) for family in drawn]
    render_once(parts, out, meshes)
    return out


def atlas_of(folder: Path, recipe: str, meshes: Path, largest_mm: float) -> SpriteAtlas:
    """Its sprites, without those of parts that are larger than that in any direction."""
    atlas = SpriteAtlas(folder)
    sizes_mm = {it.number: upright_size_mm(it.moulds[0], meshes) for it in load_unknown_families(load_recipe(recipe))}
    atlas.shapes = tuple(shape for shape in atlas.shapes if max(sizes_mm[shape.family]) <= largest_mm)
    return atlas


def main() -> None:
    """Prints, for each setting, the share of the parts that reached a bin, and why the others did not."""
    parser = argparse.ArgumentParser(description="Sort parts that the model was never shown.")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--bundle", default="universal")
    parser.add_argument("--families", type=int, default=20, help="drawn at random")
    parser.add_argument(
        "--largest",
        type=float,
        default=LONGEST_MM,
        help="mm, in any direction",
    )
    parser.add_argument("--parts", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--reject", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    args = parser.parse_args()
    sprites = unknown_sprites(args.bundle, args.work, args.families)
    atlas = atlas_of(sprites, args.bundle, args.work / "meshes", args.largest)
    for setting in args.reject:
        result = run(plans_with(args.bundle, reject_unknown=SETTINGS[setting]), atlas, args.parts, args.seed)
        score = result.score
        told = {
            "reject_unknown": setting,
            "families": len({shape.family for shape in atlas.shapes}),
            "parts": score.parts_fed,
            "in a bin": score.in_named,
            "share": round(score.in_named / score.parts_fed, 4),
            "stopped": result.stopped,
        }
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
