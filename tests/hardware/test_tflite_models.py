"""Models that cannot be run, runtimes and Corals that are missing: one line each that says what to do."""

from __future__ import annotations

import sys
from pathlib import Path

import fake_coral
import numpy as np
import pytest
from tiny_model import EDGE_TPU_OPERATOR, SIDE_PX, write_model

from edge.errors import BundleError, HardwareError
from edge.hardware.auto import AutoAccelerator
from edge.hardware.tflite import CpuAccelerator, EdgeTpuAccelerator, is_compiled_for_edge_tpu

PICTURE = np.zeros((1, SIDE_PX, SIDE_PX, 3), np.int8)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "means.tflite")


@pytest.fixture
def compiled(tmp_path: Path) -> Path:
    return write_model(tmp_path / "means_edgetpu.tflite", custom_operator=EDGE_TPU_OPERATOR)


@pytest.mark.parametrize(
    ("spoilt", "message"),
    [
        ({"inputs": 2}, r"2 input tensors"),
        ({"open_shape": True}, r"open shape \(-1, 8, 8, 3\): export"),
        ({"custom_operator": "SomethingNew"}, r"SomethingNew.*export it anew"),
        ({"custom_operator": EDGE_TPU_OPERATOR}, r"compiled for the Edge TPU: set accelerator.driver"),
    ],
)
def test_a_model_that_cannot_be_run_says_why(tmp_path: Path, spoilt: dict, message: str) -> None:
    file = write_model(tmp_path / "odd.tflite", **spoilt)
    with pytest.raises(BundleError, match=message) as caught:
        CpuAccelerator().load(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_truncated_model_is_refused_wherever_it_ends(model: Path, tmp_path: Path) -> None:
    content, short = model.read_bytes(), tmp_path / "short.tflite"
    accelerator = CpuAccelerator()
    for length in range(0, len(content) * 3 // 4, 37):
        short.write_bytes(content[:length])
        with pytest.raises(BundleError, match=r"short\.tflite"):
            accelerator.load(short)


def test_a_refused_model_leaves_none_loaded(model: Path, tmp_path: Path) -> None:
    accelerator = CpuAccelerator()
    accelerator.load(model)
    with pytest.raises(BundleError):
        accelerator.load(tmp_path / "gone.tflite")
    with pytest.raises(HardwareError, match="load one first"):
        accelerator.invoke(PICTURE)


@pytest.mark.parametrize(
    ("runtime", "module", "advice"),
    [
        ("litert", "ai_edge_litert.interpreter", "pip install ai-edge-litert.*tflite-runtime"),
        ("tflite-runtime", "tflite_runtime.interpreter", "pip install tflite-runtime.*litert"),
    ],
)
def test_a_missing_runtime_is_named_with_its_alternative(
    monkeypatch: pytest.MonkeyPatch, model: Path, runtime: str, module: str, advice: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(HardwareError, match=advice):
        CpuAccelerator(runtime).load(model)  # pyright: ignore[reportArgumentType]


def test_a_runtime_built_for_an_older_numpy_is_told(monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    coral = fake_coral.install(monkeypatch)

    def refuse(**_: object) -> None:
        raise AttributeError("_ARRAY_API not found")

    coral.Interpreter = refuse  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(HardwareError, match=r"fails with numpy .*numpy<2"):
        CpuAccelerator().load(model)


def test_only_compiled_models_are_for_the_edge_tpu(model: Path, compiled: Path) -> None:
    assert is_compiled_for_edge_tpu(compiled)
    assert not is_compiled_for_edge_tpu(model)
    with pytest.raises(BundleError, match="run edgetpu_compiler"):
        EdgeTpuAccelerator().load(model)


def test_without_its_library_the_edge_tpu_says_what_to_install(monkeypatch: pytest.MonkeyPatch, compiled: Path) -> None:
    def missing(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file: No such file or directory")

    monkeypatch.setattr("edge.hardware.tflite.ctypes.CDLL", missing)
    with pytest.raises(HardwareError, match="libedgetpu1-std"):
        EdgeTpuAccelerator().load(compiled)


def test_a_coral_that_is_not_plugged_in_is_missed(monkeypatch: pytest.MonkeyPatch, compiled: Path) -> None:
    fake_coral.install(monkeypatch).plugged_in = False
    with pytest.raises(HardwareError, match="no Coral answers"):
        EdgeTpuAccelerator().load(compiled)


def test_a_coral_that_is_pulled_out_fails_in_one_line(monkeypatch: pytest.MonkeyPatch, compiled: Path) -> None:
    coral, accelerator = fake_coral.install(monkeypatch), EdgeTpuAccelerator()
    accelerator.load(compiled)
    coral.plugged_in = False
    with pytest.raises(HardwareError, match="USB transfer error") as caught:
        accelerator.invoke(PICTURE)
    assert "\n" not in str(caught.value)


def test_auto_takes_the_coral_for_a_compiled_model(monkeypatch: pytest.MonkeyPatch, compiled: Path) -> None:
    fake_coral.install(monkeypatch)
    told: list[str] = []
    accelerator = AutoAccelerator("litert", 2, told.append)
    accelerator.load(compiled)
    assert accelerator.name == "edgetpu (litert)"
    assert told == ["accelerator: edgetpu (litert); the model is compiled for it"]


def test_auto_takes_the_cpu_else_and_says_that_the_coral_is_idle(monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    coral = fake_coral.install(monkeypatch)
    told: list[str] = []
    for plugged_in in (True, False):
        coral.plugged_in = plugged_in
        accelerator = AutoAccelerator("litert", 2, told.append)
        accelerator.load(model)
        assert accelerator.name == "cpu (litert)"
    assert told == [
        "accelerator: cpu (litert); the Coral stays idle, for means.tflite is not compiled for it",
        "accelerator: cpu (litert); no Coral",
    ]
