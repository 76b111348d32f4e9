"""The float weights that ship are those of a starter network."""

import torch

from quantization.factory.train_step import SHIPPED_WEIGHTS, SHIPPED_WIDTH
from quantization.recipe import load_families, load_recipe
from quantization.train.network import MobileNetV2
from quantization.train.start import load_start
from quantization.train.torch_file import read_torch


def test_the_shipped_weights_start_a_network_of_their_width() -> None:
    network = MobileNetV2(7, SHIPPED_WIDTH)
    before = network.features[3].conv[1][0].weight.clone()
    load_start(network, SHIPPED_WEIGHTS)
    network.eval()
    assert not torch.equal(before, network.features[3].conv[1][0].weight)
    assert network(torch.zeros(1, 3, 64, 64)).isfinite().all()


def test_the_universal_weights_bring_their_classifier_by_the_names_of_their_families() -> None:
    """By their number alone, that of any list of as many would be taken for it."""
    numbers = [family.number for family in load_families(load_recipe("universal"))]
    file = SHIPPED_WEIGHTS.with_name("universal-float16.pt")
    network, reordered, others = (MobileNetV2(len(numbers), SHIPPED_WIDTH) for _ in range(3))
    assert load_start(network, file, numbers)
    assert network.eval()(torch.zeros(1, 3, 96, 96)).isfinite().all()
    assert load_start(reordered, file, numbers[::-1])
    assert torch.equal(reordered.dense.weight, network.dense.weight.flip(0))
    assert not load_start(others, file, [*numbers[:-1], "renamed"])
    assert read_torch(file)["recipe"]["families"] == numbers
