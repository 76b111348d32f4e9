"""What a student learns from: its teacher's answer to the same picture, the teacher's features, and the label.

Hinton, Vinyals and Dean 2015, "Distilling the knowledge in a neural network": the student follows the teacher's scores,
softened by a temperature. Romero et al. 2015, "FitNets: hints for thin deep nets": a learned 1×1 convolution, which is
thrown away afterwards, turns the student's features into the teacher's.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from quantization.data.stream import DAMAGED
from quantization.recipe import DistillRecipe
from quantization.train.layers import Network, resized
from quantization.train.objective import Labels, label_loss


class Lesson(Labels):
    """Trains `network`, the student. The teacher is no part of what is trained or saved."""

    def __init__(
        self,
        network: Network,
        teacher: Network,
        recipe: DistillRecipe,
        log_shares: Tensor | None = None,
        larger: float = 1.0,
    ) -> None:
        """Args:
        network: the student.
        teacher: whom it learns from.
        recipe: how.
        log_shares: of the families in what is shown, see `Labels`.
        larger: by how much the teacher's pictures are larger than the student's, which are made from them.
        """
        super().__init__(network, log_shares)
        self.recipe = recipe
        self._larger = larger
        self._teacher = [teacher.eval().requires_grad_(False)]  # in a list: not a submodule
        compared = recipe.feature_weight > 0
        self.adapter = nn.Conv2d(network.channels, teacher.channels, 1) if compared else None

    @property
    def teacher(self) -> Network:
        return self._teacher[0]

    def pictures_px(self, size_px: int) -> int:
        return round(size_px * self._larger)

    def forward(self, pictures: Tensor, families: Tensor) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            shown = self.teacher.features(pictures)
            taught = self.teacher.answer(shown).float()
        features = self.network.features(resized(pictures, round(pictures.shape[2] / self._larger)))
        logits = self.network.answer(features).float()
        valid = families != DAMAGED
        share = self.recipe.logits_share
        loss = (1 - share) * label_loss(logits + self.log_shares, families)
        loss = loss + share * softened_divergence(logits[valid], taught[valid], self.recipe.temperature)
        if self.adapter is not None:
            shown = functional.adaptive_avg_pool2d(shown, features.shape[2:])
            hints = feature_distance(self.adapter(features)[valid].float(), shown[valid].float())
            loss = loss + self.recipe.feature_weight * hints
        return loss, logits


def softened_divergence(logits: Tensor, taught: Tensor, temperature: float) -> Tensor:
    """T² · KL(teacher ‖ student) of scores at temperature T, summed over the samples (Hinton et al. 2015, section 2).

    The factor T² keeps the gradients' size as it would be at temperature 1.
    """
    log_student = functional.log_softmax(logits / temperature, dim=1)
    log_teacher = functional.log_softmax(taught / temperature, dim=1)
    return temperature**2 * functional.kl_div(log_student, log_teacher, reduction="sum", log_target=True)


def feature_distance(adapted: Tensor, shown: Tensor) -> Tensor:
    """Squared distance of (N, C, H, W) features, summed over the samples (equation 3 of Romero et al. 2015).

    Relative to the size of the teacher's features: its weight then means the same for any teacher.
    """
    size = shown.square().sum() / max(shown.numel(), 1)  # of no sample at all, a mean would be no number
    return 0.5 * (adapted - shown).square().mean((1, 2, 3)).sum() / size.clamp_min(1e-6)
