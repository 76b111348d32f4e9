"""Accelerators that run a TFLite file: the CPU, and Coral's Edge TPU through its delegate.

Both runtimes have the same `Interpreter`: ai-edge-litert, and its predecessor tflite-runtime. They are imported when a
model is loaded, not before. ai-edge-litert verifies a file before it uses it; tflite-runtime 2.14 crashes on a damaged
one, so give it only models whose hash was checked, as those of bundles are.
"""

from __future__ import annotations

import ctypes
import importlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edge.errors import BundleError, HardwareError
from edge.hardware.interfaces import TensorSpec

Runtime = Literal["litert", "tflite-runtime"]
RUNTIME_MODULES: dict[Runtime, str] = {
    "litert": "ai_edge_litert.interpreter",
    "tflite-runtime": "tflite_runtime.interpreter",
}
EDGE_TPU_LIBRARY = "libedgetpu.so.1"
RUNTIME_PACKAGES: dict[Runtime, str] = {"litert": "ai-edge-litert", "tflite-runtime": "tflite-runtime"}
_FILE_IDENTIFIER = b"TFL3"
_EDGE_TPU_OPERATOR = "edgetpu-custom-op"
_ALTERNATIVE: dict[Runtime, Runtime] = {"litert": "tflite-runtime", "tflite-runtime": "litert"}


def import_runtime(runtime: Runtime) -> Any:
    """The runtime's interpreter module.

    Raises:
        HardwareError: the package is missing or does not fit the installed numpy.
    """
    package, other = RUNTIME_PACKAGES[runtime], _ALTERNATIVE[runtime]
    try:
        return importlib.import_module(RUNTIME_MODULES[runtime])
    except ModuleNotFoundError as error:
        raise HardwareError(
            f"accelerator: {package} is not installed: `pip install {package}`, or set accelerator.runtime: {other}"
        ) from error
    except (ImportError, AttributeError, OSError) as error:
        raise HardwareError(
            f"accelerator: {package} cannot be imported ({_one_line(error)}): install it again, or set"
            f" accelerator.runtime: {other}"
        ) from error


class CpuAccelerator:
    """Runs the model on `threads` CPU cores."""

    kind = "cpu"

    def __init__(self, runtime: Runtime = "litert", threads: int = 1) -> None:
        self._runtime: Runtime = runtime
        self._threads = threads
        self._interpreter: Any = None
        self._input: dict[str, Any] = {}
        self._output: dict[str, Any] = {}

    @property
    def name(self) -> str:
        return f"{self.kind} ({self._runtime})"

    @property
    def input_spec(self) -> TensorSpec:
        self._loaded()
        return _spec(self._input)

    @property
    def output_spec(self) -> TensorSpec:
        self._loaded()
        return _spec(self._output)

    def load(self, model: Path) -> None:
        """Reads and checks a TFLite file; another one may have been loaded before.

        Raises:
            HardwareError: the runtime or its delegate is missing.
            BundleError: the file is missing, damaged, or needs what this accelerator has not.
        """
        self.close()
        _check_file(model)
        module = import_runtime(self._runtime)
        interpreter = _open(module, model, self._threads, self._delegates(module), self._runtime)
        self._input = _only_tensor(model, "input", interpreter.get_input_details())
        self._output = _only_tensor(model, "output", interpreter.get_output_details()[:1])
        self._interpreter = interpreter

    def invoke(self, tensor: NDArray[np.generic]) -> NDArray[np.generic]:
        interpreter = self._loaded()
        if tensor.shape != tuple(self._input["shape"]) or tensor.dtype != self._input["dtype"]:
            raise ValueError(
                f"accelerator {self.name}: the input is {tensor.dtype} {tensor.shape}, the model takes"
                f" {np.dtype(self._input['dtype'])} {tuple(int(side) for side in self._input['shape'])}"
            )
        try:
            interpreter.set_tensor(self._input["index"], tensor)
            interpreter.invoke()
            return interpreter.get_tensor(self._output["index"])
        except (RuntimeError, ValueError) as error:
            raise HardwareError(f"accelerator {self.name}: the inference failed ({_one_line(error)})") from error

    def close(self) -> None:
        self._interpreter = None

    def _delegates(self, module: Any) -> list[Any]:
        """What takes operators off the CPU."""
        del module
        return []

    def _loaded(self) -> Any:
        if self._interpreter is None:
            raise HardwareError(f"accelerator {self.name}: used without a model: load one first")
        return self._interpreter


class EdgeTpuAccelerator(CpuAccelerator):
    """Runs a model that was compiled for the Edge TPU on a Coral; operators left over run on one CPU core. `load`
    refuses a model that was not compiled: all of it would run on the CPU, unnoticed."""

    kind = "edgetpu"

    def __init__(self, runtime: Runtime = "litert") -> None:
        super().__init__(runtime)

    def load(self, model: Path) -> None:
        if not is_compiled_for_edge_tpu(model):
            raise BundleError(
                f"{model} is not compiled for the Edge TPU: run edgetpu_compiler on it, or set accelerator.driver: cpu"
            )
        super().load(model)

    def _delegates(self, module: Any) -> list[Any]:
        return [load_edge_tpu_delegate(module)]


def is_compiled_for_edge_tpu(model: Path) -> bool:
    """Whether a TFLite file holds an operator that only the Edge TPU knows.

    Raises:
        BundleError: the file cannot be read or is no TFLite model.
    """
    _check_file(model)
    return _EDGE_TPU_OPERATOR.encode() in model.read_bytes()


def load_edge_tpu_delegate(module: Any) -> Any:
    """Opens the first Coral through `module`, a runtime of `import_runtime`.

    Raises:
        HardwareError: the library is not installed, or no Coral answers.
    """
    try:
        ctypes.CDLL(EDGE_TPU_LIBRARY)  # The runtimes' own attempt leaves a half-made object that complains when freed.
        return module.load_delegate(EDGE_TPU_LIBRARY)
    except OSError as error:
        raise HardwareError(
            f"accelerator edgetpu: {EDGE_TPU_LIBRARY} is missing: install Coral's package libedgetpu1-std"
        ) from error
    except (ValueError, RuntimeError) as error:
        raise HardwareError(
            "accelerator edgetpu: no Coral answers: plug it in (USB 3), and let this user reach it"
            " (group plugdev, the udev rules of libedgetpu1-std)"
        ) from error


def _check_file(model: Path) -> None:
    try:
        with model.open("rb") as stream:
            head = stream.read(8)
    except OSError as error:
        raise BundleError(f"{model} cannot be read ({error.strerror}): check the path of the model") from error
    if head[4:] != _FILE_IDENTIFIER:
        raise BundleError(f"{model} is no TFLite model: give a .tflite file, or fetch the bundle again")


def _open(module: Any, model: Path, threads: int, delegates: list[Any], runtime: Runtime) -> Any:
    try:
        interpreter = module.Interpreter(
            model_path=str(model), num_threads=threads, experimental_delegates=delegates or None
        )
        interpreter.allocate_tensors()
    except (AttributeError, ImportError, SystemError) as error:
        # tflite-runtime 2.14 was built for numpy 1; with numpy 2 it imports and fails here.
        raise HardwareError(
            f"accelerator: {RUNTIME_PACKAGES[runtime]} fails with numpy {np.__version__}: `pip install 'numpy<2'`, or"
            f" set accelerator.runtime: {_ALTERNATIVE[runtime]}"
        ) from error
    except (ValueError, RuntimeError) as error:
        raise BundleError(_why_refused(model, str(error))) from error
    return interpreter


def _why_refused(model: Path, message: str) -> str:
    if _EDGE_TPU_OPERATOR in message:
        return f"{model} is compiled for the Edge TPU: set accelerator.driver: edgetpu, or give the uncompiled model"
    return (
        f"{model} cannot be loaded ({_one_line(message)}): the file is damaged or needs another runtime;"
        " fetch it again or export it anew"
    )


def _only_tensor(model: Path, role: str, tensors: list[dict[str, Any]]) -> dict[str, Any]:
    if len(tensors) != 1:
        raise BundleError(f"{model} has {len(tensors)} {role} tensors: models with one picture as {role} can be run")
    signature = tensors[0].get("shape_signature", tensors[0]["shape"])
    if any(side < 1 for side in signature):
        raise BundleError(
            f"{model}: the {role} has the open shape {tuple(int(side) for side in signature)}: export the model with"
            " a fixed shape"
        )
    return tensors[0]


def _spec(tensor: dict[str, Any]) -> TensorSpec:
    scale, zero_point = tensor["quantization"]
    shape = tuple(int(side) for side in tensor["shape"])
    return TensorSpec(shape, np.dtype(tensor["dtype"]), float(scale), int(zero_point))


def _one_line(error: Exception | str) -> str:
    return " ".join(str(error).split())[:160]
