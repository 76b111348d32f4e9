"""A `hailo_platform` with one chip: it computes the channels' means of a picture, and refuses what HailoRT refuses.

After the docstrings of HailoRT 4.18's Python package: a device is opened by one process only; a model is configured
once its formats are set; buffers have the very shape and type of their streams, else the real library reads and writes
beyond them; `run` takes a list of bindings and milliseconds; nothing works after `release` or `shutdown`.
"""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from tiny_model import SIDE_PX

HEF = b"\x01HEF"


def write_hef(file: Path, chip: str = "HAILO8L", side_px: int = SIDE_PX) -> Path:
    """A model for one chip, from (side_px, side_px, 3) to three values."""
    file.write_bytes(HEF + f" {chip} {side_px}".encode().ljust(64))
    return file


class FormatType(Enum):
    AUTO = 0
    UINT8 = 1
    FLOAT32 = 3


class HailoSchedulingAlgorithm(Enum):
    NONE = 0
    ROUND_ROBIN = 1


class HailoRTException(Exception):  # noqa: N818 - its own name
    pass


class HailoRTTimeout(HailoRTException):
    pass


class FakeHailo:
    """Stands in for the module. `answers` False is a chip that hangs; `there` False one that is not plugged in."""

    def __init__(self, chip: str = "HAILO8L") -> None:
        self.chip = chip
        self.there = self.answers = True
        self.opened: list[Any] = []
        self.runs = 0
        self.FormatType = FormatType
        self.HailoSchedulingAlgorithm = HailoSchedulingAlgorithm
        self.HailoRTException = HailoRTException
        hailo = self

        class Device:
            @staticmethod
            def scan() -> list[str]:
                return ["0000:01:00.0"] if hailo.there else []

            def __init__(self, device_id: str) -> None:
                assert device_id == "0000:01:00.0"
                hailo.open(self)

            @property
            def control(self) -> Any:
                assert self in hailo.opened, "used after release"
                architecture = SimpleNamespace(name=hailo.chip)
                return SimpleNamespace(identify=lambda: SimpleNamespace(device_architecture=architecture))

            def release(self) -> None:
                hailo.opened.remove(self)

        class VDevice:
            @staticmethod
            def create_params() -> Any:
                return SimpleNamespace(scheduling_algorithm=HailoSchedulingAlgorithm.ROUND_ROBIN)

            def __init__(self, params: Any) -> None:
                assert isinstance(params.scheduling_algorithm, HailoSchedulingAlgorithm)
                hailo.open(self)

            def create_infer_model(self, hef_source: str) -> InferModel:
                assert type(hef_source) is str, "a Path is neither a str nor bytes"
                assert self in hailo.opened, "used after release"
                return InferModel(hailo, self, Path(hef_source).read_bytes())

            def release(self) -> None:
                if self in hailo.opened:
                    hailo.opened.remove(self)

        self.Device, self.VDevice = Device, VDevice

    def open(self, device: Any) -> None:
        if not self.there:
            raise HailoRTException("HAILO_OUT_OF_PHYSICAL_DEVICES(74)")
        if self.opened:
            raise HailoRTException("HAILO_DEVICE_IN_USE(73)")
        self.opened.append(device)


class Stream:
    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = list(shape)
        self.format_type = FormatType.AUTO
        self.frozen = False

    def set_format_type(self, wanted: FormatType) -> None:
        assert not self.frozen, "formats are set before configure"
        assert isinstance(wanted, FormatType)
        self.format_type = wanted


class InferModel:
    def __init__(self, hailo: FakeHailo, device: Any, content: bytes) -> None:
        words = content.split()
        if content[:4] != HEF or len(words) != 3:
            raise HailoRTException("HAILO_INVALID_HEF(26)")
        if words[1].decode() != hailo.chip:
            raise HailoRTException("HAILO_HEF_NOT_COMPATIBLE_WITH_DEVICE(93)")
        self.hailo, self.device = hailo, device
        side_px = int(words[2])
        self._in, self._out = Stream((side_px, side_px, 3)), Stream((3,))
        self.inputs, self.outputs = [self._in], [self._out]

    def input(self) -> Stream:
        return self._in

    def output(self) -> Stream:
        return self._out

    def configure(self) -> Configured:
        self._in.frozen = self._out.frozen = True
        return Configured(self)


class Buffer:
    def __init__(self, stream: Stream, dtype: type) -> None:
        self._stream, self._dtype = stream, dtype
        self.array: Any = None

    def set_buffer(self, array: np.ndarray) -> None:
        assert array.flags.c_contiguous, "the library would read beyond the picture"
        assert list(array.shape) == self._stream.shape, "the library would read beyond the buffer"
        assert array.dtype == self._dtype, "the library would read beyond the buffer"
        self.array = array


class Configured:
    def __init__(self, model: InferModel) -> None:
        self._model = model
        self._up = True

    def create_bindings(self) -> Any:
        assert self._up
        source, answer = self._model.input(), self._model.output()
        assert (source.format_type, answer.format_type) == (FormatType.UINT8, FormatType.FLOAT32)
        buffers = Buffer(source, np.uint8), Buffer(answer, np.float32)
        return SimpleNamespace(input=lambda: buffers[0], output=lambda: buffers[1], of=self)

    def run(self, bindings: list[Any], timeout: int) -> None:
        assert isinstance(bindings, list)
        assert [one.of for one in bindings] == [self]
        assert timeout > 0
        assert self._up, "used after shutdown"
        assert self._model.device in self._model.hailo.opened, "used after release"
        hailo = self._model.hailo
        if not hailo.there:
            raise HailoRTException("HAILO_DRIVER_OPERATION_FAILED(36)")
        if not hailo.answers:
            raise HailoRTTimeout(f"HAILO_TIMEOUT(4) after {timeout} ms")
        source, answer = bindings[0].input().array, bindings[0].output().array
        assert source is not None
        assert answer is not None
        answer[:] = source.astype(np.float64).mean(axis=(0, 1))
        hailo.runs += 1

    def shutdown(self) -> None:
        assert self._model.device in self._model.hailo.opened, "the device was released before its model"
        self._up = False


def install(monkeypatch: Any, chip: str = "HAILO8L") -> FakeHailo:
    """Puts a library with one chip in the place of Hailo's."""
    hailo = FakeHailo(chip)
    monkeypatch.setitem(sys.modules, "hailo_platform", hailo)
    return hailo
