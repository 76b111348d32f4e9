"""Step 5: the model with all that the machine needs to know of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from edge.bundle.manifest import sha256, write_manifest
from edge.catalogue.categories import category_of
from edge.errors import InputError
from quantization.data.opening import difference
from quantization.evaluate.scores import PARTS
from quantization.evaluate.unknown import FALSE_REJECTION
from quantization.factory.export_step import Export, exported
from quantization.factory.quantize_step import converted_model, unfinished_training
from quantization.factory.train_step import ORIGIN
from quantization.factory.workshop import Workshop
from quantization.recipe import Family
from quantization.sizes import size_table, upright_size_mm

ATTRIBUTION = """This model was trained on pictures rendered from the LDraw Parts Library (https://www.ldraw.org),
by its many authors, licensed under CC BY 4.0 (some parts CC BY 2.0): https://creativecommons.org/licenses/by/4.0/
Changes: the parts were meshed, posed, coloured and rendered.
Starting weights: {weights}
LEGO is a trademark of the LEGO Group, which does not sponsor, authorise or endorse this project.
"""


def bundle(shop: Workshop, out: Path) -> Path:
    """Writes the bundle; an older one there is replaced only when the new one is complete.

    Raises:
        InputError: the model has not been evaluated or exported yet, or another one was; or `out` holds other things.
    """
    _check_place(out)
    result = shop.read_evaluation()
    if result.get("model_sha256") != sha256(converted_model(shop)):
        raise InputError(
            f"{shop.evaluation} is of another model than the converted one: run 'brickgate-model evaluate'"
        )
    _check_parts(shop)
    served = [made for made in exported(shop) if made.accelerator]
    new = out.with_name(f".{out.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    for made in served:
        shutil.copy(shop.exports / made.file, new / made.file)
    parts = [part_entry(family, shop.meshes) for family in shop.families]
    (new / "parts.json").write_text(json.dumps(parts, indent=0, ensure_ascii=False), encoding="utf-8")
    sides_mm, weights, filled = size_table(shop.families, shop.meshes)
    np.savez_compressed(new / "size.npz", sides_mm=sides_mm, weights=weights, filled=filled.round(2).astype(np.float16))
    started = shop.folder / ORIGIN
    origin = started.read_text(encoding="utf-8") if started.is_file() else "none"
    (new / "ATTRIBUTION.txt").write_text(ATTRIBUTION.format(weights=origin), encoding="utf-8")
    files = [*(made.file for made in served), "parts.json", "size.npz", "ATTRIBUTION.txt"]
    write_manifest(new, _manifest(shop, result, origin, served), files)
    shutil.rmtree(out, ignore_errors=True)
    new.replace(out)
    shop.report(f"bundle written to {out}: {sum(f.stat().st_size for f in out.iterdir()) / 1e6:.2f} MB")
    return out


def _check_parts(shop: Workshop) -> None:
    """Refuses a model of other parts, or in another order: each answer would get another part's name."""
    file = shop.scores / PARTS
    try:
        evaluated = [part["number"] for part in json.loads(file.read_text(encoding="utf-8"))]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file} is missing or damaged: run 'brickgate-model evaluate' again") from error
    wanted = [family.number for family in shop.families]
    if evaluated != wanted:
        raise InputError(
            f"{file} is of a model of other parts than recipe {shop.recipe.name} ({difference(evaluated, wanted)}):"
            " give the recipe that it was trained by"
        )


def _check_place(out: Path) -> None:
    """Refuses a folder of other things: what lies there would go with the older bundle."""
    if out.exists() and not (out / "manifest.json").is_file() and not (out.is_dir() and not any(out.iterdir())):
        raise InputError(f"{out} is no bundle, and would be replaced by one: name another folder with --out")


def part_entry(family: Family, meshes: Path) -> dict[str, Any]:
    """What a bundle says of a part, by the names of `edge.bundle.manifest.BundlePart`."""
    length_mm, width_mm, height_mm = upright_size_mm(family.moulds[0], meshes)
    others = [m for m in (*family.moulds, *family.aliases) if m != family.number]
    return {
        "number": family.number,
        "name": family.description,
        "category": category_of(family.description),
        "moulds": tuple(dict.fromkeys(others)),
        "length_mm": length_mm,
        "width_mm": width_mm,
        "height_mm": height_mm,
    }


def familiarity_entry(fitted: dict[str, Any]) -> dict[str, Any]:
    """What a manifest says of unknown parts, from what `unknown_tracks.fit` found; `threshold` is that of one look at
    5 %, for machines that know of no other."""
    one_look = fitted["least"][fitted["shares"].index(FALSE_REJECTION)][0]
    rows = {key: [[round(value, 4) for value in row] for row in fitted[key]] for key in ("least", "least_with_size")}
    return {
        "score": fitted["score"],
        "threshold": round(one_look, 4),
        **{key: fitted[key] for key in ("looks", "shares")},
        "size_weight": round(fitted["size_weight"], 5),
        **rows,
    }


def _manifest(shop: Workshop, result: dict[str, Any], origin: str, served: list[Export]) -> dict[str, Any]:
    recipe = shop.recipe
    return {
        "name": recipe.name,
        "model": "model.tflite",
        "parts": "parts.json",
        "size_evidence": "size.npz",
        "input": {
            "height_px": recipe.input_px,
            "width_px": recipe.input_px,
            "margin": recipe.margin,
            "mm_per_px": None,
        },
        "quantization": result["quantization"],
        "temperature": round(result["temperature"], 4),
        "fusion_exponent": round(result["fusion_exponent"], 4),
        "unsure_below": round(result["unsure_below"], 4),
        "prior": recipe.prior,
        "unknown": familiarity_entry(result["unknown"]),
        "accelerators": [made.accelerator for made in served],
        "models": {made.accelerator: made.file for made in served},
        "checked": {made.file: made.note for made in served},
        "accuracy": {name: round(value, 4) for name, value in result["accuracy"].items()},
        "made_from": {
            "recipe": recipe.model_dump(),
            "starting_weights": origin,
            "renders": f"LDraw parts, seed {recipe.seed}",
            "unfinished_training": unfinished_training(shop),
        },
    }
