"""What is in a TFLite file, and whether the Edge TPU's compiler can take all of it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import InputError

EDGE_TPU_OPERATOR = "edgetpu-custom-op"
NEWEST_VERSION = {
    "ADD": 2,
    "AVERAGE_POOL_2D": 2,
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
    "FULLY_CONNECTED": 4,
    "MAX_POOL_2D": 2,
    "MEAN": 2,
    "PAD": 2,
    "QUANTIZE": 1,
    "RESHAPE": 1,
    "SOFTMAX": 2,
}
"""Operators that the Edge TPU maps (Coral, "TensorFlow models on the Edge TPU", table of supported operations), of
those our networks and plain classifiers may have, each with the version at which TensorFlow Lite brought int8
(tensorflow/lite/tools/versioning/op_version.cc). Coral's own `tf2_mobilenet_v2_1.0_224_ptq.tflite` has just those."""
_TYPES = {"INT8", "UINT8", "INT32"}
_MOST_LISTED = 3


@dataclass(frozen=True, slots=True)
class Contents:
    """`operators` (name, version), each once; `types` of all tensors; `open_shapes` names of tensors without a fixed
    shape; `long_shapes` of those with more than three sides above 1."""

    operators: tuple[tuple[str, int], ...]
    types: frozenset[str]
    open_shapes: tuple[str, ...]
    long_shapes: tuple[str, ...]

    @property
    def compiled(self) -> bool:
        """Whether the file was made by the Edge TPU's compiler."""
        return any(name == EDGE_TPU_OPERATOR for name, _ in self.operators)


def read_contents(file: Path) -> Contents:
    """Reads a TFLite file by its schema.

    Raises:
        InputError: the file is missing, damaged or no TFLite model.
    """
    from ai_edge_litert import schema_py_generated as schema

    try:
        data = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror}): run 'brickgate-model quantize' first") from error
    if data[4:8] != b"TFL3":
        raise InputError(f"{file} is no TFLite model: give a .tflite file")
    try:
        return _contents(schema, schema.Model.GetRootAs(data, 0))
    except (struct.error, IndexError, ValueError, TypeError, KeyError, UnicodeDecodeError) as error:
        raise InputError(f"{file} is damaged: export it again") from error


def _contents(schema: Any, model: Any) -> Contents:
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    types = {value: name for name, value in vars(schema.TensorType).items() if isinstance(value, int)}
    operators = set()
    for k in range(model.OperatorCodesLength()):
        code = model.OperatorCodes(k)
        custom = code.CustomCode()
        # Files from before TensorFlow 2.4 have their code in the older, narrower field only.
        name = custom.decode() if custom else names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        operators.add((name, code.Version()))
    graphs = [model.Subgraphs(k) for k in range(model.SubgraphsLength())]
    tensors = [graph.Tensors(k) for graph in graphs for k in range(graph.TensorsLength())]
    open_shapes, long_shapes = [], []
    for tensor in tensors:
        shape = [tensor.Shape(k) for k in range(tensor.ShapeLength())]
        signature = [tensor.ShapeSignature(k) for k in range(tensor.ShapeSignatureLength())]
        name = (tensor.Name() or b"?").decode()
        if min([*shape, *signature], default=1) < 1:
            open_shapes.append(name)
        # Weights are the compiler's own business: only what flows through the network must fit.
        if sum(side > 1 for side in shape) > 3 and not _constant(model, tensor):
            long_shapes.append(name)
    return Contents(
        tuple(sorted(operators)), frozenset(types[t.Type()] for t in tensors), tuple(open_shapes), tuple(long_shapes)
    )


def _constant(model: Any, tensor: Any) -> bool:
    return model.Buffers(tensor.Buffer()).DataLength() > 0


def obstacles(contents: Contents) -> list[str]:
    """Why the Edge TPU's compiler would leave some of the model to the CPU; none: it maps all of it.

    The rules are Coral's: 8-bit integers throughout, sizes fixed, no more than the three innermost sides above 1,
    operators of the table.
    """
    if contents.compiled:
        return ["it is compiled already"]
    found = [
        f"{name} is no operator of the Edge TPU" if name not in NEWEST_VERSION else f"{name} has version {version}"
        for name, version in contents.operators
        if version > NEWEST_VERSION.get(name, 0)
    ]
    found += [f"it holds tensors of type {kind}" for kind in sorted(contents.types - _TYPES)]
    found += [f"the tensor {name} has no fixed shape" for name in contents.open_shapes[:_MOST_LISTED]]
    found += [f"the tensor {name} has more than three sides above 1" for name in contents.long_shapes[:_MOST_LISTED]]
    return found
