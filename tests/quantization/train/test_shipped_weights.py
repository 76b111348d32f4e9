"""The float weights that ship begin a training of whichever parts."""

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
    network, reordered, others = (MobileNetV2(len(numbers), SHIPPED_WIDTH) for _ in range(3))
    assert load_start(network, SHIPPED_WEIGHTS, numbers)
    assert network.eval()(torch.zeros(1, 3, 96, 96)).isfinite().all()
    assert len(load_start(reordered, SHIPPED_WEIGHTS, numbers[::-1])) == len(numbers)
    assert torch.equal(reordered.dense.weight, network.dense.weight.flip(0))
    assert load_start(others, SHIPPED_WEIGHTS, ["renamed", *numbers[1:]]) == [*range(1, len(numbers))]
    assert torch.equal(others.dense.weight[1:], network.dense.weight[1:])
    assert not torch.equal(others.dense.weight[0], network.dense.weight[0])
    assert read_torch(SHIPPED_WEIGHTS)["recipe"]["families"] == numbers
    starter = [family.number for family in load_families(load_recipe("starter"))]
    few = MobileNetV2(len(starter), SHIPPED_WIDTH)
    assert load_start(few, SHIPPED_WEIGHTS, starter) == [*range(len(starter))], (
        "a list of known parts needs no first fit"
    )
    assert torch.equal(few.dense.bias, network.dense.bias[[numbers.index(number) for number in starter]])
    assert torch.equal(few.dense.weight, network.dense.weight[[numbers.index(number) for number in starter]])
