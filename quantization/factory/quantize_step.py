"""Step 3: the trained network as int8 TFLite, by the way that measures best."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from edge.errors import InputError
from quantization.data.gaps import gap_of_set
from quantization.data.layers import LayerSet, open_layers
from quantization.data.opening import check_families
from quantization.data.stream import stream
from quantization.evaluate.looks import make_test_looks
from quantization.factory.train_step import network_in_words, standing, subject_of, trained
from quantization.factory.workshop import Workshop
from quantization.quantize.compare import Trial, Way, choose, logits_of, measure, table
from quantization.quantize.convert import TfliteModel, convert
from quantization.quantize.settle import centred, settled
from quantization.train.checkpoint import load_trained
from quantization.train.layers import Network
from quantization.train.loop import BEFORE_INT8
from quantization.train.torch_file import read_torch

REPRESENTATIVE = (100, 400, 1000)
"""Sizes of the representative set that are tried, as far as the recipe's `representative_pictures` goes."""
RECORD = "quantization.json"
UNSEEN = 2000
"""Pictures that the ways are compared on."""


@dataclass(frozen=True, slots=True)
class Unseen:
    """`pictures` (N, S, S, 3) uint8 RGB of renders that training never drew from, `families` (N,)."""

    pictures: NDArray[np.uint8]
    families: NDArray[np.int64]


def quantize(shop: Workshop) -> None:
    """Converts the trained network to int8 TFLite, in every way that there is a checkpoint for, and takes the best.

    Leaves `model.tflite`, `float.tflite`, `network.pt` (the float network that both are made from) and
    `quantization.json` (the table, what was taken and why, and of which training) in the folder of converted models.
    A training that is not finished is taken as it is, and said.

    Raises:
        InputError: nothing has been trained yet.
        BrickgateError: no TensorFlow, or a failed conversion.
    """
    found = trained(shop)
    unfinished = standing(found.progress, shop.recipe.stages)
    if unfinished:
        shop.report(f"{shop.folder / 'checkpoint.pt'} is at {unfinished}: 'brickgate-model train' makes the rest")
    networks = _networks(shop, found.network)
    seed, size_px = shop.recipe.seed, shop.recipe.input_px
    representative = next(stream(shop.renders, size_px, shop.recipe.representative_pictures, seed + 1, 0))[0].numpy()
    sizes = sorted({*(s for s in REPRESENTATIVE if s < len(representative)), len(representative)})
    unseen = unseen_looks(shop, UNSEEN, seed + 2)
    trials: list[Trial] = []
    for way, network in networks.items():
        folder = shop.converted / way.replace(" ", "-")
        models = convert(network, representative, size_px, folder, sizes)
        reference = logits_of(network, unseen.pictures)
        for size, file in {0: folder / "float.tflite", **models}.items():
            trials.append(measure(way, size, file, unseen.pictures, unseen.families, reference))
    for line in table(trials):
        shop.report(line)
    chosen, why = choose(trials, len(unseen.families))
    shop.report(why)
    record = {
        "chosen": _row(chosen),
        "why": why,
        "trials": [_row(trial) for trial in trials],
        "network": {"kind": found.network.kind, "width": found.network.width},
        "unfinished": unfinished,
    }
    _keep(shop, networks[chosen.way], chosen, record)


def unseen_looks(shop: Workshop, count: int, seed: int) -> Unseen:
    """At least `count` looks at the test's renders, all families alike, and each at least once."""
    families = len(shop.families)
    parts = -(-count // families) * families
    looks = make_test_looks(test_layers(shop), shop.recipe.input_px, parts, 1, seed)
    return Unseen(np.concatenate(list(looks.batches())), looks.families)


def test_layers(shop: Workshop) -> LayerSet:
    """The test's renders; says where some are missing.

    Raises:
        InputError: as in `open_layers`, or they show other families than the recipe has.
    """
    layers = open_layers(shop.test_renders)
    check_families(shop.test_renders, layers.families, shop.families)
    gap = gap_of_set(shop.test_renders, len(layers))
    if gap is not None:
        shop.report(gap)
    return layers


def converted_model(shop: Workshop) -> Path:
    """The int8 model, made from the network and for the pictures that the recipe asks for; says where its training was
    not finished.

    Raises:
        InputError: nothing has been converted yet, it is damaged, or it was made from another network or for pictures
            of another size.
    """
    model = shop.converted / "model.tflite"
    if not model.is_file():
        raise InputError(f"{model} is missing: run 'brickgate-model quantize' first")
    try:
        made_for_px, wanted_px = TfliteModel(model).input_px, shop.recipe.input_px
    except (ValueError, RuntimeError) as error:
        raise InputError(f"{model} is damaged: run 'brickgate-model quantize' again") from error
    if made_for_px != wanted_px:
        raise InputError(
            f"{model} was made for pictures of {made_for_px} px, and input_px of recipe {shop.recipe.name} is"
            f" {wanted_px}: run 'brickgate-model quantize' again, or give the recipe that it was made by"
        )
    _check_network(shop, model)
    unfinished = unfinished_training(shop)
    if unfinished:
        shop.report(f"{model} was made of a training at {unfinished}: train on, and quantize again")
    return model


def _check_network(shop: Workshop, model: Path) -> None:
    network = shop.recipe.network
    was = _record(shop).get("network") or {}
    made_from = network.model_copy(update={key: was[key] for key in ("kind", "width") if key in was})
    if made_from != network:
        raise InputError(
            f"{model} was made from {network_in_words(made_from)}, and recipe {shop.recipe.name} asks for"
            f" {network_in_words(network)}: give the recipe that it was made by, or another --work"
        )


def unfinished_training(shop: Workshop) -> str | None:
    """How far the training was that the converted model was made of; None: through all stages, or nothing tells.

    Raises:
        InputError: what tells is damaged.
    """
    return _record(shop).get("unfinished")


def _record(shop: Workshop) -> dict[str, Any]:
    """What `quantize` wrote of the converted model; nothing where it is gone."""
    file = shop.converted / RECORD
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InputError(f"{file} is damaged: run 'brickgate-model quantize' again") from error
    if not isinstance(record, dict):
        raise InputError(f"{file} is damaged: run 'brickgate-model quantize' again")
    return record


def quantized_from(shop: Workshop) -> Network:
    """The float network that the int8 model is made from, in evaluation mode.

    Raises:
        InputError: nothing has been converted yet.
        BrickgateError: the checkpoint or the converted network is of another recipe, or damaged.
    """
    file = shop.converted / "network.pt"
    if not file.is_file():
        raise InputError(f"{file} is missing: run 'brickgate-model quantize' first")
    network = trained(shop).network
    try:
        network.load_state_dict(read_torch(file))
    except (RuntimeError, ValueError, TypeError, OSError) as error:
        raise InputError(f"{file} is damaged: run 'brickgate-model quantize' again") from error
    return network.eval()


def _networks(shop: Workshop, network: Network) -> dict[Way, Network]:
    """The float networks to convert, centred: as trained for int8, and as it was before that."""
    network = centred(network)
    if not any(stage.int8 for stage in shop.recipe.stages):
        return {"after training": network}
    networks: dict[Way, Network] = {"in training": settled(network)}
    before = shop.folder / BEFORE_INT8
    if before.is_file():
        earlier = load_trained(before, subject_of(shop, shop.recipe.network)).network
        networks["after training"] = centred(earlier)
    elif not shop.recipe.stages[0].int8:  # where all stages train for int8 there never was a network before them
        shop.report(f"{before} is not there: int8 after training is not compared")
    return networks


def _keep(shop: Workshop, network: Network, chosen: Trial, record: dict[str, Any]) -> None:
    weights = BytesIO()
    torch.save(network.state_dict(), weights)
    made = {
        "network.pt": weights.getvalue(),
        "float.tflite": chosen.file.with_name("float.tflite").read_bytes(),
        "model.tflite": chosen.file.read_bytes(),
    }
    # All are written before any is replaced: on a full disk the model before stays with its own network.
    for name, content in made.items():
        (shop.converted / f".{name}.new").write_bytes(content)
    for name in made:
        (shop.converted / f".{name}.new").replace(shop.converted / name)
    (shop.converted / RECORD).write_text(json.dumps(record, indent=1), encoding="utf-8")
    model = shop.converted / "model.tflite"
    shop.report(f"{model}: {model.stat().st_size / 1e6:.2f} MB")


def _row(trial: Trial) -> dict[str, Any]:
    return {key: value for key, value in asdict(trial).items() if not isinstance(value, Path)}
