"""Step 2: from renders to a trained network."""

from __future__ import annotations

from pathlib import Path

import torch

from edge.errors import InputError
from quantization.data.layers import open_layers
from quantization.data.stream import stream
from quantization.factory.workshop import Workshop
from quantization.train.loop import Stage, Training
from quantization.train.network import MobileNetV2, to_input
from quantization.train.start import load_start, unfold_batch_norms

SHIPPED_WEIGHTS = Path(__file__).parents[1] / "weights" / "starter-float16.npz"
"""The float network behind the shipped starter bundle, averaged weights in half precision."""
SHIPPED_WIDTH = 1.0


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
            load_start(network, weights)
            (shop.folder / "weights.txt").write_text(weights.name, encoding="utf-8")
            first, _ = next(stream(shop.renders, stages[0].size_px, 512, shop.recipe.seed, 0))
            unfold_batch_norms(network, to_input(first))
        training.average = {name: value.detach().clone() for name, value in network.state_dict().items()}
    training.run(shop.renders, workers, shop.report)


def trained(shop: Workshop) -> MobileNetV2:
    """The network with its averaged weights.

    Raises:
        InputError: nothing has been trained yet.
    """
    training = Training(MobileNetV2(len(shop.families), shop.recipe.network.width), [], shop.folder, shop.recipe.seed)
    if not training.resume():
        raise InputError(f"{training.checkpoint} is missing: run 'brickgate-model train' first")
    return training.averaged()
