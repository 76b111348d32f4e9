"""Step 4: how good the int8 model is, and what is fitted to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edge.bundle.dequantize import log_softmax
from edge.errors import BrickgateError, InputError
from quantization.data.layers import open_layers
from quantization.evaluate import looks as test
from quantization.evaluate.photos import read_photos, score_photos
from quantization.evaluate.tracks import make_track_looks
from quantization.factory.train_step import trained
from quantization.factory.workshop import Workshop
from quantization.quantize.convert import TfliteModel
from quantization.train.network import MobileNetV2, to_input

TEST_PARTS_PER_FAMILY = 10
TRACKS = 3
"""Parts of each family that ride past the camera when the fusion is fitted."""


def evaluate(shop: Workshop, photos: list[Path]) -> dict[str, Any]:
    """Measures the int8 model, beside the float one, and fits temperature, fusion exponent and threshold.

    Raises:
        InputError: nothing has been trained or converted yet.
        BrickgateError: int8 and float disagree too often for the model to be of use.
    """
    model = shop.converted / "model.tflite"
    if not model.is_file():
        raise InputError(f"{model} is missing: run 'brickgate-model quantize' first")
    network, int8 = trained(shop), TfliteModel(model)
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
