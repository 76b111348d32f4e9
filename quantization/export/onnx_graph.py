"""The folded network as an ONNX file: float, one picture, (1, 3, S, S) in −1…1 to (1, classes) logits.

The graph is written layer by layer from the same description as the TensorFlow twin: convolutions carry their padding,
and nothing is left of batch norms, so that a compiler finds only what it maps (docs/decisions/0007-onnx-by-hand.md).
Operator set 11 is what Hailo's own retraining guides export (Hailo Model Zoo, training/fcn/README.rst).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle.preprocess import normalise
from edge.errors import BrickgateError
from quantization.quantize.fold import PICTURE, Arrays, Layer

OPSET = 11
IR_VERSION = 6
"""Of ONNX 1.6, which brought operator set 11."""
LOGITS = "logits"
_MISSING = "onnx is not installed: `pip install 'brickgate[onnx]'`"


def write_onnx(layers: list[Layer], arrays: Arrays, input_px: int, file: Path) -> Path:
    """Writes the network and checks it.

    Args:
        layers: from `quantization.quantize.fold.folded`, with `arrays`.
        input_px: side of the picture.
        file: is replaced.

    Raises:
        BrickgateError: onnx is not installed, or does not accept the graph.
    """
    try:
        import onnx
    except ModuleNotFoundError as error:
        raise BrickgateError(_MISSING) from error
    helper, graph = onnx.helper, _Graph(onnx)
    for layer in layers:
        graph.add(layer, arrays)
    classes = len(arrays[f"{layers[-1]['name']}/bias"])
    graph.node("Identity", [layers[-1]["name"]], LOGITS)
    float_ = onnx.TensorProto.FLOAT
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "brickgate",
            [helper.make_tensor_value_info(PICTURE, float_, [1, 3, input_px, input_px])],
            [helper.make_tensor_value_info(LOGITS, float_, [1, classes])],
            graph.weights,
        ),
        producer_name="brickgate",
        opset_imports=[helper.make_opsetid("", OPSET)],
    )
    model.ir_version = IR_VERSION
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise BrickgateError(f"the ONNX graph is not valid: {' '.join(str(error).split())[:200]}") from error
    file.write_bytes(model.SerializeToString())
    return file


class _Graph:
    """Nodes and weights, added layer by layer; a layer's value has the layer's name."""

    def __init__(self, onnx: Any) -> None:
        self._onnx = onnx
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self.nodes.append(self._onnx.helper.make_node(kind, inputs, [output], name=output, **attributes))

    def _weight(self, name: str, array: NDArray[np.float32]) -> str:
        self.weights.append(self._onnx.numpy_helper.from_array(np.ascontiguousarray(array, np.float32), name))
        return name

    def add(self, layer: Layer, arrays: Arrays) -> None:
        name, activation = layer["name"], layer["activation"]
        self._bare(layer, arrays, f"{name}/linear" if activation else name)
        if activation == "relu":
            self.node("Relu", [f"{name}/linear"], name)
        elif activation == "relu6":
            low, high = (self._weight(f"{name}/{end}", np.array(end)) for end in (0, 6))
            self.node("Clip", [f"{name}/linear", low, high], name)

    def _bare(self, layer: Layer, arrays: Arrays, output: str) -> None:
        name, inputs, kind = layer["name"], layer["inputs"], layer["kind"]
        if kind == "add":
            self.node("Add", inputs, output)
        elif kind == "mean":
            self.node("GlobalAveragePool", inputs, f"{output}/square")
            self.node("Flatten", [f"{output}/square"], output)
        elif kind == "dense":
            kernel = self._weight(f"{name}/kernel", arrays[f"{name}/kernel"])
            bias = self._weight(f"{name}/bias", arrays[f"{name}/bias"])
            self.node("Gemm", [*inputs, kernel, bias], output)
        else:
            before, after = layer["pads"]
            window = {
                "kernel_shape": [layer["size"]] * 2,
                "strides": [layer["stride"]] * 2,
                "pads": [before, before, after, after],
            }
            if kind == "maxpool":
                self.node("MaxPool", inputs, output, **window)
                return
            order = (2, 3, 0, 1) if kind == "depthwise" else (3, 2, 0, 1)
            kernel = arrays[f"{name}/kernel"].transpose(order)
            group = len(kernel) if kind == "depthwise" else 1
            names = [self._weight(f"{name}/kernel", kernel), self._weight(f"{name}/bias", arrays[f"{name}/bias"])]
            self.node("Conv", [*inputs, *names], output, group=group, **window)


class OnnxModel:
    """An ONNX classifier run on the CPU, for evaluation."""

    def __init__(self, file: Path, threads: int = 1) -> None:
        try:
            import onnxruntime
        except ModuleNotFoundError as error:
            raise BrickgateError("onnxruntime is not installed: `pip install 'brickgate[onnx]'`") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's errors have no common base
            raise BrickgateError(f"{file} is no ONNX model that onnxruntime runs: export it again") from error

    def logits(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, K) logits of (N, H, W, 3) uint8 RGB pictures."""
        planes = normalise(pictures).transpose(0, 3, 1, 2)
        return np.concatenate([self._one(plane[np.newaxis]) for plane in planes])

    def _one(self, plane: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(self._session.run(None, {PICTURE: plane})[0])
