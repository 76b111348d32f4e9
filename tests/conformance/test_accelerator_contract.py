"""Every accelerator keeps the contract of `edge.hardware.interfaces.Accelerator`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import fake_coral
import fake_hailo
import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_model import EDGE_TPU_OPERATOR, SCALE, SIDE_PX, ZERO_POINT, write_model

from edge.errors import BundleError, HardwareError
from edge.hardware.auto import AutoAccelerator
from edge.hardware.hailo import HailoAccelerator
from edge.hardware.interfaces import Accelerator, TensorSpec
from edge.hardware.tflite import RUNTIME_MODULES, CpuAccelerator, EdgeTpuAccelerator, Runtime
from edge.sim.accelerator import TemperedAccelerator

SHAPE = (1, SIDE_PX, SIDE_PX, 3)


INT8 = TensorSpec(SHAPE, np.dtype(np.int8), SCALE, ZERO_POINT), TensorSpec((1, 3), np.dtype(np.int8), SCALE, ZERO_POINT)
PIXELS = TensorSpec(SHAPE, np.dtype(np.uint8), 1 / 127.5, 127.5)
FLOATS = TensorSpec((1, 3), np.dtype(np.float32))


@dataclass
class Bench:
    """An accelerator without a model, and a model that it can run: the mean of each channel. Values are told from −128
    to 127, whatever type the tensors have."""

    accelerator: Accelerator
    model: Path
    input_spec: TensorSpec = INT8[0]
    output_spec: TensorSpec = INT8[1]

    def stored(self, values: NDArray[np.int8]) -> NDArray[np.generic]:
        if self.input_spec.dtype == np.int8:
            return values
        return (values.astype(np.int16) + 128).astype(np.uint8)

    def picture(self, value: int) -> NDArray[np.generic]:
        return self.stored(np.full(SHAPE, value, np.int8))

    def answer(self, value: int) -> list[list[float]]:
        return [[value if self.output_spec.dtype == np.int8 else value + 128] * 3]


def _needs(runtime: Runtime) -> None:
    try:
        importlib.import_module(RUNTIME_MODULES[runtime])
    except ImportError:
        pytest.skip(f"{runtime} is not installed here")


def cpu(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Bench:
    _needs("litert")
    return Bench(CpuAccelerator(), write_model(folder / "means.tflite"))


def tempered(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Bench:
    """As a simulated machine hides it: the same numbers stand for more."""
    _needs("litert")
    model = write_model(folder / "means.tflite")
    spec = replace(INT8[1], scale=1.5 * SCALE)
    return Bench(TemperedAccelerator(CpuAccelerator(), 1.5), model, output_spec=spec)


def cpu_tflite_runtime(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Bench:
    _needs("tflite-runtime")
    return Bench(CpuAccelerator("tflite-runtime"), write_model(folder / "means.tflite"))


def edge_tpu(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Bench:
    model = write_model(folder / "means_edgetpu.tflite", custom_operator=EDGE_TPU_OPERATOR)
    fake_coral.install(monkeypatch)
    return Bench(EdgeTpuAccelerator(), model)


def auto_without_coral(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Bench:
    _needs("litert")
    return Bench(AutoAccelerator("litert", 1, lambda line: None), write_model(folder / "means.tflite"))


def auto_with_coral(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Bench:
    model = write_model(folder / "means_edgetpu.tflite", custom_operator=EDGE_TPU_OPERATOR)
    fake_coral.install(monkeypatch)
    return Bench(AutoAccelerator("litert", 1, lambda line: None), model)


def hailo(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Bench:
    fake_hailo.install(monkeypatch)
    return Bench(HailoAccelerator(), fake_hailo.write_hef(folder / "means.hef"), PIXELS, FLOATS)


def auto_with_hailo(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Bench:
    fake_hailo.install(monkeypatch)
    model = fake_hailo.write_hef(folder / "means.hef")
    return Bench(AutoAccelerator("litert", 1, lambda line: None), model, PIXELS, FLOATS)


MAKERS = [
    *(cpu, tempered, cpu_tflite_runtime, edge_tpu, auto_without_coral, auto_with_coral),
    *(hailo, auto_with_hailo),
]


@pytest.fixture(params=MAKERS, ids=lambda make: make.__name__)
def bench(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bench:
    return request.param(monkeypatch, tmp_path)


def test_it_tells_what_the_model_takes_and_gives(bench: Bench) -> None:
    bench.accelerator.load(bench.model)
    assert bench.accelerator.name
    assert bench.accelerator.input_spec == bench.input_spec
    assert bench.accelerator.output_spec == bench.output_spec


def test_it_computes_and_leaves_its_input_alone(bench: Bench) -> None:
    bench.accelerator.load(bench.model)
    tensor = bench.stored(np.random.default_rng(3).integers(-128, 128, SHAPE).astype(np.int8))
    before = tensor.copy()
    output = bench.accelerator.invoke(tensor)
    assert np.abs(output - tensor.astype(np.float64).mean(axis=(1, 2))).max() <= 1
    assert np.array_equal(tensor, before)


def test_an_answer_is_a_copy_of_its_own(bench: Bench) -> None:
    bench.accelerator.load(bench.model)
    first = bench.accelerator.invoke(bench.picture(40))
    bench.accelerator.invoke(bench.picture(-40))
    assert first.tolist() == bench.answer(40)


def test_the_same_input_gives_the_same_answer(bench: Bench) -> None:
    bench.accelerator.load(bench.model)
    answers = [bench.accelerator.invoke(bench.picture(17)).tolist() for _ in range(3)]
    assert answers == [bench.answer(17)] * 3


def test_a_view_of_a_larger_array_is_taken_as_it_is(bench: Bench) -> None:
    bench.accelerator.load(bench.model)
    wide = np.zeros((1, SIDE_PX, 2 * SIDE_PX, 3), bench.input_spec.dtype)
    wide[:, :, ::2] = bench.picture(50)
    assert bench.accelerator.invoke(wide[:, :, ::2]).tolist() == bench.answer(50)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda t: t.view(np.uint8 if t.dtype == np.int8 else np.int8),
        lambda t: t.astype(np.float32),
        lambda t: t[0],
        lambda t: t[:, :-1],
    ],
    ids=["other sign", "float32", "no batch", "too low"],
)
def test_another_shape_or_type_is_refused(bench: Bench, spoil: Callable[[NDArray], NDArray]) -> None:
    bench.accelerator.load(bench.model)
    with pytest.raises(ValueError, match=r"the model takes u?int8"):
        bench.accelerator.invoke(spoil(bench.picture(0)))


def use(bench: Bench) -> list[Callable[[], object]]:
    return [
        lambda: bench.accelerator.invoke(bench.picture(0)),
        lambda: bench.accelerator.input_spec,
        lambda: bench.accelerator.output_spec,
    ]


def test_it_does_nothing_without_a_model(bench: Bench) -> None:
    for call in use(bench):
        with pytest.raises(HardwareError, match="load one first"):
            call()


def test_it_does_nothing_after_close_which_may_be_called_again(bench: Bench) -> None:
    bench.accelerator.load(bench.model)
    bench.accelerator.close()
    bench.accelerator.close()
    for call in use(bench):
        with pytest.raises(HardwareError, match="load one first"):
            call()


def test_it_loads_again(bench: Bench) -> None:
    bench.accelerator.load(bench.model)
    bench.accelerator.load(bench.model)
    bench.accelerator.close()
    bench.accelerator.load(bench.model)
    assert bench.accelerator.invoke(bench.picture(5)).tolist() == bench.answer(5)


@pytest.mark.parametrize("content", [None, b"", b"TFL3", b"\x20\0\0\0TFL3", b"PK\3\4 a zip file"])
def test_what_is_no_model_is_named_in_one_line(bench: Bench, tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "bad.tflite"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(BundleError) as caught:
        bench.accelerator.load(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)
