"""Starting weights: ImageNet's, from a local .npz with torchvision's names."""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor, nn

from edge.errors import InputError
from quantization.train.network import MobileNetV2


def load_imagenet(network: MobileNetV2, weights: Path) -> None:
    """Loads the feature layers; the classifier stays as initialised.

    Raises:
        InputError: no such file, or weights of another network or width.
    """
    try:
        with np.load(weights) as arrays:
            state = {k: torch.from_numpy(arrays[k]) for k in arrays.files if k.startswith("features.")}
    except (OSError, ValueError, BadZipFile) as error:
        raise InputError(f"{weights} holds no starting weights ({error}): give an .npz file") from error
    try:
        missing, _ = network.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise InputError(
            f"{weights} fits another network than one of width {network.width}: give weights of that width, or set"
            " network.width in the recipe"
        ) from error
    lost = [key for key in missing if key.startswith("features.") and "num_batches" not in key]
    if lost:
        raise InputError(f"{weights} lacks {lost[0]} and {len(lost) - 1} more: give MobileNetV2 weights")


@torch.no_grad()
def unfold_batch_norms(network: nn.Module, pictures: Tensor) -> None:
    """Gives batch norms that were folded into the convolutions (identity plus bias) real statistics again.

    The function of the network in evaluation stays exactly the same: with mean m and variance v of a layer's input over
    `pictures`, scale √(v+ε) and shift b+m undo what the statistics do. In training the layer then normalises as usual.
    """
    statistics: dict[nn.BatchNorm2d, tuple[Tensor, Tensor]] = {}

    def observe(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        values = inputs[0].float()
        assert isinstance(layer, nn.BatchNorm2d)
        statistics[layer] = (values.mean((0, 2, 3)), values.var((0, 2, 3)))

    layers = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    hooks = [layer.register_forward_pre_hook(observe) for layer in layers]
    network.eval()
    network(pictures)
    for hook in hooks:
        hook.remove()
    for layer, (mean, variance) in statistics.items():
        _renormalise(layer, mean, variance.clamp_min(1e-4))


def _renormalise(layer: nn.BatchNorm2d, mean: Tensor, variance: Tensor) -> None:
    assert layer.running_mean is not None and layer.running_var is not None
    old_gain = layer.weight / torch.sqrt(layer.running_var + layer.eps)
    old_shift = layer.bias - old_gain * layer.running_mean
    layer.weight.copy_(old_gain * torch.sqrt(variance + layer.eps))
    layer.bias.copy_(old_shift + old_gain * mean)
    layer.running_mean.copy_(mean)
    layer.running_var.copy_(variance)
