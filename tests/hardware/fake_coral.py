"""A TFLite runtime that knows a Coral: it computes the channels' means, as `tiny_model` promises."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from typing import Any

import numpy as np
from tiny_model import EDGE_TPU_OPERATOR, SCALE, SIDE_PX, ZERO_POINT

LIBRARY = "libedgetpu.so.1"


class FakeCoral:
    """Stands in for the module ai_edge_litert.interpreter."""

    def __init__(self) -> None:
        self.plugged_in = True
        self.delegates: list[object] = []
        self.Interpreter = _interpreter_for(self)

    def load_delegate(self, library: str) -> object:
        assert library == LIBRARY
        if not self.plugged_in:
            raise ValueError(f"Failed to load delegate from {library}\n")
        self.delegates.append(object())
        return self.delegates[-1]


def _interpreter_for(coral: FakeCoral) -> type:
    class Interpreter:
        def __init__(self, model_path: str, num_threads: int, experimental_delegates: list[object] | None) -> None:
            assert num_threads >= 1
            delegates = experimental_delegates or []
            assert all(delegate in coral.delegates for delegate in delegates)
            content = Path(model_path).read_bytes()
            if len(content) < 64:
                raise ValueError("The model is not a valid Flatbuffer buffer")
            self._compiled = EDGE_TPU_OPERATOR.encode() in content
            self._on_coral = bool(delegates)
            self._input: Any = None
            self._output: Any = None
            self._allocated = False

        def allocate_tensors(self) -> None:
            if self._compiled and not self._on_coral:
                raise RuntimeError(f"Encountered unresolved custom op: {EDGE_TPU_OPERATOR}.Node number 0 failed.")
            self._allocated = True

        def get_input_details(self) -> list[dict[str, Any]]:
            return [_details(0, (1, SIDE_PX, SIDE_PX, 3))]

        def get_output_details(self) -> list[dict[str, Any]]:
            return [_details(1, (1, 3))]

        def set_tensor(self, index: int, tensor: np.ndarray) -> None:
            assert index == 0
            if not self._allocated:
                raise RuntimeError("tensors were not allocated")
            if tensor.shape != (1, SIDE_PX, SIDE_PX, 3) or tensor.dtype != np.int8:
                raise ValueError("Cannot set tensor: wrong shape or type")
            self._input = tensor.copy()

        def invoke(self) -> None:
            if self._input is None:
                raise RuntimeError("no input was set")
            if self._on_coral and not coral.plugged_in:
                raise RuntimeError("Failed to execute request. USB transfer error 5\n")
            self._output = np.rint(self._input.astype(np.float64).mean(axis=(1, 2))).astype(np.int8)

        def get_tensor(self, index: int) -> np.ndarray:
            assert index == 1
            if self._output is None:
                raise ValueError("Tensor data is null")
            return self._output.copy()

    return Interpreter


def _details(index: int, shape: tuple[int, ...]) -> dict[str, Any]:
    sides = np.array(shape, np.int32)
    quantization = (SCALE, ZERO_POINT)
    return {"index": index, "shape": sides, "shape_signature": sides, "dtype": np.int8, "quantization": quantization}


def install(monkeypatch: Any) -> FakeCoral:
    """Puts a runtime with a Coral in the place of ai-edge-litert, and libedgetpu on the system."""
    coral, real_open = FakeCoral(), ctypes.CDLL
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", coral)
    monkeypatch.setattr(ctypes, "CDLL", lambda name, *rest, **more: None if name == LIBRARY else real_open(name, *rest))
    return coral
