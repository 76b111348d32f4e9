"""The TensorFlow twin of a residual network, converted: shortcuts, pooling, padding that is neither SAME nor VALID."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edge.errors import BrickgateError
from quantization.export.flatbuffer import obstacles, read_contents
from quantization.quantize.compare import logits_of
from quantization.quantize.convert import TfliteModel, convert, convert_python
from quantization.quantize.settle import settled
from quantization.train.kinds import make_network

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("kind", "width"), [("resnet18", 0.25), ("resnet50", 0.25)])
def test_a_residual_network_becomes_int8(tmp_path, kind, width):
    try:
        convert_python()
    except BrickgateError as error:
        pytest.skip(str(error))
    torch.manual_seed(3)
    network = make_network(kind, 5, width).train()
    pictures = np.random.default_rng(2).integers(0, 256, (4, 64, 64, 3)).astype(np.uint8)
    with torch.no_grad():
        network(torch.randn(4, 3, 64, 64))
    network = settled(network)
    model = convert(network, pictures, 64, tmp_path)[4]
    expected = logits_of(network, pictures)
    largest = np.abs(expected).max()
    assert np.abs(TfliteModel(tmp_path / "float.tflite").logits(pictures) - expected).max() < 1e-4 * largest
    assert np.abs(TfliteModel(model).logits(pictures) - expected).max() < 0.15 * largest
    assert obstacles(read_contents(model)) == []
