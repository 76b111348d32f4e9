"""A first classifier from features: linear discriminant analysis."""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from quantization.data.opening import open_any
from quantization.data.stream import DAMAGED, Mix, batches
from quantization.factory.train_step import SHIPPED_WEIGHTS, SHIPPED_WIDTH
from quantization.train import discriminant
from quantization.train.discriminant import Discriminant, begin_classifier
from quantization.train.kinds import make_network
from quantization.train.layers import to_input
from quantization.train.start import load_start

MEANS = torch.tensor([[0.0, 0.0], [0.0, 2.0], [1.0, 3.0]])
SPREAD = torch.tensor([[4.0, 0.0], [0.0, 0.1]])
"""The classes spread widely along the first feature: what it says is worth little."""


def samples(count, seed=1):
    noise = torch.distributions.MultivariateNormal(torch.zeros(2), SPREAD)
    torch.manual_seed(seed)
    families = torch.arange(count) % len(MEANS)
    return MEANS[families] + noise.sample((count,)), families


def test_a_feature_that_spreads_widely_counts_less():
    found = Discriminant(2, 3)
    for features, families in zip(*(part.split(50) for part in samples(3000)), strict=True):
        found.add(features, families)
    weights, bias = found.layer()
    features, families = samples(3000, seed=2)
    right = ((features @ weights.T + bias).argmax(1) == families).float().mean()
    nearest = (torch.cdist(features, MEANS).argmin(1) == families).float().mean()
    assert nearest < 0.85
    assert right > 0.93


def test_damaged_samples_do_not_count():
    with_damage, without = Discriminant(2, 3), Discriminant(2, 3)
    features, families = samples(300)
    without.add(features[20:], families[20:])
    families[:20] = DAMAGED
    with_damage.add(features, families)
    assert all(torch.equal(a, b) for a, b in zip(with_damage.layer(), without.layer(), strict=True))


def test_a_class_that_was_never_seen_stands_at_the_mean():
    found = Discriminant(2, 4)
    found.add(*samples(600))
    weights, bias = found.layer()
    assert weights[3].tolist() == [0.0, 0.0]
    assert bias[3] == 0


def test_a_network_gets_a_classifier_with_answers_of_a_sensible_size(renders):
    network = make_network("mobilenet-v2", 2, SHIPPED_WIDTH)
    load_start(network, SHIPPED_WEIGHTS)
    mix = Mix([open_any(renders)], (1.0,), 3)
    features_before = {name: value.clone() for name, value in network.features.state_dict().items()}
    begin_classifier(network, batches(mix, 96, 16), 400)
    assert all(torch.equal(value, features_before[name]) for name, value in network.features.state_dict().items())
    pictures, families, _ = next(batches(mix, 96, 100, start=1000))
    with torch.no_grad():
        logits = network(to_input(pictures))
    assert (logits.argmax(1) == families).float().mean() > 0.8
    assert functional.cross_entropy(logits, families) < math.log(2)


def test_weights_and_bias_are_scaled_alike(renders, monkeypatch):
    mix, fitted = Mix([open_any(renders)], (1.0,), 3), []
    for scale in (1.0, 0.25):
        monkeypatch.setattr(discriminant, "SCALES", (scale,))
        torch.manual_seed(1)
        network = make_network("mobilenet-v2", 2, 0.25)
        begin_classifier(network, batches(mix, 32, 16), 32)
        fitted.append(network.dense)
    assert torch.equal(fitted[1].weight, 0.25 * fitted[0].weight)
    assert torch.equal(fitted[1].bias, 0.25 * fitted[0].bias)


def test_new_answers_beside_known_ones_are_those_that_one_classifier_of_all_would_give():
    torch.manual_seed(4)
    answers, common_to_all = torch.randn(50, 4), torch.randn(50, 1)
    found = discriminant._beside(answers, (answers + common_to_all) / 8, (0, 2), 8.0)
    assert torch.allclose(found, answers, atol=1e-5)
    assert torch.equal(found[:, [0, 2]], answers[:, [0, 2]])


def test_a_row_that_is_known_stays_and_the_others_are_set_beside_it(renders):
    network = make_network("mobilenet-v2", 2, SHIPPED_WIDTH)
    assert load_start(network, SHIPPED_WEIGHTS, ["no such number", "3003"]) == [1]
    weight, bias = network.dense.weight[1].clone(), network.dense.bias[1].clone()
    mix = Mix([open_any(renders)], (1.0,), 3)
    begin_classifier(network, batches(mix, 96, 16), 200, known=[1])
    assert torch.equal(network.dense.weight[1], weight)
    assert torch.equal(network.dense.bias[1], bias)
    pictures, families, _ = next(batches(mix, 96, 100, start=1000))
    with torch.no_grad():
        assert (network(to_input(pictures)).argmax(1) == families).float().mean() > 0.8


def test_new_answers_are_not_shifted_by_pictures_that_show_no_new_class(renders, monkeypatch):
    def fitted():
        torch.manual_seed(1)
        network = make_network("mobilenet-v2", 2, 0.25)
        mix = Mix([open_any(renders)], (1.0,), 3)
        learned, further = next(batches(mix, 32, 16)), next(batches(mix, 32, 16, start=500))
        old = further[1] == 1
        begin_classifier(network, [learned, (further[0][old], further[1][old], None)], 16, known=[1])
        return network.dense

    found = fitted()
    monkeypatch.setattr(discriminant, "SHIFTS", (0.0,))
    assert torch.equal(fitted().bias, found.bias)
