"""What a network learns where families are not shown equally often."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from quantization.data.augment import Augmenter
from quantization.data.order import MixedOrder
from quantization.data.stream import Mix
from quantization.train.layers import Network
from quantization.train.objective import Labels

SHOWN = torch.tensor([0, 0, 0, 1])
"""Of a picture that both families may have made, three in four are of the first."""


class Blind(Network):
    """A network that cannot tell pictures apart: it has a score for each family, and that is all."""

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.classifier = nn.Sequential(nn.Identity(), nn.Linear(1, 2))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(torch.zeros(len(x), 1))


class Some:
    """A source of which only the families matter."""

    def __init__(self, *families: int) -> None:
        self.families = np.array(families)

    def __len__(self) -> int:
        return len(self.families)

    def augmenter(self, size_px: int, seed: int) -> Augmenter:
        raise NotImplementedError

    def make(self, index: int, augmenter: Augmenter, rng: np.random.Generator) -> NDArray[np.uint8]:
        raise NotImplementedError


def learned(log_shares: Tensor | None) -> float:
    """By how much the first family's score is above the other's in the end."""
    network = Blind()
    objective = Labels(network, log_shares)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.3)
    for _ in range(300):
        optimiser.zero_grad()
        objective(torch.zeros(4, 3, 1, 1), SHOWN)[0].backward()
        optimiser.step()
    first, second = objective(torch.zeros(1, 3, 1, 1), SHOWN[:1])[1][0].tolist()
    return first - second


def test_what_is_shown_more_often_is_not_taken_for_likelier():
    shares = Mix([Some(0, 0, 0, 1)], (1.0,), seed=1).family_shares(2)
    assert learned(torch.from_numpy(np.log(shares))) == pytest.approx(0, abs=0.1)  # smoothing leaves a little
    assert learned(None) == pytest.approx(np.log(3), abs=0.1)


def test_shares_of_a_mix_are_those_of_its_order():
    mix = Mix([Some(0, 1, 2, 2), Some(3), Some(0, 3)], (0.5, 0.3, 0.2), seed=4)
    sources, _, samples = MixedOrder((4, 1, 2), (0.5, 0.3, 0.2), 4).at(np.arange(4000))
    shown = [mix.sources[source].families[sample] for source, sample in zip(sources, samples, strict=True)]
    assert mix.family_shares(4) == pytest.approx(np.bincount(shown) / 4000, abs=0.001)


def test_a_family_that_is_never_shown_has_a_share_all_the_same():
    shares = Mix([Some(0, 0, 1)], (1.0,), seed=1).family_shares(3)
    assert shares.sum() == pytest.approx(1)
    assert (np.isfinite(np.log(shares))).all()
