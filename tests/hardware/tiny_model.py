"""Writes TFLite files of one operator: the mean of each channel of a small picture, int8."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

SIDE_PX = 8
SCALE = 0.5
ZERO_POINT = -3
EDGE_TPU_OPERATOR = "edgetpu-custom-op"


def write_model(
    file: Path,
    *,
    inputs: int = 1,
    open_shape: bool = False,
    custom_operator: str | None = None,
    side_px: int = SIDE_PX,
    scale: float = SCALE,
    zero_point: int = ZERO_POINT,
) -> Path:
    """A model from (1, side_px, side_px, 3) to (1, 3), both int8 of the same scale.

    Args:
        file: where to.
        inputs: 2 adds an input that nothing uses.
        open_shape: leaves the batch open.
        custom_operator: instead of the mean, an operator of this name.
        side_px: of the picture.
        scale: of both tensors, with `zero_point`.
    """
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated", reason="ai-edge-litert is not installed")
    flatbuffers = pytest.importorskip("flatbuffers", reason="ai-edge-litert is not installed")
    model = schema.ModelT()
    model.version = 3
    model.operatorCodes = [_operator(schema, custom_operator)]
    axes = schema.BufferT()
    axes.data = np.frombuffer(np.array([1, 2], np.int32).tobytes(), np.uint8)
    model.buffers = [schema.BufferT(), axes]
    model.subgraphs = [_graph(schema, inputs, open_shape, custom_operator is not None, side_px)]
    for tensor in model.subgraphs[0].tensors:
        if tensor.quantization is not None:
            tensor.quantization.scale = np.array([scale], np.float32)
            tensor.quantization.zeroPoint = np.array([zero_point], np.int64)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    file.write_bytes(bytes(builder.Output()))
    return file


def _operator(schema: ModuleType, custom: str | None) -> object:
    code = schema.OperatorCodeT()
    builtin = schema.BuiltinOperator.MEAN if custom is None else schema.BuiltinOperator.CUSTOM
    code.builtinCode = builtin
    code.deprecatedBuiltinCode = min(builtin, 127)
    code.customCode = custom
    code.version = 1 if custom else 2
    return code


def _graph(schema: ModuleType, inputs: int, open_shape: bool, custom: bool, side_px: int) -> object:
    picture = _tensor(schema, "picture", [1, side_px, side_px, 3])
    if open_shape:
        picture.shapeSignature = np.array([-1, side_px, side_px, 3], np.int32)
    axes = schema.TensorT()
    axes.name, axes.shape, axes.type, axes.buffer = "axes", np.array([2], np.int32), schema.TensorType.INT32, 1
    mean = schema.OperatorT()
    mean.opcodeIndex, mean.inputs, mean.outputs = 0, np.array([0, 1], np.int32), np.array([2], np.int32)
    if not custom:
        mean.builtinOptionsType = schema.BuiltinOptions.ReducerOptions
        mean.builtinOptions = schema.ReducerOptionsT()
    graph = schema.SubGraphT()
    graph.tensors = [picture, axes, _tensor(schema, "means", [1, 3]), _tensor(schema, "unused", [1, 3])]
    graph.inputs = np.array([0, 3][:inputs], np.int32)
    graph.outputs = np.array([2], np.int32)
    graph.operators = [mean]
    return graph


def _tensor(schema: ModuleType, name: str, shape: list[int]):
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type, tensor.buffer = name, np.array(shape, np.int32), schema.TensorType.INT8, 0
    tensor.quantization = schema.QuantizationParametersT()
    return tensor
