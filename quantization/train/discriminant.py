"""A first classifier for features that were learned on other families: linear discriminant analysis.

With the features x of class k taken as normal with mean μₖ and a covariance Σ that all classes share, the logarithm of
the class's probability is xᵀΣ⁻¹μₖ − ½μₖᵀΣ⁻¹μₖ, up to what all classes have in common (Fisher 1936; Rao 1948): a linear
layer, and a far better one to train on from than chance. Where some classes have rows of a classifier already, those of
the others are set beside them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional

from quantization.data.stream import DAMAGED, Batch
from quantization.train.layers import Network, to_input

SHRINKAGE = 0.03
"""Share of the mean variance in the covariance: what few pictures say of 1,280 directions is not trusted alone."""
SCALES = tuple(2.0**-k for k in range(12))
SHIFTS = tuple(float(k) for k in range(-8, 9))
"""Of the answers for new classes beside known ones."""
HELD_BACK, HELD_BACK_BESIDE = 20, 4
"""One picture to choose scale and shift by for so many that are learned from."""


class Discriminant:
    """Gathers features, class by class, and makes the layer of them. `channels` and `classes` as the network has."""

    def __init__(self, channels: int, classes: int) -> None:
        self._sums = torch.zeros(classes, channels, dtype=torch.float64)
        self._counts = torch.zeros(classes, dtype=torch.float64)
        self._squares = torch.zeros(channels, channels, dtype=torch.float64)

    def add(self, features: Tensor, families: Tensor) -> None:
        """(n, channels) features and (n,) classes; a class below 0 is left out."""
        known = families >= 0
        features, families = features[known].double(), families[known]
        self._sums.index_add_(0, families, features)
        self._counts += torch.bincount(families, minlength=len(self._counts))
        self._squares += features.T @ features

    def layer(self) -> tuple[Tensor, Tensor]:
        """(classes, channels) weights and (classes,) bias. A class that was never seen stands at the mean of all."""
        seen = self._counts.sum().clamp_min(1)
        mean = self._sums.sum(0) / seen
        means = torch.where(self._counts[:, None] > 0, self._sums / self._counts.clamp_min(1)[:, None], mean)
        within = (self._squares - (self._counts[:, None] * means).T @ means) / seen
        variance = within.diagonal().mean().clamp_min(1e-12)
        within += SHRINKAGE * variance * torch.eye(len(within), dtype=torch.float64)
        centred = means - mean
        weights = torch.linalg.solve(within, centred.T).T
        bias = -0.5 * (weights * centred).sum(1) - weights @ mean
        return weights.float(), bias.float()


@torch.no_grad()
def begin_classifier(network: Network, made: Iterable[Batch], pictures: int, known: Sequence[int] = ()) -> None:
    """Sets the network's last layer to what tells its features of so many pictures apart.

    Features are not as normal as the formula takes them to be, so the answers are far too certain: they are scaled by
    what suits further pictures best, a twentieth of the others' number. Beside known rows they are shifted, too, and a
    quarter as many pictures are asked, for few of these may show a new class.

    Args:
        network: its features are trained, its classifier is not but for the known rows; left in evaluation mode.
        made: batches, see `quantization.data.stream.batches`.
        pictures: how many of them are learned from, rounded up to whole batches.
        known: classes whose rows stay as they are.
    """
    network.eval()
    seen = _features(network, made)
    found = Discriminant(network.channels, network.classes)
    for features, families in _about(seen, pictures):
        found.add(features, families)
    weights, bias = found.layer()
    old_weights, old_bias = network.dense.weight.cpu(), network.dense.bias.cpu()
    held_back = pictures // (HELD_BACK_BESIDE if known else HELD_BACK)
    features, families = (torch.cat(parts) for parts in zip(*_about(seen, held_back), strict=True))
    shows_new = bool((torch.isin(families, torch.tensor(list(known)), invert=True) & (families >= 0)).any())
    new, old = features @ weights.T + bias, features @ old_weights.T + old_bias

    def loss(how: tuple[float, float]) -> float:
        return functional.cross_entropy(_beside(old, new, known, *how), families, ignore_index=DAMAGED).item()

    scale, shift = min(product(SCALES, SHIFTS if known and shows_new else (0.0,)), key=loss)
    network.dense.weight.copy_(_beside(old_weights.T, weights.T, known, scale).T)
    network.dense.bias.copy_(_beside(old_bias, bias, known, scale, shift))


def _beside(old: Tensor, new: Tensor, known: Sequence[int], scale: float, shift: float = 0.0) -> Tensor:
    """(…, classes) answers, or the layer that gives them: `old` for the known classes and, for the others, `new`.

    What is added to all answers alike tells nothing, so the new ones, scaled, are moved by what brings their mean over
    the known classes to that of the old ones.
    """
    answers = new * scale
    if known:
        rows = list(known)
        answers += old[..., rows].mean(-1, keepdim=True) - answers[..., rows].mean(-1, keepdim=True) + shift
        answers[..., rows] = old[..., rows]
    return answers


def _features(network: Network, made: Iterable[Batch]) -> Iterator[tuple[Tensor, Tensor]]:
    """((n, channels), (n,)) features and classes of each batch."""
    device = network.dense.weight.device
    for shown, families, _ in made:
        maps = network.features(to_input(shown.to(device)).contiguous(memory_format=torch.channels_last))
        yield functional.adaptive_avg_pool2d(maps.float(), 1).flatten(1).cpu(), families


def _about(seen: Iterator[tuple[Tensor, Tensor]], pictures: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The next batches, until there are so many pictures; one at least."""
    for features, families in seen:
        yield features, families
        pictures -= len(families)
        if pictures <= 0:
            return
