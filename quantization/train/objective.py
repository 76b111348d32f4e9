"""What a network is trained for, as a module of its own: data-parallel training wraps it whole."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from quantization.data.stream import DAMAGED
from quantization.train.layers import Network

SMOOTHING = 0.05
"""Share of the label that is spread over all classes (Szegedy et al. 2016)."""


class Objective(nn.Module):
    """Loss of a batch: what is learned is the `network` in it, and whatever else it needs for learning."""

    network: Network

    def pictures_px(self, size_px: int) -> int:
        """Side of the pictures to make where the network learns from those of `size_px`."""
        return size_px

    def forward(self, pictures: Tensor, families: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, H, W) in −1…1 and (N,) classes → the loss summed over the samples, and (N, classes) logits."""
        raise NotImplementedError


class Labels(Objective):
    """Cross-entropy with the labels, in the shares that the families have in what is shown.

    A family that is shown more often would be taken for a likelier one. The logarithm of its share is therefore added
    to its logit while learning (logit adjustment: Menon et al. 2021, equation 10), so that the network says what a
    picture shows if all families were as likely; how common parts are is for `fusion.prior` to say.
    """

    log_shares: Tensor

    def __init__(self, network: Network, log_shares: Tensor | None = None) -> None:
        """Args:
        network: what learns.
        log_shares: (classes,) logarithm of each family's share in what is shown; None: all have the same.
        """
        super().__init__()
        self.network = network
        same = torch.zeros(network.classes) if log_shares is None else log_shares.float()
        self.register_buffer("log_shares", same, persistent=False)

    def forward(self, pictures: Tensor, families: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.network(pictures).float()
        return label_loss(logits + self.log_shares, families), logits


def label_loss(logits: Tensor, families: Tensor) -> Tensor:
    """Summed cross-entropy with smoothed labels; a damaged sample adds nothing."""
    return functional.cross_entropy(logits, families, label_smoothing=SMOOTHING, ignore_index=DAMAGED, reduction="sum")
