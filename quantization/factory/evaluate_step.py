"""Step 4: how good the int8 model is, and what is fitted to it."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from edge.bundle.dequantize import log_softmax
from edge.bundle.manifest import BundlePart, sha256
from edge.bundle.size import SizeEvidence
from edge.catalogue.lookalikes import groups
from edge.errors import BrickgateError, InputError
from quantization.bar import Bar
from quantization.data.layers import LayerSet, open_layers
from quantization.evaluate import figures, unknown, unknown_tracks
from quantization.evaluate.fits import fit_fusion_exponent, fit_temperature, fit_unsure_below
from quantization.evaluate.looks import UnseenLooks, make_test_looks
from quantization.evaluate.machine_sizes import machine_errors
from quantization.evaluate.photos import Photo, read_photos, score_photos
from quantization.evaluate.pictures import write_pictures
from quantization.evaluate.scores import PICTURES, LookScores, ModelScores, PhotoScores, save_scores
from quantization.evaluate.tracks import make_track_looks
from quantization.factory.bundle_step import part_entry
from quantization.factory.quantize_step import converted_model, quantized_from, test_layers
from quantization.factory.render_step import TEST_SEED
from quantization.factory.workshop import Workshop
from quantization.quantize.convert import TfliteModel
from quantization.recipe import load_unknown_families
from quantization.render.plan import make_plan
from quantization.render.shards import render_shards
from quantization.sizes import size_table
from quantization.train.network import to_input

PARTS_A_FAMILY, MOST_PARTS = 10, 1500
"""Simulated parts of each family; fewer, though one at least, where there are many families."""
LOOKS_A_PART, FITTING_LOOKS, CLEAN_LOOKS = 8, 4, 2
TRACKS_A_FAMILY, MOST_TRACKS = 10, 1200
"""Parts that ride past the camera when the fusion is fitted, and what counts as an unknown part: thresholds that one
part in a hundred does not reach want hundreds of parts."""
UNKNOWN_TRACKS_A_FAMILY, MOST_UNKNOWN_TRACKS = 6, 240


@dataclass(frozen=True, slots=True)
class TestSets:
    """What the model is tried on."""

    renders: LayerSet
    fitting: UnseenLooks
    unseen: UnseenLooks
    clean: UnseenLooks
    belt: UnseenLooks
    unknown: UnseenLooks
    unknown_belt: UnseenLooks
    unknown_parts: tuple[str, ...]

    @property
    def looks(self) -> dict[str, UnseenLooks]:
        """Those that are asked for, by name."""
        own = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in own.items() if isinstance(value, UnseenLooks)}

    def counted(self, bar: Bar) -> TestSets:
        """The same; the bar moves with each picture that is made."""
        return replace(self, **{name: _counted(looks, bar) for name, looks in self.looks.items()})


def _counted(looks: UnseenLooks, bar: Bar) -> UnseenLooks:
    def picture(index: int) -> NDArray[np.uint8]:
        bar.advance()
        return looks.picture(index)

    return replace(looks, picture=picture)


def evaluate(shop: Workshop, photos: list[Path]) -> dict[str, Any]:
    """Measures the int8 model, beside the float one, and fits temperature, fusion exponent and thresholds.

    `evaluation.json` gets the figures; the scores behind them and the pictures for the report go into `evaluation/`.

    Raises:
        InputError: nothing has been trained or converted yet, or for pictures of another size.
        BrickgateError: int8 and float disagree too often for the model to be of use.
    """
    model = converted_model(shop)
    photographs = _read_photo_sets(shop, photos)
    network, int8 = quantized_from(shop), TfliteModel(model)
    photos_of = {name: score_photos(kept, int8.logits, shop.recipe.input_px) for name, kept in photographs.items()}
    sets = _make_sets(shop)
    pictures = sum(len(looks.families) for looks in sets.looks.values())
    shop.report(f"looking at {pictures} pictures of parts")
    with Bar("looking", pictures, 0, shown=True) as bar:
        scores, fitting = _scored(shop, sets.counted(bar), network, int8, photos_of, sha256(model))
    rejection = unknown.fit(fitting.logits, scores)
    strange = SizeEvidence(*size_table(load_unknown_families(shop.recipe), shop.meshes))
    rode = unknown_tracks.Ridden(
        scores.belt, scores.unknown_belt, scores.size, strange, scores.temperature, scores.fusion_exponent
    )
    rejection |= unknown_tracks.fit(rejection["score"], rode, machine_errors())
    result = {
        "temperature": scores.temperature,
        "fusion_exponent": scores.fusion_exponent,
        "unsure_below": fit_unsure_below(log_softmax(fitting.logits, scores.temperature), fitting.families),
        "unknown": rejection,
        "quantization": int8.quantization,
        "model_sha256": scores.model_sha256,
        "accuracy": _accuracy(scores, rejection),
        "looks": {
            "independent": figures.curves_by_looks(scores, scores.unseen),
            "belt": figures.curves_by_looks(scores, scores.belt),
        },
        "categories": figures.categories(scores),
    }
    shop.evaluation.unlink(missing_ok=True)  # not earlier: one that is stopped leaves what was measured before
    _check_agreement(shop, result["accuracy"])
    _keep(shop, scores, sets)
    new = shop.evaluation.with_name(f".{shop.evaluation.name}.new")
    new.write_text(json.dumps(result, indent=1), encoding="utf-8")
    new.replace(shop.evaluation)
    return result


def _scored(
    shop: Workshop,
    sets: TestSets,
    network: torch.nn.Module,
    int8: TfliteModel,
    photos: dict[str, PhotoScores],
    model_sha256: str,
) -> tuple[ModelScores, LookScores]:
    """What the model answers and the temperature and exponent that are fitted to it, and the looks of the first fit."""
    fitting = score_looks(sets.fitting, int8)
    temperature = fit_temperature(fitting.logits, fitting.families)
    belt = score_looks(sets.belt, int8)
    ridden = log_softmax(belt.logits, temperature)
    unseen, of_float = _score_both(sets.unseen, int8, network)
    return ModelScores(
        recipe=shop.recipe.name,
        model_sha256=model_sha256,
        parts=tuple(BundlePart(**part_entry(family, shop.meshes)) for family in shop.families),
        temperature=temperature,
        fusion_exponent=fit_fusion_exponent(ridden, belt.families, belt.looks_a_part),
        size=SizeEvidence(*size_table(shop.families, shop.meshes)),
        unseen=unseen,
        unseen_float=of_float,
        clean=score_looks(sets.clean, int8),
        belt=belt,
        unknown=score_looks(sets.unknown, int8),
        unknown_belt=score_looks(sets.unknown_belt, int8),
        unknown_parts=sets.unknown_parts,
        photos=photos,
    ), fitting


def _make_sets(shop: Workshop) -> TestSets:
    recipe, size_px = shop.recipe, shop.recipe.input_px
    renders = test_layers(shop)
    families = len(shop.families)
    parts = min(PARTS_A_FAMILY * families, max(MOST_PARTS, families))
    strange = load_unknown_families(recipe)
    folder = shop.folder / "renders-unknown"
    moulds = {family.number: family.moulds for family in strange}
    looks = recipe.render.test_looks_per_family
    plan = make_plan(moulds, looks, recipe.render.size_px, recipe.seed + TEST_SEED, split="test")
    render_shards(plan, folder, 1, shop.meshes, say=shop.report)
    seed, each = recipe.seed, min(LOOKS_A_PART, looks)
    shop.report("rendering parts as they ride past the camera")
    return TestSets(
        renders,
        fitting=make_test_looks(renders, size_px, parts, min(FITTING_LOOKS, looks), seed + 10),
        unseen=make_test_looks(renders, size_px, parts, each, seed + 20),
        clean=make_test_looks(renders, size_px, parts, min(CLEAN_LOOKS, looks), seed + 50, recipe.margin),
        belt=known_tracks(shop),
        unknown=make_test_looks(open_layers(folder), size_px, PARTS_A_FAMILY * len(strange), each, seed + 40),
        unknown_belt=strange_tracks(shop),
        unknown_parts=tuple(f"{family.number} {family.description}" for family in strange),
    )


def known_tracks(shop: Workshop) -> UnseenLooks:
    """The recipe's own parts as they ride past the camera."""
    tracks = min(TRACKS_A_FAMILY * len(shop.families), MOST_TRACKS)
    return make_track_looks(shop.families, shop.meshes, shop.recipe.input_px, tracks, shop.recipe.seed + 30)


def strange_tracks(shop: Workshop) -> UnseenLooks:
    """The same of parts that the model was never shown."""
    strange = load_unknown_families(shop.recipe)
    tracks = min(UNKNOWN_TRACKS_A_FAMILY * len(strange), MOST_UNKNOWN_TRACKS)
    return make_track_looks(strange, shop.meshes, shop.recipe.input_px, tracks, shop.recipe.seed + 41)


def score_looks(looks: UnseenLooks, int8: TfliteModel) -> LookScores:
    """What the int8 model answers."""
    logits = np.concatenate([int8.logits(pictures) for pictures in looks.batches()])
    return LookScores(logits, looks.families, looks.looks_a_part, looks.sizes_mm)


@torch.no_grad()
def _score_both(
    looks: UnseenLooks, int8: TfliteModel, network: torch.nn.Module
) -> tuple[LookScores, NDArray[np.int64]]:
    """What int8 scores, and the float network's answers to the same pictures."""
    logits, answers = [], []
    for pictures in looks.batches():
        logits.append(int8.logits(pictures))
        answers.append(network(to_input(torch.from_numpy(pictures))).argmax(1).numpy())
    return LookScores(np.concatenate(logits), looks.families, looks.looks_a_part), np.concatenate(answers)


def _read_photo_sets(shop: Workshop, folders: list[Path]) -> dict[str, list[Photo]]:
    """The photographs of each set by its folder's name, read first: a mistake shows at once."""
    sets: dict[str, list[Photo]] = {}
    for folder in folders:
        name = folder.resolve().name
        if name in sets:
            raise InputError(f"two sets of photographs are called {name}: rename a folder")
        sets[name] = read_photos(folder, [family.number for family in shop.families], shop.report)
    return sets


def _accuracy(scores: ModelScores, rejection: dict[str, Any]) -> dict[str, float]:
    alike = groups(scores.numbers)
    found = figures.accuracy_figures(scores, alike)
    found |= {f"unknown_{key}": rejection[key] for key in ("rejected", "false_rejection")}
    found |= unknown_tracks.figures(rejection)
    for name, photos in scores.photos.items():
        found |= figures.photo_figures(name, figures.photo_rows(scores, photos, alike))
    return found


def _check_agreement(shop: Workshop, accuracy: dict[str, float]) -> None:
    for name, value in accuracy.items():
        shop.report(f"{name}: {value:.4f}")
    if accuracy["int8_float_agreement"] < shop.recipe.least_agreement:
        raise BrickgateError(
            f"int8 and float agree on {accuracy['int8_float_agreement']:.1%} of the pictures only:"
            " raise representative_pictures, or train longer"
        )


def _keep(shop: Workshop, scores: ModelScores, sets: TestSets) -> None:
    """Replaces the stored scores and pictures once the new ones are complete."""
    new = shop.scores.with_name(f".{shop.scores.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    save_scores(scores, new)
    answers = scores.unseen.logits.argmax(1)
    worst = figures.worst_parts(answers, scores.unseen.families)
    write_pictures(new / PICTURES, scores.numbers, worst, sets.renders, sets.unseen, answers)
    shutil.rmtree(shop.scores, ignore_errors=True)
    new.replace(shop.scores)
