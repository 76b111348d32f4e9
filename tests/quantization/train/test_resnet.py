"""ResNets: torchvision's sizes and names, norms and rounding as in MobileNetV2."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from edge.errors import InputError
from quantization.train.kinds import KINDS, make_network
from quantization.train.layers import Conv, Norm, Pool, pads_of
from quantization.train.resnet import ResNet, torchvision_names
from quantization.train.start import IMAGENET_MEAN, IMAGENET_STD, load_start


def with_statistics(depth=18, width=0.25, classes=5):
    torch.manual_seed(3)
    network = ResNet(classes, depth, width)
    for layer in network.modules():
        if isinstance(layer, Norm):
            torch.nn.init.normal_(layer.running_mean, 0, 0.1)
            torch.nn.init.uniform_(layer.running_var, 0.5, 1.5)
            torch.nn.init.uniform_(layer.weight, 0.5, 1.5)
    return network


@pytest.mark.parametrize(("depth", "parameters", "channels"), [(18, 11_689_512, 512), (50, 25_557_032, 2048)])
def test_they_are_those_of_the_paper(depth, parameters, channels):
    network = ResNet(1000, depth).eval()
    assert sum(p.numel() for p in network.parameters()) == parameters
    with torch.no_grad():
        assert network.features(torch.zeros(1, 3, 64, 64)).shape == (1, channels, 2, 2)
    assert (network.kind, network.channels, network.classes) == (f"resnet{depth}", channels, 1000)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_made(kind):
    network = make_network(kind, 7, 0.25).eval()
    assert (network.kind, network.width, network.classes) == (kind, 0.25, 7)
    with torch.no_grad():
        features = network.features(torch.randn(2, 3, 64, 64))
        assert features.shape == (2, network.channels, 2, 2)
        assert network.answer(features).shape == (2, 7)


def test_another_kind_is_named():
    with pytest.raises(InputError, match=r"no network 'vgg': give one of mobilenet-v2, resnet18, resnet50"):
        make_network("vgg", 3)


@pytest.mark.parametrize(
    ("kernel", "stride", "same", "pads"),
    [(3, 2, True, (0, 1)), (7, 2, True, (2, 3)), (1, 2, True, (0, 0)), (3, 1, True, (1, 1)), (7, 2, False, (3, 3))],
)
def test_padding_is_tensorflows_or_torchvisions(kernel, stride, same, pads):
    assert pads_of(kernel, stride, same) == pads
    assert Conv(1, 1, kernel, stride, same=same)(torch.zeros(1, 1, 8, 8)).shape[-1] == 8 // stride


def test_pooling_pads_right_and_below():
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert Pool()(x)[0, 0].tolist() == [[10, 11], [14, 15]]
    assert torch.equal(Pool(same=False)(x), functional.max_pool2d(x, 3, 2, 1))


@torch.no_grad()
@pytest.mark.parametrize("depth", [18, 50])
def test_frozen_norms_do_what_norms_do_on_the_machine(depth):
    network, pictures = with_statistics(depth), torch.randn(3, 3, 32, 32)
    expected = network.eval()(pictures)
    network.train().freeze_norms(True)
    network.classifier.eval()
    assert torch.allclose(network(pictures), expected, atol=1e-4 * float(expected.abs().max()))


@torch.no_grad()
def test_rounding_hardly_changes_what_it_says():
    network, pictures = with_statistics(), torch.randn(8, 3, 32, 32)
    real = network.eval()(pictures)
    network.train().freeze_norms(True)
    network.classifier.eval()
    network.round_as_int8(True)
    for _ in range(3):
        as_stored = network(pictures)
    assert not torch.equal(as_stored, real)
    assert (as_stored - real).abs().mean() < 0.2 * real.std()


def as_torchvision(network):
    """The state under torchvision's names."""
    names = torchvision_names(int(network.kind.removeprefix("resnet")))
    state = {}
    for name, value in network.state_dict().items():
        theirs, own = next((t, o) for t, o in names.items() if name.startswith(o))
        state[theirs + name.removeprefix(own)] = value.clone()
    return state


def test_torchvisions_weights_see_the_input_that_they_know(tmp_path):
    """Away from the border, where padding is another colour for each, both scales of the input give the same."""
    source, target = with_statistics(18), ResNet(9, 18, 0.25).eval()
    file = tmp_path / "weights.pth"
    state = as_torchvision(source)
    assert {"conv1.weight", "bn1.running_mean", "layer2.0.downsample.1.bias", "layer4.1.conv2.weight"} <= set(state)
    torch.save(state, file)
    assert not load_start(target, file)
    rgb = torch.rand(2, 3, 32, 32)
    mean, std = (torch.tensor(values)[None, :, None, None] for values in (IMAGENET_MEAN, IMAGENET_STD))
    with torch.no_grad():
        theirs, ours = source.eval().features[0]((rgb - mean) / std), target.features[0](rgb * 2 - 1)
        assert torch.allclose(theirs[..., 2:-2, 2:-2], ours[..., 2:-2, 2:-2], atol=1e-4)
    assert torch.equal(target.features[5].conv2.weight, source.features[5].conv2.weight)


def test_weights_of_another_kind_or_width_are_refused(tmp_path):
    file = tmp_path / "weights.pth"
    torch.save(as_torchvision(with_statistics(18, 0.5)), file)
    with pytest.raises(InputError, match=r"fits another network than one of width 0\.25: .*\(its kind is resnet18\)"):
        load_start(ResNet(5, 18, 0.25), file)
    with pytest.raises(InputError, match=r"weights\.pth (lacks|fits another)"):
        load_start(make_network("mobilenet-v2", 5, 0.25), file)


def test_torchvision_is_not_needed(monkeypatch):
    import sys
    from pathlib import Path

    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    with pytest.raises(InputError, match=r"torchvision gives no weights \(.*\): give a file with --weights, or 'none'"):
        load_start(ResNet(5, 18, 0.25), Path("torchvision"))
