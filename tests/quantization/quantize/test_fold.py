"""A folded network, run by nothing but numpy, says what the trained one says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view

from quantization.quantize.fold import folded
from quantization.train.network import MobileNetV2


def same_padded(x, reach, stride):
    """(H, W, C) padded as TensorFlow's SAME."""
    total = [max((-(-side // stride) - 1) * stride + reach - side, 0) for side in x.shape[:2]]
    return np.pad(x, [(total[0] // 2, total[0] - total[0] // 2), (total[1] // 2, total[1] - total[1] // 2), (0, 0)])


def run(layers, arrays, picture):
    """The logits of one (H, W, 3) picture, as TensorFlow would compute the description."""
    values = [picture]
    for layer in layers:
        if layer["kind"] == "add":
            values.append(values[-1] + values[-1 - layer["back"]])
            continue
        kernel, bias = arrays[f"{layer['name']}/kernel"], arrays[f"{layer['name']}/bias"]
        padded = same_padded(values[-1], kernel.shape[0], layer["stride"])
        windows = sliding_window_view(padded, kernel.shape[:2], (0, 1))[:: layer["stride"], :: layer["stride"]]
        how = "vuchw,hwco->vuc" if layer["kind"] == "depthwise" else "vuchw,hwco->vuo"
        out = np.einsum(how, windows, kernel, optimize=True) + bias
        values.append(out.clip(0, 6) if layer["relu6"] else out)
    return values[-1].mean(axis=(0, 1)) @ arrays["dense/kernel"] + arrays["dense/bias"]


@pytest.fixture(scope="module")
def network():
    """A network whose norms have statistics, as after training."""
    torch.manual_seed(6)
    made = MobileNetV2(7, 0.35)
    made.train()
    with torch.no_grad():
        for norm in (m for m in made.modules() if isinstance(m, torch.nn.BatchNorm2d)):
            torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
            torch.nn.init.normal_(norm.bias, 0.2, 0.3)
        for _ in range(20):
            made(torch.randn(8, 3, 64, 64))
    return made.eval()


def test_the_folded_network_says_the_same(network):
    pictures = torch.randn(3, 3, 64, 64)
    with torch.no_grad():
        expected = network(pictures).numpy()
    layers, arrays = folded(network)
    found = np.stack([run(layers, arrays, p) for p in pictures.permute(0, 2, 3, 1).numpy()])
    assert np.abs(expected).max() > 0.05
    assert np.allclose(found, expected, atol=1e-4)


def test_the_description_is_plain_and_complete(network):
    layers, arrays = folded(network)
    kinds = [layer["kind"] for layer in layers]
    assert (kinds.count("depthwise"), kinds.count("add")) == (17, 10)
    assert kinds.count("conv") == 1 + 16 + 17 + 1
    assert {layer["stride"] for layer in layers if layer["kind"] != "add"} == {1, 2}
    named = {f"{layer['name']}/{what}" for layer in layers if layer["kind"] != "add" for what in ("kernel", "bias")}
    assert set(arrays) == named | {"dense/kernel", "dense/bias"}
    assert arrays["dense/kernel"].shape == (1280, 7)
    assert all(array.dtype == np.float32 for array in arrays.values())
