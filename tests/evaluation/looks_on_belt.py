"""What one look at a part on the belt is worth, alone and with the size that it shows.

`python tests/evaluation/looks_on_belt.py --recipe universal --work data/universal`: parts of the recipe, rendered as
they ride past the camera, and the shipped bundle of that name. `brickgate-model evaluate` measures the same.
"""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

import numpy as np

from edge.bundle.dequantize import log_softmax
from edge.bundle.manifest import load_bundle
from edge.bundle.size import load_size_evidence
from quantization.commands.options import open_shop
from quantization.evaluate.figures import accuracy_by_category
from quantization.evaluate.fits import top
from quantization.evaluate.sized import log_scores_with_size
from quantization.evaluate.tracks import make_track_looks
from quantization.quantize.convert import TfliteModel


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="universal")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--parts", type=int, default=500)
    options = parser.parse_args()
    shop, bundle = open_shop(options.recipe, options.work, 1), load_bundle(options.recipe)
    if bundle.size_evidence is None:
        parser.error(f"the bundle {bundle.name} has no size evidence")
    looks = make_track_looks(shop.families, shop.meshes, bundle.input.width_px, options.parts, shop.recipe.seed + 30)
    model, size = TfliteModel(bundle.model), load_size_evidence(bundle.size_evidence, len(bundle.parts))
    scores = log_softmax(np.concatenate([model.logits(pictures) for pictures in looks.batches()]), bundle.temperature)
    categories = [part.category for part in bundle.parts]
    for name, found in (("alone", scores), ("with size", log_scores_with_size(scores, looks.sizes_mm, size))):
        category, _ = accuracy_by_category(np.exp(found), looks.families, categories)
        best = ", ".join(f"top-{count} {top(found, looks.families, count):.1%}" for count in (1, 5))
        print(f"{name}: {best}, category {category:.1%} of {len(found)} looks")


if __name__ == "__main__":
    main()
