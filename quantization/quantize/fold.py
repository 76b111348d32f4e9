"""Folds batch norms into the convolutions before them: convolutions, ReLU6, adds, a mean and a layer are left."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from quantization.train.network import InvertedResidual, MobileNetV2, Norm

Arrays = dict[str, NDArray[np.float32]]


@torch.no_grad()
def folded(network: MobileNetV2) -> tuple[list[dict[str, object]], Arrays]:
    """A plain description of the network and its weights.

    Returns:
        layers: each {"kind": conv | depthwise | add, "name", "stride", "relu6"}; "add" adds the value before the named
            number of layers ("back"). After the last one come the mean over the picture and the dense layer "dense".
        arrays: "<name>/kernel" in TensorFlow's order (H, W, in, out) or (H, W, channels, 1), "<name>/bias".
    """
    layers: list[dict[str, object]] = []
    arrays: Arrays = {}
    for block in network.features:
        start = len(layers)
        convs = _convs(block)
        for conv, norm, activated in convs:
            name = f"layer{len(layers):03d}"
            depthwise = conv.groups > 1
            kind = "depthwise" if depthwise else "conv"
            layers.append({"kind": kind, "name": name, "stride": conv.stride[0], "relu6": activated})
            kernel, bias = _fold(conv, norm)
            order = (2, 3, 0, 1) if depthwise else (2, 3, 1, 0)
            arrays[f"{name}/kernel"] = np.ascontiguousarray(kernel.transpose(order))
            arrays[f"{name}/bias"] = bias
        if isinstance(block, InvertedResidual) and block.adds:
            layers.append({"kind": "add", "name": f"layer{len(layers):03d}", "back": len(layers) - start})
    dense = network.classifier[1]
    assert isinstance(dense, nn.Linear)
    arrays["dense/kernel"] = dense.weight.numpy().T.copy()
    arrays["dense/bias"] = dense.bias.numpy().copy()
    return layers, arrays


def _convs(block: nn.Module) -> list[tuple[nn.Conv2d, Norm, bool]]:
    """Convolutions of a block with their norms, and whether ReLU6 follows, in order."""
    modules = [m for m in block.modules() if isinstance(m, nn.Conv2d | Norm | nn.ReLU6)]
    found: list[tuple[nn.Conv2d, Norm, bool]] = []
    for k, module in enumerate(modules):
        if isinstance(module, nn.Conv2d):
            norm = modules[k + 1]
            assert isinstance(norm, Norm)
            found.append((module, norm, k + 2 < len(modules) and isinstance(modules[k + 2], nn.ReLU6)))
    return found


def _fold(conv: nn.Conv2d, norm: Norm) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    gain, bias = norm.gain_and_bias()
    return (conv.weight * gain[:, None, None, None]).numpy(), bias.numpy()
