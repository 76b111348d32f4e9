"""Conversion runs in a Python of its own; what goes wrong there is one line here."""

from __future__ import annotations

import importlib.util
import json
import sys

import numpy as np
import pytest
from tiny_model import write_model

from edge.errors import BrickgateError
from quantization.quantize.convert import TfliteModel, convert, convert_python
from quantization.train.network import MobileNetV2

PICTURES = np.zeros((2, 32, 32, 3), np.uint8)


def converter(tmp_path, monkeypatch, script):
    """Puts a shell script in the place of the Python that has TensorFlow."""
    file = tmp_path / "python"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    monkeypatch.setenv("BRICKGATE_CONVERT_PYTHON", str(file))


def test_the_network_and_its_pictures_are_handed_over(tmp_path, monkeypatch):
    script = 'ls "$2"; cp "$2/representative.npy" "$2/seen.npy"; touch "$2/model-1.tflite" "$2/model-2.tflite"'
    converter(tmp_path, monkeypatch, script)
    folder = tmp_path / "converted"
    models = convert(MobileNetV2(3, 0.25).eval(), PICTURES, 32, folder, [1, 2])
    assert models == {1: folder / "model-1.tflite", 2: folder / "model-2.tflite"}
    assert {"network.json", "weights.npz", "representative.npy"} <= set((folder / "convert.log").read_text().split())
    assert json.loads((folder / "network.json").read_text())["representative"] == [1, 2]
    seen = np.load(folder / "seen.npy")
    assert (seen.dtype, float(seen.min())) == (np.float32, -1)
    assert not (folder / "representative.npy").exists()


def test_a_failed_conversion_names_its_log_and_leaves_no_older_model(tmp_path, monkeypatch):
    folder = tmp_path / "converted"
    folder.mkdir()
    (folder / "model-2.tflite").write_bytes(b"older")
    converter(tmp_path, monkeypatch, "echo out of memory; exit 3")
    with pytest.raises(BrickgateError) as error:
        convert(MobileNetV2(3, 0.25).eval(), PICTURES, 32, folder)
    assert str(error.value) == f"the conversion to TFLite failed: see {folder / 'convert.log'}"
    assert (folder / "convert.log").read_text() == "out of memory\n"
    assert not (folder / "model-2.tflite").exists()


def test_a_python_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("BRICKGATE_CONVERT_PYTHON", "/nowhere/python")
    with pytest.raises(BrickgateError) as error:
        convert(MobileNetV2(3, 0.25).eval(), PICTURES, 32, tmp_path)
    assert str(error.value) == (
        "/nowhere/python cannot be run (No such file or directory): correct BRICKGATE_CONVERT_PYTHON"
    )


def test_without_tensorflow_it_says_how_to_get_it(monkeypatch):
    monkeypatch.delenv("BRICKGATE_CONVERT_PYTHON", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BrickgateError, match=r"TensorFlow is not installed: run '\./install\.sh --model' or name a"):
        convert_python()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    assert convert_python() == sys.executable


def test_a_converted_model_is_read_in_real_values(tmp_path):
    model = TfliteModel(write_model(tmp_path / "mean.tflite", side_px=32, scale=1 / 127.5, zero_point=0))
    pictures = np.zeros((2, 32, 32, 3), np.uint8)
    pictures[0] = (255, 128, 0)
    pictures[1] = (51, 204, 102)
    expected = (pictures[:, 0, 0].astype(float) - 127.5) / 127.5
    assert model.logits(pictures) == pytest.approx(expected, abs=1.2 / 127.5)
    assert model.quantization["input"] == {"scale": pytest.approx(1 / 127.5), "zero_point": 0}
