"""A folded network, run by nothing but numpy, says what the trained one says."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view

from edge.errors import BrickgateError
from quantization.quantize.fold import folded
from quantization.train.kinds import make_network


def windows_of(x, layer):
    """(h, w, C, size, size) windows of a (H, W, C) value, padded as the layer says."""
    before, after = layer["pads"]
    padded = np.pad(x, [(before, after), (before, after), (0, 0)])
    return sliding_window_view(padded, (layer["size"],) * 2, (0, 1))[:: layer["stride"], :: layer["stride"]]


def computed(layer, inputs, arrays):
    """The value of one layer, by nothing but numpy."""
    kind, name = layer["kind"], layer["name"]
    if kind == "add":
        return inputs[0] + inputs[1]
    if kind == "mean":
        return inputs[0].mean(axis=(0, 1))
    if kind == "maxpool":
        return windows_of(inputs[0], layer).max(axis=(3, 4))
    kernel, bias = arrays[f"{name}/kernel"], arrays[f"{name}/bias"]
    if kind == "dense":
        return inputs[0] @ kernel + bias
    how = "vuchw,hwco->vuc" if kind == "depthwise" else "vuchw,hwco->vuo"
    return np.einsum(how, windows_of(inputs[0], layer), kernel, optimize=True) + bias


def run(layers, arrays, picture):
    """The logits of one (H, W, 3) picture, as the description has it."""
    values = {"picture": picture}
    for layer in layers:
        value = computed(layer, [values[name] for name in layer["inputs"]], arrays)
        low, high = {None: (None, None), "relu": (0, None), "relu6": (0, 6)}[layer["activation"]]
        values[layer["name"]] = value if low is None else value.clip(low, high)
    return values[layers[-1]["name"]]


def with_statistics(network):
    """The network as after training: its norms have statistics."""
    network.train()
    with torch.no_grad():
        for norm in (m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)):
            torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
            torch.nn.init.normal_(norm.bias, 0.2, 0.3)
        for _ in range(8):
            network(torch.randn(4, 3, 64, 64))
    return network.eval()


@pytest.fixture(
    scope="module", params=[("mobilenet-v2", 0.35), ("resnet18", 0.25), ("resnet50", 0.25)], ids=lambda p: p[0]
)
def network(request):
    torch.manual_seed(6)
    return with_statistics(make_network(request.param[0], 7, request.param[1]))


def test_the_folded_network_says_the_same(network):
    pictures = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = network(pictures).numpy()
    layers, arrays = folded(network)
    found = np.stack([run(layers, arrays, p) for p in pictures.permute(0, 2, 3, 1).numpy()])
    assert np.abs(expected).max() > 0.05
    assert np.allclose(found, expected, atol=1e-4 * max(1, np.abs(expected).max()))


def test_frozen_norms_and_rounding_make_no_other_description(network):
    expected = folded(network)[1]
    network.freeze_norms(True)
    network.round_as_int8(True)
    found = folded(network)[1]
    network.freeze_norms(False)
    network.round_as_int8(False)
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


def test_the_description_is_plain_and_complete():
    layers, arrays = folded(make_network("mobilenet-v2", 7, 0.35).eval())
    kinds = [layer["kind"] for layer in layers]
    assert (kinds.count("depthwise"), kinds.count("add"), kinds.count("conv")) == (17, 10, 1 + 16 + 17 + 1)
    assert kinds[-2:] == ["mean", "dense"]
    json.dumps(layers)
    weighted = [layer["name"] for layer in layers if layer["kind"] in {"conv", "depthwise", "dense"}]
    assert set(arrays) == {f"{name}/{what}" for name in weighted for what in ("kernel", "bias")}
    assert arrays[f"{layers[-1]['name']}/kernel"].shape == (1280, 7)
    assert all(array.dtype == np.float32 for array in arrays.values())


def test_a_residual_network_has_its_shortcuts_and_its_pooling():
    layers, _ = folded(make_network("resnet18", 7, 0.25).eval())
    sums = [layer for layer in layers if layer["kind"] == "add"]
    assert [layer["activation"] for layer in sums] == ["relu"] * 8
    by_name = {layer["name"]: layer for layer in layers}
    projected = [by_name[layer["inputs"][1]] for layer in sums if by_name[layer["inputs"][1]]["kind"] == "conv"]
    assert [(layer["size"], layer["stride"]) for layer in projected] == [(1, 2)] * 3
    assert [layer["pads"] for layer in layers if layer["kind"] == "maxpool"] == [[0, 1]]


class Odd(torch.nn.Module):
    """A network with something in it."""

    def __init__(self, something):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 8, 3, bias=False)
        self.something = something

    def forward(self, x):
        return self.something(self.conv(x))


@pytest.mark.parametrize(
    ("something", "message"),
    [
        (torch.nn.Hardswish(), "hardswish.* has no int8 counterpart on accelerators"),
        (torch.nn.Conv2d(8, 8, 3, groups=2, bias=False), "grouped, dilated or biased convolution: not folded"),
        (torch.nn.Conv2d(8, 8, 3), "grouped, dilated or biased convolution: not folded"),
        (torch.nn.ReflectionPad2d(1), "pad"),
    ],
)
def test_what_accelerators_do_not_map_is_named(something, message):
    with pytest.raises(BrickgateError, match=message):
        folded(Odd(something))
