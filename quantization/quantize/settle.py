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
