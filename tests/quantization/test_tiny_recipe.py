"""The whole factory, from LDraw files to a bundle that the machine loads: a minute."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge.bundle.manifest import load_bundle
from edge.bundle.size import load_size_evidence
from edge.errors import BrickgateError
from quantization.data.stream import stream
from quantization.factory import Workshop
from quantization.factory.quantize_step import quantized_from
from quantization.ldraw.library import default_library
from quantization.quantize.compare import logits_of
from quantization.quantize.convert import PYTHON_VARIABLE, TfliteModel
from quantization.recipe import load_recipe
from quantization.render.renderer import Renderer

pytestmark = pytest.mark.slow

INT8_OPERATORS = {"CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "MEAN", "FULLY_CONNECTED"}


def check_tools():
    """Skips, with the reason, where LDraw, EGL or TensorFlow is missing."""
    try:
        default_library()
        Renderer(64).close()
    except BrickgateError as error:
        pytest.skip(str(error))
    if not os.environ.get(PYTHON_VARIABLE) and importlib.util.find_spec("tensorflow") is None:
        pytest.skip(
            f"TensorFlow is not installed: ./install.sh --model, or name a Python that has it in {PYTHON_VARIABLE}"
        )


def brickgate_model(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "quantization.cli", *map(str, arguments)],
        check=False, capture_output=True, text=True, timeout=900, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work folder of one build."""
    check_tools()
    folder = tmp_path_factory.mktemp("tiny")
    done = brickgate_model("build", "--recipe", "tiny", "--work", folder, "--workers", 1, "--threads", 1)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (folder / "report.html").is_file()
    return folder


def test_the_machine_loads_what_was_built(work):
    bundle = load_bundle(work / "bundle")
    assert [part.number for part in bundle.parts] == ["3001", "3024", "3647", "4740"]
    brick = bundle.parts[0]
    assert (brick.length_mm, brick.width_mm) == pytest.approx((31.8, 15.8), abs=0.25)
    evidence = load_size_evidence(work / "bundle" / "size.npz", 4)
    assert evidence.log_likelihood(31.8, 15.8).argmax() == 0
    assert evidence.log_likelihood(7.8, 7.8).argmax() == 1
    assert sum(file.stat().st_size for file in (work / "bundle").iterdir()) < 1.5e6
    accuracy = json.loads((work / "bundle" / "manifest.json").read_text())["accuracy"]
    assert {"synthetic_one_look_top1", "int8_float_agreement", "expected_calibration_error"} <= set(accuracy)
    assert {"unknown_belt_3_looks_rejected", "unknown_belt_3_looks_with_size_rejected"} <= set(accuracy)
    assert bundle.familiarity is not None
    strict, lenient = bundle.familiarity.losing(0.01), bundle.familiarity.losing(0.1)
    assert strict.knows_size and all(low <= high for low, high in zip(strict.least, lenient.least, strict=True))


def test_the_float_model_is_the_network_that_was_quantized(work):
    network = quantized_from(Workshop.open(load_recipe("tiny"), work, print))
    pictures = next(stream(work / "renders", 64, 16, 5, 0))[0].numpy()
    found = TfliteModel(work / "converted" / "float.tflite").logits(pictures)
    assert np.abs(found - logits_of(network, pictures)).max() < 1e-3


def test_the_int8_model_answers_as_the_float_one_does(work):
    pictures = next(stream(work / "renders", 64, 64, 5, 0))[0].numpy()
    found, expected = (
        TfliteModel(work / "converted" / f"{name}.tflite").logits(pictures) for name in ("model", "float")
    )
    for part in range(4):
        assert np.corrcoef(found[:, part], expected[:, part])[0, 1] > 0.6  # as made: 0.82 to 0.91


def test_both_ways_to_int8_were_compared(work):
    record = json.loads((work / "converted" / "quantization.json").read_text())
    assert {trial["way"] for trial in record["trials"]} == {"in training", "after training"}
    assert all(trial["agreement"] > 0.99 for trial in record["trials"] if not trial["representative"])
    manifest = json.loads((work / "bundle" / "manifest.json").read_text())
    assert manifest["models"]["cpu"] == "model.tflite"


def test_the_int8_model_has_only_what_accelerators_map(work):
    interpreter_of = pytest.importorskip("ai_edge_litert.interpreter").Interpreter
    interpreter = interpreter_of(str(work / "bundle" / "model.tflite"), num_threads=1)
    interpreter.allocate_tensors()
    operators = {detail["op_name"] for detail in interpreter._get_ops_details()} - {"DELEGATE"}
    assert operators == INT8_OPERATORS
    assert {np.dtype(tensor["dtype"]).name for tensor in interpreter.get_tensor_details()} <= {"int8", "int32"}
    assert interpreter.get_input_details()[0]["shape"].tolist() == [1, 64, 64, 3]


def test_a_finished_training_is_not_done_again(work):
    before = (work / "checkpoint.pt").read_bytes()
    done = brickgate_model("train", "--recipe", "tiny", "--work", work, "--threads", 1)
    assert done.returncode == 0, done.stderr
    assert (work / "checkpoint.pt").read_bytes() == before
