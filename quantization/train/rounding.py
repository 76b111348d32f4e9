"""What int8 does to a network, in training: values are rounded on the way forward, gradients pass straight through.

Quantization-aware training after Jacob et al. 2018: weights per output channel and symmetric, activations per tensor
and affine. A batch norm after a convolution scales whole channels: rounding before or after it is the same.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

MOMENTUM = 0.02
"""Share of a new batch in the running range."""
LEAST_RANGE = 1e-3


def rounded_weights(weight: Tensor) -> Tensor:
    """(out, ...) weights as int8 stores them, one scale an output channel."""
    scale = weight.detach().abs().amax(dim=(1, 2, 3)).clamp_min(1e-8) / 127
    zero = torch.zeros(len(scale), dtype=torch.int32, device=weight.device)
    return torch.fake_quantize_per_channel_affine(weight, scale, zero, 0, -127, 127)


class ActivationRounding(nn.Module):
    """Rounds activations to 256 levels between `low` and `high`, or between the limits seen so far; off at first.

    The range is no part of the saved state: it is found again within a few batches.
    """

    low: Tensor
    high: Tensor

    def __init__(self, low: float | None = None, high: float | None = None) -> None:
        super().__init__()
        self.rounds = False
        self._fixed = low is not None
        self._seen = self._fixed
        self.register_buffer("low", torch.tensor(low or 0.0), persistent=False)
        self.register_buffer("high", torch.tensor(high or 0.0), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if not self.rounds:
            return x
        if self.training and not self._fixed:
            self._observe(x.detach())
        scale = ((self.high - self.low) / 255).clamp_min(LEAST_RANGE / 255)
        zero_point = (-128 - self.low / scale).round().clamp(-128, 127).to(torch.int32)
        return torch.fake_quantize_per_tensor_affine(x.float(), scale, zero_point, -128, 127)

    def _observe(self, x: Tensor) -> None:
        low, high = torch.aminmax(x.float())
        share = MOMENTUM if self._seen else 1.0
        self._seen = True
        self.low.lerp_(low.clamp_max(0.0), share)
        self.high.lerp_(high.clamp_min(0.0), share)
