"""A Hailo-8 or Hailo-8L, through Hailo's own library.

`hailo_platform` comes with Raspberry Pi OS's package `hailo-all` and is imported when a model is loaded. Its InferModel
API is used as its docstrings have it (HailoRT 4.18: VDevice, InferModel, ConfiguredInferModel.Bindings): one virtual
device with the scheduler, one configured model, one pair of buffers that are bound once. The chip normalises
(`model.alls` of docs/export.md), so that it takes the pixels as they are; the library turns its answer into floats.
"""

from __future__ import annotations

import importlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle.preprocess import MEAN, STD
from edge.errors import BundleError, HardwareError
from edge.hardware.interfaces import TensorSpec

MODULE = "hailo_platform"
TIMEOUT_MS = 1000
_FILE_IDENTIFIER = b"\x01HEF"
"""HEADER_MAGIC of HailoRT's hef_internal.hpp."""
CHIPS = {"HAILO8": "hailo8", "HAILO8L": "hailo8l"}
"""The chip's own name, and a bundle's for the file that was compiled for it."""


def import_hailo() -> Any:
    """Hailo's module.

    Raises:
        HardwareError: it is not installed, or does not fit the driver.
    """
    try:
        return importlib.import_module(MODULE)
    except ModuleNotFoundError as error:
        raise HardwareError(
            "accelerator hailo: its library is not installed: sudo apt install hailo-all, then reboot"
        ) from error
    except Exception as error:  # It checks its own version on the way in, and raises what it likes.
        raise HardwareError(
            f"accelerator hailo: its library cannot be imported ({_one_line(error)}): sudo apt install --reinstall"
            " hailo-all, then reboot"
        ) from error


def find_chip() -> str:
    """The chip that is there, by a bundle's name for it.

    Raises:
        HardwareError: no library, no chip, or one of another kind.
    """
    hailo = import_hailo()
    try:
        ids = hailo.Device.scan()
        if not ids:
            raise HardwareError("accelerator hailo: none answers: check the ribbon cable, then `hailortcli scan`")
        device = hailo.Device(ids[0])
        try:
            architecture = device.control.identify().device_architecture
        finally:
            device.release()
    except hailo.HailoRTException as error:
        raise HardwareError(f"accelerator hailo: it does not answer ({_one_line(error)}): power off and on") from error
    name = str(getattr(architecture, "name", architecture)).rpartition(".")[2]
    if name not in CHIPS:
        raise HardwareError(f"accelerator hailo: the chip is a {name}: a Hailo-8 or Hailo-8L can be used")
    return CHIPS[name]


def chip_there() -> str | None:
    """The same, and None where there is none that can be used."""
    try:
        return find_chip()
    except HardwareError:
        return None


def is_hef(model: Path) -> bool:
    """Whether a file is what Hailo's compiler makes; False where it cannot be read."""
    try:
        with model.open("rb") as stream:
            return stream.read(len(_FILE_IDENTIFIER)) == _FILE_IDENTIFIER
    except OSError:
        return False


class HailoAccelerator:
    """Runs a HEF file, which was compiled for the very chip. Takes uint8 RGB pixels, gives float32 logits."""

    name = "hailo"

    def __init__(self) -> None:
        self._device: Any = None
        self._configured: Any = None
        self._bindings: Any = None
        self._refused: type[Exception] = Exception
        self._input = np.empty(0, np.uint8)
        self._output = np.empty(0, np.float32)

    @property
    def input_spec(self) -> TensorSpec:
        """One step of a pixel is 1/127.5 of what the network sees, and 127.5 its zero."""
        self._loaded()
        return TensorSpec((1, *self._input.shape), np.dtype(np.uint8), 1 / STD, MEAN)

    @property
    def output_spec(self) -> TensorSpec:
        self._loaded()
        return TensorSpec((1, self._output.size), np.dtype(np.float32))

    def load(self, model: Path) -> None:
        """Opens the chip and gives it the model; another one may have been loaded before.

        Raises:
            HardwareError: the library or the chip is missing, or another process has it.
            BundleError: the file is missing, damaged or made for another chip.
        """
        self.close()
        _check_file(model)
        hailo = import_hailo()
        self._refused = hailo.HailoRTException
        try:
            parameters = hailo.VDevice.create_params()
            parameters.scheduling_algorithm = hailo.HailoSchedulingAlgorithm.ROUND_ROBIN
            self._device = hailo.VDevice(parameters)
        except self._refused as error:
            raise HardwareError(
                f"accelerator hailo: it cannot be opened ({_one_line(error)}): is another program using it?"
                " check the cable, then `hailortcli scan`"
            ) from error
        try:
            self._configure(hailo, model)
        except self._refused as error:
            self.close()
            raise BundleError(
                f"{model} cannot be loaded ({_one_line(error)}): it is damaged or was compiled for another chip; export"
                " it anew"
            ) from error
        except BaseException:
            self.close()
            raise

    def invoke(self, tensor: NDArray[np.generic]) -> NDArray[np.generic]:
        self._loaded()
        wanted = (1, *self._input.shape)
        if tensor.shape != wanted or tensor.dtype != np.uint8:
            raise ValueError(
                f"accelerator {self.name}: the input is {tensor.dtype} {tensor.shape}, the model takes uint8 {wanted}"
            )
        # The library reads and writes these very buffers, whatever lies beyond them: they are its own for good.
        np.copyto(self._input, tensor[0])
        try:
            self._configured.run([self._bindings], TIMEOUT_MS)
        except self._refused as error:
            raise HardwareError(f"accelerator {self.name}: the inference failed ({_one_line(error)})") from error
        return self._output.reshape(1, -1).copy()

    def close(self) -> None:
        """Lets go of the chip: first what hangs on it, as the library wants it."""
        self._bindings = None
        if self._configured is not None:
            with suppress(self._refused):
                self._configured.shutdown()
        self._configured = None
        if self._device is not None:
            with suppress(self._refused):
                self._device.release()
        self._device = None

    def _configure(self, hailo: Any, model: Path) -> None:
        network = self._device.create_infer_model(str(model))
        for role, streams in (("input", network.inputs), ("output", network.outputs)):
            if len(streams) != 1:
                raise BundleError(f"{model} has {len(streams)} {role}s: models with one picture as input can be run")
        source, answer = network.input(), network.output()
        source.set_format_type(hailo.FormatType.UINT8)
        answer.set_format_type(hailo.FormatType.FLOAT32)
        shape = tuple(int(side) for side in source.shape)
        if len(shape) != 3 or shape[2] != 3:
            raise BundleError(f"{model}: the input is {shape}: one RGB picture is needed")
        self._input = np.zeros(shape, np.uint8)
        self._output = np.zeros(tuple(int(side) for side in answer.shape), np.float32)
        self._configured = network.configure()
        self._bindings = self._configured.create_bindings()
        self._bindings.input().set_buffer(self._input)
        self._bindings.output().set_buffer(self._output)

    def _loaded(self) -> None:
        if self._bindings is None:
            raise HardwareError(f"accelerator {self.name}: used without a model: load one first")


def _check_file(model: Path) -> None:
    if not model.is_file():
        raise BundleError(f"{model} cannot be read (no such file): check the path of the model")
    if not is_hef(model):
        raise BundleError(f"{model} is no HEF model: give a .hef file of Hailo's compiler, or export the bundle anew")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:160]
