"""What a prior brings and costs in worlds that follow it and in worlds that do not, on renders that training never saw.

    python tests/evaluation/prior_worlds.py --work data/universal [--bundle universal] [--prior common] [--looks 3]

--work is a folder in which `brickgate-model render --recipe universal` has made the test renders. The looks of each
part are fused as the machine fuses them. A world is drawn from the parts at hand: as the prior `common` says; or the
families of the starter's list, evenly, have the share that it says, and all others the rest.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.bundle.dequantize import log_softmax
from edge.bundle.manifest import Bundle, load_bundle
from edge.bundle.preprocess import turned
from edge.catalogue.parts import PartCatalogue, load_starter_parts
from edge.catalogue.prior import COMMON, read_prior, shares
from quantization.data.layers import open_layers
from quantization.evaluate.fits import expected_calibration_error
from quantization.evaluate.fusions import Method, collect
from quantization.evaluate.looks import make_test_looks
from quantization.quantize.convert import TfliteModel

SHARES = (1.0, 0.5, 0.03, 0.0)
"""Of the starter's families: all, half, as in the catalogue, none."""
PARTS = 6000
SEED = 31

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Seen:
    """`fused` (P, K) log-scores of parts without any prior, and `families` (P,) what they are."""

    fused: Floats
    families: NDArray[np.int64]


def seen_parts(bundle: Bundle, work: Path, looks: int) -> Seen:
    """Two simulated parts of each family, seen so often each."""
    renders = open_layers(work / "renders-test")
    made = make_test_looks(renders, bundle.input.height_px, 2 * len(bundle.parts), looks, SEED)
    model = TfliteModel(bundle.model)
    fused = []
    for start in range(0, len(made.families), looks):
        pictures = np.stack([turned(made.picture(start + place), place) for place in range(looks)])
        scores = log_softmax(model.logits(pictures), bundle.temperature)
        evidence = collect(scores[np.newaxis], Method.TEMPERED_PRODUCT, bundle.fusion_exponent)[0]
        fused.append(evidence.log_scores().astype(np.float32))
    return Seen(np.stack(fused), made.families[::looks])


def world(seen: Seen, common: NDArray[np.bool_], share: float) -> NDArray[np.int64]:
    """Places of parts as they would come."""
    rng = np.random.default_rng(SEED)
    often, rare = np.flatnonzero(common[seen.families]), np.flatnonzero(~common[seen.families])
    of_common = round(PARTS * share)
    return np.concatenate([rng.choice(often, of_common), rng.choice(rare, PARTS - of_common)])


def counted_world(seen: Seen, likely: Floats) -> NDArray[np.int64]:
    """Places of parts as they would come where the prior `likely` (K,) holds."""
    often = likely[seen.families].astype(np.float64)
    return np.random.default_rng(SEED).choice(len(often), PARTS, p=often / often.sum())


def main() -> None:
    """Prints a line for each world."""
    parser = argparse.ArgumentParser(description="A prior in worlds that follow it and in others.")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--bundle", default="universal")
    parser.add_argument("--prior", default="common")
    parser.add_argument("--looks", type=int, default=3)
    args = parser.parse_args()
    bundle = load_bundle(args.bundle)
    catalogue = PartCatalogue(bundle.parts)
    listed = {part.number for part in load_starter_parts()}
    common = np.array([part.number in listed for part in bundle.parts])
    for looks in sorted({1, args.looks}):
        seen = seen_parts(bundle, args.work, looks)
        worlds = {f"common share {share:.0%}": world(seen, common, share) for share in SHARES}
        worlds["as common says"] = counted_world(seen, shares(read_prior(COMMON), catalogue))
        for told, chosen in worlds.items():
            truth = seen.families[chosen]
            figures = []
            for name in ("uniform", args.prior):
                log_prior = np.log(shares(read_prior(name), catalogue))
                scores = log_softmax(seen.fused[chosen] + log_prior)
                right = float((scores.argmax(1) == truth).mean())
                figures.append(f"{name}: right {right:.1%}, ECE {expected_calibration_error(scores, truth):.1%}")
            print(f"looks {looks}, {told}: {'; '.join(figures)}", flush=True)


if __name__ == "__main__":
    main()
