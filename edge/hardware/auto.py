"""The accelerator that takes what is there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.errors import HardwareError
from edge.hardware.hailo import HailoAccelerator, is_hef
from edge.hardware.interfaces import Accelerator, TensorSpec
from edge.hardware.tflite import (
    CpuAccelerator,
    EdgeTpuAccelerator,
    Runtime,
    import_runtime,
    is_compiled_for_edge_tpu,
    load_edge_tpu_delegate,
)


def has_coral(runtime: Runtime) -> bool:
    """Whether a Coral is there, with its library."""
    try:
        load_edge_tpu_delegate(import_runtime(runtime))
    except HardwareError:
        return False
    return True


class AutoAccelerator:
    """Chooses at `load`, where the model is known: a Hailo or a Coral for a model that is compiled for it, else the
    CPU. `say` is told in one line what was chosen and why."""

    def __init__(self, runtime: Runtime, threads: int, say: Callable[[str], None]) -> None:
        self._runtime: Runtime = runtime
        self._say = say
        self._chosen: Accelerator = CpuAccelerator(runtime, threads)
        self._threads = threads

    @property
    def name(self) -> str:
        return self._chosen.name

    @property
    def input_spec(self) -> TensorSpec:
        return self._chosen.input_spec

    @property
    def output_spec(self) -> TensorSpec:
        return self._chosen.output_spec

    def load(self, model: Path) -> None:
        self._chosen.close()
        if is_hef(model):
            self._chosen = HailoAccelerator()
            why = "the model is compiled for it"
        elif is_compiled_for_edge_tpu(model):
            self._chosen = EdgeTpuAccelerator(self._runtime)
            why = "the model is compiled for it"
        else:
            self._chosen = CpuAccelerator(self._runtime, self._threads)
            idle = f"the Coral stays idle, for {model.name} is not compiled for it"
            why = idle if has_coral(self._runtime) else "no Coral"
        self._chosen.load(model)
        self._say(f"accelerator: {self._chosen.name}; {why}")

    def invoke(self, tensor: NDArray[np.generic]) -> NDArray[np.generic]:
        return self._chosen.invoke(tensor)

    def close(self) -> None:
        self._chosen.close()
