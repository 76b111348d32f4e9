"""The ONNX file computes what the network computes."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from edge.errors import BrickgateError
from quantization.export.onnx_graph import OPSET, OnnxModel, write_onnx
from quantization.quantize.compare import logits_of
from quantization.quantize.fold import folded
from quantization.train.kinds import make_network

PICTURES = np.random.default_rng(4).integers(0, 256, (3, 64, 64, 3)).astype(np.uint8)


def made(kind, width):
    torch.manual_seed(9)
    network = make_network(kind, 6, width).train()
    with torch.no_grad():
        network(torch.randn(4, 3, 64, 64))
    return network.eval()


@pytest.mark.parametrize(("kind", "width"), [("mobilenet-v2", 0.35), ("resnet18", 0.25), ("resnet50", 0.25)])
def test_the_file_says_what_the_network_says(tmp_path, kind, width):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'brickgate[onnx]'")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install 'brickgate[onnx]'")
    network = made(kind, width)
    file = write_onnx(*folded(network), 64, tmp_path / "model.onnx")
    expected = logits_of(network, PICTURES)
    assert np.allclose(OnnxModel(file).logits(PICTURES), expected, atol=1e-4 * np.abs(expected).max())
    model = onnx.load(file)
    assert [entry.version for entry in model.opset_import] == [OPSET]
    kinds = {node.op_type for node in model.graph.node}
    assert kinds <= {"Conv", "Clip", "Relu", "Add", "MaxPool", "GlobalAveragePool", "Flatten", "Gemm", "Identity"}
    shape = [side.dim_value for side in model.graph.input[0].type.tensor_type.shape.dim]
    assert shape == [1, 3, 64, 64]


def test_what_is_missing_is_said(tmp_path, monkeypatch):
    layers, arrays = folded(made("mobilenet-v2", 0.25))
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(BrickgateError, match=r"onnx is not installed: `pip install 'brickgate\[onnx\]'`"):
        write_onnx(layers, arrays, 64, tmp_path / "model.onnx")
    with pytest.raises(BrickgateError, match=r"onnxruntime is not installed: `pip install 'brickgate\[onnx\]'`"):
        OnnxModel(tmp_path / "model.onnx")


def test_a_file_that_is_no_network_is_said(tmp_path):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install 'brickgate[onnx]'")
    (tmp_path / "model.onnx").write_text("not a network")
    with pytest.raises(BrickgateError, match=r"model\.onnx is no ONNX model that onnxruntime runs: export it again"):
        OnnxModel(tmp_path / "model.onnx")
