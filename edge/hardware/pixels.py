"""An accelerator that takes pixels and gives floats, as a Hailo does, made of one that does not."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge.bundle.dequantize import dequantize
from edge.bundle.preprocess import MEAN, STD, quantization_table
from edge.hardware.interfaces import Accelerator, TensorSpec


class PixelAccelerator:
    """Lets `inner` stand in for a Hailo: whoever asks has the Hailo's tensors in hand.

    Args:
        inner: runs the same network on int8, uint8 or float32 input; no model loaded yet.
    """

    def __init__(self, inner: Accelerator) -> None:
        self._inner = inner
        self._table: NDArray[np.generic] = np.empty(0)

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def input_spec(self) -> TensorSpec:
        return TensorSpec(self._inner.input_spec.shape, np.dtype(np.uint8), 1 / STD, MEAN)

    @property
    def output_spec(self) -> TensorSpec:
        return TensorSpec((1, int(np.prod(self._inner.output_spec.shape))), np.dtype(np.float32))

    def load(self, model: Path) -> None:
        self._inner.load(model)
        spec = self._inner.input_spec
        stored: Literal["int8", "uint8", "float32"]
        stored = "int8" if spec.dtype == np.int8 else "uint8" if spec.dtype == np.uint8 else "float32"
        self._table = quantization_table(spec.scale, spec.zero_point, stored)

    def invoke(self, tensor: NDArray[np.generic]) -> NDArray[np.generic]:
        wanted = self.input_spec
        if tensor.shape != wanted.shape or tensor.dtype != wanted.dtype:
            raise ValueError(
                f"accelerator {self.name}: the input is {tensor.dtype} {tensor.shape}, the model takes uint8"
                f" {wanted.shape}"
            )
        given = self._inner.output_spec
        answer = self._inner.invoke(np.take(self._table, tensor.astype(np.intp)))
        return dequantize(answer.reshape(1, -1), given.scale, given.zero_point)

    def close(self) -> None:
        self._inner.close()
