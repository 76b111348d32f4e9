"""Stand-ins for the bundle and the accelerator: a network that tells red, green and blue parts apart."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.bundle.manifest import Bundle, BundlePart
from edge.bundle.preprocess import InputSpec
from edge.hardware.interfaces import TensorSpec

SIDE_PX = 32


def find_shared(name: str) -> Path:
    """A folder of the shared test data; skips where it is absent."""
    root = Path(os.environ.get("BRICKGATE_SHARED", Path(__file__).parents[2] / ".." / "shared"))
    folder = (root / name).resolve()
    if not folder.exists():
        pytest.skip(f"no shared data at {folder}: set BRICKGATE_SHARED")
    return folder


@dataclass
class ChannelNetwork:
    """An int8 network of three classes: its logits are the means of the three input channels, times 10."""

    side_px: int = SIDE_PX
    classes: int = 3
    dtype: str = "int8"
    inputs: list[NDArray[np.generic]] = field(default_factory=list)

    name = "channels"

    @property
    def input_spec(self) -> TensorSpec:
        return TensorSpec((1, self.side_px, self.side_px, 3), np.dtype(self.dtype), 1 / 127.5, 0)

    @property
    def output_spec(self) -> TensorSpec:
        return TensorSpec((1, self.classes), np.dtype(np.int8), 0.1, 0)

    def load(self, model: Path) -> None:
        raise NotImplementedError(f"it has no {model}")

    def invoke(self, tensor: NDArray[np.generic]) -> NDArray[np.generic]:
        assert tensor.shape == self.input_spec.shape
        assert tensor.dtype == self.input_spec.dtype
        self.inputs.append(tensor)
        means = tensor.astype(np.float64).mean(axis=(0, 1, 2)) / 127.5
        return np.rint(means[np.newaxis] * 100).clip(-128, 127).astype(np.int8)

    def close(self) -> None:
        self.inputs.clear()


def make_bundle(side_px: int = SIDE_PX, classes: int = 3, temperature: float = 1.0) -> Bundle:
    return Bundle(
        folder=Path("tiny"),
        name="tiny",
        model=Path("tiny/model.tflite"),
        input=InputSpec(side_px, side_px, 0.1),
        parts=tuple(BundlePart(str(3001 + k), f"Brick {k}", "Brick") for k in range(classes)),
        temperature=temperature,
        fusion_exponent=0.6,
        unsure_below=0.5,
        size_evidence=None,
        accelerators=("cpu",),
    )


@pytest.fixture
def channel_network() -> type[ChannelNetwork]:
    return ChannelNetwork


@pytest.fixture
def bundle_of() -> Callable[..., Bundle]:
    return make_bundle


@pytest.fixture
def shared() -> Callable[[str], Path]:
    return find_shared


class LitertAccelerator:
    """The smallest accelerator that runs a TFLite file."""

    name = "litert"

    def __init__(self, model: Path) -> None:
        self.load(model)

    def load(self, model: Path) -> None:
        interpreter = pytest.importorskip("ai_edge_litert.interpreter", reason="ai-edge-litert is not installed")
        self._interpreter = interpreter.Interpreter(str(model), num_threads=1)
        self._interpreter.allocate_tensors()

    @property
    def input_spec(self) -> TensorSpec:
        return _spec(self._interpreter.get_input_details()[0])

    @property
    def output_spec(self) -> TensorSpec:
        return _spec(self._interpreter.get_output_details()[0])

    def invoke(self, tensor: NDArray[np.generic]) -> NDArray[np.generic]:
        self._interpreter.set_tensor(self._interpreter.get_input_details()[0]["index"], tensor)
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._interpreter.get_output_details()[0]["index"])

    def close(self) -> None:
        del self._interpreter


def _spec(details: dict) -> TensorSpec:
    scale, zero_point = details["quantization"]
    return TensorSpec(
        tuple(int(n) for n in details["shape"]), np.dtype(details["dtype"]), float(scale), int(zero_point)
    )


@pytest.fixture
def litert() -> type[LitertAccelerator]:
    return LitertAccelerator
