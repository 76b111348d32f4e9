"""How many parts that the model was never taught are noticed on a belt: by their looks, by their size, and by both.

`python tests/evaluation/unknown_on_belt.py --recipe universal --work data/universal`: tracks of eight looks, rendered
as parts ride past the camera, of the families that the recipe keeps out and of those that it knows, and the shipped
bundle of that name. Thresholds are those that a share of the known tracks does not reach.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.bundle.dequantize import log_softmax
from edge.bundle.manifest import Bundle, load_bundle
from edge.bundle.size import SizeEvidence, load_size_evidence
from edge.bundle.unknown import standardised_logit
from edge.fusion.evidence import Method
from quantization.commands.options import open_shop
from quantization.evaluate.fusions import fuse
from quantization.evaluate.tracks import TILTS_DEG, make_track_looks
from quantization.quantize.convert import TfliteModel
from quantization.recipe import Family, load_unknown_families

LOOKS = len(TILTS_DEG)
FALSE_REJECTIONS = (0.05, 0.02, 0.01)

Doubles = NDArray[np.float64]


def seen(
    families: Sequence[Family], meshes: Path, tracks: int, seed: int, bundle: Bundle, size: SizeEvidence
) -> tuple[Doubles, Doubles]:
    """(tracks, looks) standardised logits, and (tracks,) how well the median size fits what all looks show.

    The fit is ln(Σ p · likelihood of the rectangle · its area): the area makes it the same for small parts and large.
    """
    looks = make_track_looks(families, meshes, bundle.input.width_px, tracks, seed)
    model = TfliteModel(bundle.model)
    scores = log_softmax(np.concatenate([model.logits(pictures) for pictures in looks.batches()]), bundle.temperature)
    rows = scores.reshape(tracks, LOOKS, -1)
    sides_mm = np.median(looks.sizes_mm.reshape(tracks, LOOKS, 2), axis=1)
    likelihoods = np.exp([size.log_likelihood(length_mm, width_mm) for length_mm, width_mm in sides_mm.tolist()])
    posteriors = fuse(rows, Method.TEMPERED_PRODUCT, bundle.fusion_exponent)
    fit = np.log((posteriors * likelihoods).sum(axis=1) * sides_mm.prod(axis=1))
    return standardised_logit(rows).astype(np.float64), fit.astype(np.float64)


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="universal")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--unknown", type=int, default=240, help="tracks of parts that are kept out")
    parser.add_argument("--known", type=int, default=480, help="tracks of parts that the model knows")
    options = parser.parse_args()
    shop, bundle = open_shop(options.recipe, options.work, 1), load_bundle(options.recipe)
    if bundle.size_evidence is None:
        parser.error(f"the bundle {bundle.name} has no size evidence")
    size, seed = load_size_evidence(bundle.size_evidence), shop.recipe.seed
    strange_families = load_unknown_families(shop.recipe)
    strange = seen(strange_families, shop.meshes, options.unknown, seed + 40, bundle, size)
    known = seen(shop.families, shop.meshes, options.known, seed + 50, bundle, size)
    told = {
        f"looks, {count}": (known[0][:, :count].mean(axis=1), strange[0][:, :count].mean(axis=1))
        for count in (1, 3, LOOKS)
    }
    told["size"] = (known[1], strange[1])
    spread = known[0].mean(axis=1).std(), known[1].std()
    both = [logits.mean(axis=1) / spread[0] + fit / spread[1] for logits, fit in (known, strange)]
    told["both"] = (both[0], both[1])
    for name, (of_known, of_strange) in told.items():
        shares = [float((of_strange < np.quantile(of_known, share)).mean()) for share in FALSE_REJECTIONS]
        print(f"{name}: " + ", ".join(f"{a:.1%} at {b:.0%}" for a, b in zip(shares, FALSE_REJECTIONS, strict=True)))


if __name__ == "__main__":
    main()
