"""What a network is trained for, as a module of its own: data-parallel training wraps it whole."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from quantization.data.stream import DAMAGED
from quantization.train.layers import Network

SMOOTHING = 0.05
"""Share of the label that is spread over all classes (Szegedy et al. 2016)."""


class Objective(nn.Module):
    """Loss of a batch: what is learned is the `network` in it, and whatever else it needs for learning."""

    network: Network

    def forward(self, pictures: Tensor, families: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, H, W) in −1…1 and (N,) classes → the loss summed over the samples, and (N, classes) logits."""
        raise NotImplementedError


class Labels(Objective):
    """Cross-entropy with the labels."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor, families: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.network(pictures).float()
        return label_loss(logits, families), logits


def label_loss(logits: Tensor, families: Tensor) -> Tensor:
    """Summed cross-entropy with smoothed labels; a damaged sample adds nothing."""
    return functional.cross_entropy(logits, families, label_smoothing=SMOOTHING, ignore_index=DAMAGED, reduction="sum")
