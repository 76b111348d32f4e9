"""What looks at a part on the belt are worth: one, alone and with the size that it shows, and several, turned or not.

`python tests/evaluation/looks_on_belt.py --recipe universal --work data/universal`: parts of the recipe, rendered as
they ride past the camera, and the shipped bundle of its name, or another with `--bundle FOLDER`. `brickgate-model
evaluate` measures the same of looks that are turned, as the machine's are.
"""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.bundle.dequantize import log_softmax
from edge.bundle.manifest import load_bundle
from edge.bundle.preprocess import turned
from edge.bundle.size import load_size_evidence
from quantization.commands.options import open_shop
from quantization.evaluate.figures import accuracy_by_category
from quantization.evaluate.fits import top
from quantization.evaluate.looks import UnseenLooks
from quantization.evaluate.sized import log_scores_with_size
from quantization.evaluate.tracks import make_track_looks
from quantization.quantize.convert import TfliteModel

COUNTS = (2, 3, 4, 8)


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="universal")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--bundle", help="folder or shipped name; else the recipe's name")
    parser.add_argument("--parts", type=int, default=500)
    options = parser.parse_args()
    shop = open_shop(options.recipe, options.work, 1)
    bundle = load_bundle(options.bundle or shop.recipe.name)
    if bundle.size_evidence is None:
        parser.error(f"the bundle {bundle.name} has no size evidence")
    looks = make_track_looks(shop.families, shop.meshes, bundle.input.width_px, options.parts, shop.recipe.seed + 30)
    model, size = TfliteModel(bundle.model), load_size_evidence(bundle.size_evidence, len(bundle.parts))

    def scored(looks: UnseenLooks) -> NDArray[np.float32]:
        logits = np.concatenate([model.logits(pictures) for pictures in looks.batches()])
        return log_softmax(logits, bundle.temperature)

    scores = scored(looks)
    categories = [part.category for part in bundle.parts]
    for name, found in (("alone", scores), ("with size", log_scores_with_size(scores, looks.sizes_mm, size))):
        category, _ = accuracy_by_category(np.exp(found), looks.families, categories)
        best = ", ".join(f"top-{count} {top(found, looks.families, count):.1%}" for count in (1, 5))
        print(f"{name}: {best}, category {category:.1%} of {len(found)} looks")
    upright = replace(looks, picture=lambda index: turned(looks.picture(index), -(index % looks.looks_a_part)))
    _tell_turning(scored(upright), scores, looks)


def _tell_turning(upright: NDArray[np.float32], in_turns: NDArray[np.float32], looks: UnseenLooks) -> None:
    """What looks that are turned tell together, beside the same ones as they stand."""
    shape = (-1, looks.looks_a_part, upright.shape[1])
    truth = looks.families[:: looks.looks_a_part]
    for count in COUNTS:
        before, after = (found.reshape(shape)[:, :count].mean(1).argmax(1) == truth for found in (upright, in_turns))
        print(
            f"{count} looks of {len(truth)} parts: {before.mean():.1%} not turned, {after.mean():.1%} turned"
            f" ({(after & ~before).sum()} parts gained, {(before & ~after).sum()} lost)"
        )


if __name__ == "__main__":
    main()
