"""The float weights that ship are those of a starter network."""

import torch

from quantization.factory.train_step import SHIPPED_WEIGHTS, SHIPPED_WIDTH
from quantization.train.network import MobileNetV2
from quantization.train.start import load_start


def test_the_shipped_weights_start_a_network_of_their_width() -> None:
    network = MobileNetV2(7, SHIPPED_WIDTH)
    before = network.features[3].conv[1][0].weight.clone()
    load_start(network, SHIPPED_WEIGHTS)
    network.eval()
    assert not torch.equal(before, network.features[3].conv[1][0].weight)
    assert network(torch.zeros(1, 3, 64, 64)).isfinite().all()
