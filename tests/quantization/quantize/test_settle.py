"""Settled weights lie on the int8 grid, and the network computes what it computed in training for int8."""

from __future__ import annotations

import torch

from quantization.quantize.settle import centred, settled
from quantization.train.layers import Conv
from quantization.train.network import MobileNetV2
from quantization.train.rounding import ActivationRounding


def test_settled_weights_have_at_most_255_levels_a_channel_and_settle_once():
    network = MobileNetV2(5, 0.25)
    before = network.features[1].conv[0][0].weight.clone()
    once = settled(network)
    assert torch.equal(network.features[1].conv[0][0].weight, before)
    for conv in (module for module in once.modules() if isinstance(module, Conv)):
        weight = conv.weight.detach().flatten(1)
        levels = weight / weight.abs().amax(1, keepdim=True) * 127
        assert (levels - levels.round()).abs().max() < 1e-3
    again = settled(once)
    for first, second in zip(once.parameters(), again.parameters(), strict=True):
        assert torch.allclose(first, second, atol=1e-6)


def test_a_centred_network_gives_the_same_probabilities_by_answers_around_zero():
    torch.manual_seed(3)
    network, pictures = MobileNetV2(5, 0.25).eval(), torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        network.dense.weight += 3 * torch.rand(network.channels)
        network.dense.bias -= 20
        drifted, found = network(pictures), centred(network)(pictures)
        assert torch.equal(network(pictures), drifted), "the network itself stays as it is"
    assert drifted.mean(1).abs().min() > 10
    assert found.mean(1).abs().max() < 1e-4
    assert torch.allclose(found.softmax(1), drifted.softmax(1), atol=1e-5)


def test_a_settled_network_says_what_was_trained():
    torch.manual_seed(2)
    network, pictures = MobileNetV2(5, 0.25), torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        for _ in range(30):  # the norms take on the statistics of their layers
            network(pictures)
        network.eval()
        float_ = network(pictures)
        network.round_as_int8(True)
        for module in network.modules():
            if isinstance(module, ActivationRounding):
                module.rounds = False
        network.classifier[1] = settled(network).classifier[1]
        trained = network(pictures)
        found = settled(network)(pictures)
    assert torch.allclose(found, trained, atol=1e-4)
    assert (found - float_).abs().max() > 1e-3
