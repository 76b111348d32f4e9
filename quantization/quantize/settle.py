"""The float network that int8 stores: weights on the int8 grid.

Training for int8 goes forward with rounded weights (`quantization.train.rounding`); the unrounded ones behind them are
what the optimiser steps, and were never what the network was judged by. What was trained is the network with the
rounded weights. Storing those costs nothing more: the converter's rounding then finds every weight on its grid already.
"""

from __future__ import annotations

import copy
from typing import TypeVar

import torch

from quantization.train.layers import Conv, Network
from quantization.train.rounding import rounded_weights

AnyNetwork = TypeVar("AnyNetwork", bound=Network)


@torch.no_grad()
def centred(network: AnyNetwork) -> AnyNetwork:
    """A copy whose answers to a picture have a mean of 0: no probability changes.

    What is added to all answers alike tells nothing, so training lets it drift. A network of 3,128 parts came to answer
    between −120 and −31, where the answers to one picture lie within 32. In int8 one scale holds all answers and 0, and
    another all weights of the dense layer: one look in nine had a tie for the likeliest part.
    """
    copied = copy.deepcopy(network)
    weight, bias = copied.dense.weight, copied.dense.bias
    weight -= weight.mean(0)
    bias -= bias.mean()
    return copied.eval()


@torch.no_grad()
def settled(network: AnyNetwork) -> AnyNetwork:
    """A copy whose convolutions are rounded per output channel and whose dense layer as one, in evaluation mode.

    A batch norm scales whole channels: rounding before it or after folding it is the same.
    """
    copied = copy.deepcopy(network)
    for module in copied.modules():
        if isinstance(module, Conv):
            module.weight.copy_(rounded_weights(module.weight))
    weight = copied.dense.weight
    scale = weight.abs().max().clamp_min(1e-8) / 127
    weight.copy_((weight / scale).round() * scale)
    copied.round_as_int8(False)
    return copied.eval()
