"""The steps that make a model, each of which can be run alone and goes on where it stopped.

render → train → quantize → evaluate → bundle. Everything intermediate lies in a work folder, the bundle where asked.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edge.bundle.dequantize import log_softmax
from edge.bundle.manifest import write_manifest
from edge.catalogue.categories import category_of
from edge.errors import BrickgateError, InputError
from quantization.data.layers import open_layers
from quantization.data.stream import stream
from quantization.evaluate import looks as test
from quantization.evaluate.photos import read_photos, score_photos
from quantization.evaluate.tracks import make_track_looks
from quantization.quantize.convert import TfliteModel, convert
from quantization.recipe import Family, Recipe, load_families
from quantization.render.shards import render_shards
from quantization.sizes import size_table, upright_size_mm
from quantization.train.loop import Stage, Training
from quantization.train.network import MobileNetV2, to_input
from quantization.train.start import load_imagenet, unfold_batch_norms

SHIPPED_WEIGHTS = Path(__file__).parent / "weights" / "starter-float16.npz"
"""The float network behind the shipped starter bundle, averaged weights in half precision."""
SHIPPED_WIDTH = 1.0
TEST_SEED = 7919
"""Added to the recipe's seed for the renders of the test."""
TEST_PARTS_PER_FAMILY = 10
TRACKS = 3
"""Parts of each family that ride past the camera when the fusion is fitted."""
ATTRIBUTION = """This model was trained on pictures rendered from the LDraw Parts Library (https://www.ldraw.org),
by its many authors, licensed under CC BY 4.0 (some parts CC BY 2.0): https://creativecommons.org/licenses/by/4.0/
Changes: the parts were meshed, posed, coloured and rendered.
Starting weights: {weights}
LEGO is a trademark of the LEGO Group, which does not sponsor, authorise or endorse this project.
"""


@dataclass(frozen=True, slots=True)
class Workshop:
    """Where a model is made: the recipe, its classes, and the folder for everything on the way."""

    recipe: Recipe
    families: list[Family]
    folder: Path
    report: Callable[[str], None]

    @classmethod
    def open(cls, recipe: Recipe, folder: Path, report: Callable[[str], None]) -> Workshop:
        folder.mkdir(parents=True, exist_ok=True)
        return cls(recipe, load_families(recipe), folder, report)

    @property
    def renders(self) -> Path:
        return self.folder / "renders"

    @property
    def test_renders(self) -> Path:
        return self.folder / "renders-test"

    @property
    def meshes(self) -> Path:
        return self.folder / "meshes"

    @property
    def converted(self) -> Path:
        return self.folder / "converted"

    @property
    def evaluation(self) -> Path:
        return self.folder / "evaluation.json"


def render(shop: Workshop, workers: int, part_of: tuple[int, int] = (0, 1)) -> None:
    """Renders what is missing of the training set, and of the test set with its own seed."""
    recipe = shop.recipe.render
    sets = (
        (shop.test_renders, recipe.test_looks_per_family, shop.recipe.seed + TEST_SEED),
        (shop.renders, recipe.looks_per_family, shop.recipe.seed),
    )
    for folder, looks, seed in sets:
        render_shards(
            [family.number for family in shop.families],
            {family.number: family.moulds for family in shop.families},
            looks,
            recipe.size_px,
            seed,
            folder,
            workers,
            shop.meshes,
            part_of=part_of,
        )


def train(shop: Workshop, weights: Path | None, workers: int) -> None:
    """Trains, or goes on with training, through the recipe's stages.

    Args:
        weights: ImageNet weights to start from; None: the shipped starter's where the width fits, else nothing.
        workers: processes that make pictures.

    Raises:
        BrickgateError: no renders, or renders or a checkpoint of another recipe.
    """
    numbers = tuple(family.number for family in shop.families)
    if open_layers(shop.renders).families != numbers:
        raise InputError(f"{shop.renders} shows other families than the recipe: render anew, or give another --work")
    torch.manual_seed(shop.recipe.seed)
    network = MobileNetV2(len(shop.families), shop.recipe.network.width)
    stages = [Stage(**stage.model_dump()) for stage in shop.recipe.stages]
    training = Training(network, stages, shop.folder, shop.recipe.seed)
    if not training.resume():
        if weights is None and network.width == SHIPPED_WIDTH:
            weights = SHIPPED_WEIGHTS
            shop.report("no starting weights given: starting from those of the shipped starter model")
        if weights is None:
            shop.report("no starting weights given: training from nothing takes far longer (--weights)")
        else:
            load_imagenet(network, weights)
            (shop.folder / "weights.txt").write_text(weights.name, encoding="utf-8")
            first, _ = next(stream(shop.renders, stages[0].size_px, 512, shop.recipe.seed, 0))
            unfold_batch_norms(network, to_input(first))
        training.average = {name: value.detach().clone() for name, value in network.state_dict().items()}
    training.run(shop.renders, workers, shop.report)


def quantize(shop: Workshop) -> None:
    """Converts the trained network to int8 TFLite."""
    network = _trained(shop)
    pictures, _ = next(
        stream(shop.renders, shop.recipe.input_px, shop.recipe.representative_pictures, shop.recipe.seed + 1, 0)
    )
    model = convert(network, pictures.numpy(), shop.recipe.input_px, shop.converted)
    shop.report(f"{model}: {model.stat().st_size / 1e6:.2f} MB")


def evaluate(shop: Workshop, photos: list[Path]) -> dict[str, Any]:
    """Measures the int8 model, beside the float one, and fits temperature, fusion exponent and threshold.

    Raises:
        InputError: nothing has been trained or converted yet.
        BrickgateError: int8 and float disagree too often for the model to be of use.
    """
    model = shop.converted / "model.tflite"
    if not model.is_file():
        raise InputError(f"{model} is missing: run 'brickgate-model quantize' first")
    network, int8 = _trained(shop), TfliteModel(model)
    shop.evaluation.unlink(missing_ok=True)
    held_out = open_layers(shop.test_renders)
    parts = TEST_PARTS_PER_FAMILY * len(shop.families)
    fitting = test.make_test_looks(held_out, shop.recipe.input_px, parts, shop.recipe.seed + 10)
    unseen = test.make_test_looks(held_out, shop.recipe.input_px, parts, shop.recipe.seed + 20)
    riding = make_track_looks(shop.families, shop.meshes, shop.recipe.input_px, TRACKS, shop.recipe.seed + 30)
    logits = int8.logits(fitting.pictures)
    temperature = test.fit_temperature(logits, fitting.families)
    log_scores = log_softmax(logits, temperature)
    ridden = log_softmax(int8.logits(riding.pictures), temperature)
    exponent = test.fit_fusion_exponent(ridden, riding.families, riding.looks_a_part)
    fused = test.fuse(ridden, exponent, riding.looks_a_part)
    truth = riding.families[:: riding.looks_a_part]
    result: dict[str, Any] = {
        "temperature": temperature,
        "fusion_exponent": exponent,
        "unsure_below": test.fit_unsure_below(log_scores, fitting.families),
        "quantization": int8.quantization,
        "accuracy": _measure(unseen, network, int8, temperature)
        | {
            "belt_one_look_top1": test.top1(ridden, riding.families),
            "belt_five_looks_top1": test.top1(fused, truth),
            "belt_five_looks_calibration_error": test.expected_calibration_error(fused, truth),
        },
    }
    numbers = [family.number for family in shop.families]
    for folder in photos:
        result["accuracy"] |= _measure_photos(folder, numbers, int8, temperature, shop.recipe.input_px)
    for name, value in result["accuracy"].items():
        shop.report(f"{name}: {value:.4f}")
    if result["accuracy"]["int8_float_agreement"] < shop.recipe.least_agreement:
        raise BrickgateError(
            f"int8 and float agree on {result['accuracy']['int8_float_agreement']:.1%} of the pictures only:"
            " raise representative_pictures, or train longer"
        )
    shop.evaluation.write_text(json.dumps(result, indent=1), encoding="utf-8")
    return result


def _measure(looks: test.TestLooks, network: MobileNetV2, int8: TfliteModel, temperature: float) -> dict[str, float]:
    stored, real = int8.logits(looks.pictures), _float_logits(network, looks.pictures)
    log_scores = log_softmax(stored, temperature)
    fused = test.fuse(log_scores, 1.0, looks.looks_a_part)
    return {
        "synthetic_one_look_top1": test.top1(stored, looks.families),
        "synthetic_three_looks_top1": test.top1(fused, looks.families[:: looks.looks_a_part]),
        "synthetic_one_look_top1_float": test.top1(real, looks.families),
        "int8_float_agreement": float((stored.argmax(1) == real.argmax(1)).mean()),
        "expected_calibration_error": test.expected_calibration_error(log_scores, looks.families),
        "expected_calibration_error_before": test.expected_calibration_error(log_softmax(stored), looks.families),
    }


def _measure_photos(
    folder: Path, numbers: list[str], int8: TfliteModel, temperature: float, input_px: int
) -> dict[str, float]:
    result = score_photos(read_photos(folder, numbers), lambda p: log_softmax(int8.logits(p), temperature), input_px)
    name = folder.name.replace("-", "_")
    figures = {f"{name}_one_look_top1": result.top1()[0]}
    for view in sorted({photo.view for photo in result.photos}):
        figures[f"{name}_{view}_top1"] = result.top1([view])[0]
    if len({photo.group for photo in result.photos}) < len(result.photos):
        figures |= {f"{name}_fused_{how}_top1": result.fused_top1(how)[0] for how in ("product", "mean")}
    return figures


@torch.no_grad()
def _float_logits(network: MobileNetV2, pictures: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    batches = [network(to_input(torch.from_numpy(pictures[k : k + 64]))) for k in range(0, len(pictures), 64)]
    return torch.cat(batches).numpy()


def bundle(shop: Workshop, out: Path) -> Path:
    """Writes the bundle; an older one there is replaced only when the new one is complete."""
    if not shop.evaluation.is_file():
        raise InputError(f"{shop.evaluation} is missing: run 'brickgate-model evaluate' first")
    result = json.loads(shop.evaluation.read_text(encoding="utf-8"))
    new = out.with_name(f".{out.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    shutil.copy(shop.converted / "model.tflite", new / "model.tflite")
    parts = [_part_entry(family, shop.meshes) for family in shop.families]
    (new / "parts.json").write_text(json.dumps(parts, indent=0, ensure_ascii=False), encoding="utf-8")
    sides_mm, weights = size_table(shop.families, shop.meshes)
    np.savez_compressed(new / "size.npz", sides_mm=sides_mm, weights=weights)
    started = shop.folder / "weights.txt"
    origin = started.read_text(encoding="utf-8") if started.is_file() else "none"
    (new / "ATTRIBUTION.txt").write_text(ATTRIBUTION.format(weights=origin), encoding="utf-8")
    write_manifest(new, _manifest(shop, result, origin), ["model.tflite", "parts.json", "size.npz", "ATTRIBUTION.txt"])
    shutil.rmtree(out, ignore_errors=True)
    new.replace(out)
    shop.report(f"bundle written to {out}: {sum(f.stat().st_size for f in out.iterdir()) / 1e6:.2f} MB")
    return out


def _part_entry(family: Family, meshes: Path) -> dict[str, Any]:
    length_mm, width_mm, height_mm = upright_size_mm(family.moulds[0], meshes)
    others = [m for m in (*family.moulds, *family.aliases) if m != family.number]
    return {
        "number": family.number,
        "name": family.description,
        "category": category_of(family.description),
        "moulds": list(dict.fromkeys(others)),
        "length_mm": length_mm,
        "width_mm": width_mm,
        "height_mm": height_mm,
    }


def _manifest(shop: Workshop, result: dict[str, Any], origin: str) -> dict[str, Any]:
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
        "accelerators": ["cpu"],
        "accuracy": {name: round(value, 4) for name, value in result["accuracy"].items()},
        "made_from": {
            "recipe": recipe.model_dump(),
            "starting_weights": origin,
            "renders": f"LDraw parts, seed {recipe.seed}",
        },
    }


def _trained(shop: Workshop) -> MobileNetV2:
    training = Training(MobileNetV2(len(shop.families), shop.recipe.network.width), [], shop.folder, shop.recipe.seed)
    if not training.resume():
        raise InputError(f"{training.checkpoint} is missing: run 'brickgate-model train' first")
    return training.averaged()
