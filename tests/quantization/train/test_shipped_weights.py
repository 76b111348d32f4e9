"""The float weights that ship are those of a starter network."""

import torch

from quantization.factory.train_step import SHIPPED_WEIGHTS, SHIPPED_WIDTH
from quantization.recipe import load_families, load_recipe
from quantization.train.network import MobileNetV2
from quantization.train.start import load_start


def test_the_shipped_weights_start_a_network_of_their_width() -> None:
    network = MobileNetV2(7, SHIPPED_WIDTH)
    before = network.features[3].conv[1][0].weight.clone()
    load_start(network, SHIPPED_WEIGHTS)
    network.eval()
    assert not torch.equal(before, network.features[3].conv[1][0].weight)
    assert network(torch.zeros(1, 3, 64, 64)).isfinite().all()


def test_the_universal_weights_bring_their_classifier() -> None:
    families = load_families(load_recipe("universal"))
    network = MobileNetV2(len(families), SHIPPED_WIDTH)
    assert load_start(network, SHIPPED_WEIGHTS.with_name("universal-float16.pt"))
    assert network.eval()(torch.zeros(1, 3, 96, 96)).isfinite().all()
