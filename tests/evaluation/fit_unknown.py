"""Fits from when on a part counts as unknown, and nothing else, for a bundle that is made already.

`python tests/evaluation/fit_unknown.py --recipe universal --work data/universal`: the shipped bundle of that name, and
tracks as `brickgate-model evaluate` renders them of its own parts and of those that it was never shown. The entry
`unknown` and its figures go into the bundle's manifest.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from edge.bundle.manifest import MANIFEST, load_bundle, write_manifest
from edge.bundle.size import SizeEvidence, load_size_evidence
from edge.bundle.unknown import SCORES
from quantization.commands.options import open_shop
from quantization.evaluate.machine_sizes import machine_errors
from quantization.evaluate.unknown_tracks import Ridden, figures, fit
from quantization.factory.bundle_step import familiarity_entry
from quantization.factory.evaluate_step import known_tracks, score_looks, strange_tracks
from quantization.quantize.convert import TfliteModel
from quantization.recipe import load_unknown_families
from quantization.sizes import size_table


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="universal")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--score", choices=SCORES, help="another than the bundle's")
    parser.add_argument("--dry", action="store_true", help="leave the bundle as it is")
    options = parser.parse_args()
    shop = open_shop(options.recipe, options.work, 1)
    bundle = load_bundle(shop.recipe.name)
    score = options.score or (bundle.familiarity.score if bundle.familiarity else None)
    if bundle.size_evidence is None or score is None:
        parser.error(f"the bundle {bundle.name} has no size evidence, or no score: name one with --score")
    model = TfliteModel(bundle.model)
    ridden = Ridden(
        score_looks(known_tracks(shop), model),
        score_looks(strange_tracks(shop), model),
        load_size_evidence(bundle.size_evidence, len(bundle.parts)),
        SizeEvidence(*size_table(load_unknown_families(shop.recipe), shop.meshes)),
        bundle.temperature,
        bundle.fusion_exponent,
    )
    fitted: dict[str, Any] = {"score": score} | fit(score, ridden, machine_errors())
    for name, rows in fitted["belt"].items():
        for share, row in zip(fitted["shares"], rows, strict=True):
            after = ", ".join(f"{rate:.1%} ({looks})" for looks, rate in zip(fitted["looks"], row, strict=True))
            print(f"{name} at {share:.1%}, by looks: {after}")
    if options.dry:
        return
    manifest = json.loads((bundle.folder / MANIFEST).read_text(encoding="utf-8"))
    files = sorted(manifest.pop("files"))
    manifest["unknown"] = familiarity_entry(fitted)
    manifest["accuracy"] |= {name: round(value, 4) for name, value in figures(fitted).items()}
    write_manifest(bundle.folder, manifest, files)


if __name__ == "__main__":
    main()
